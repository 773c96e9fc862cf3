"""Dogs from 16 × 16 to 32 × 32 pixels: the document's network against ours, and interpolation.

    python benchmarks/upscaling_dogs.py --json docs/benchmarks/upscaling_dogs.json

A tenth of ``dogs_32`` is held out with a seed; every network sees the same pairs, as often, in the
same batches. ``--only NAME`` measures one line and keeps the others of the JSON file.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import garim
from garim.evaluation.upscaling import as_pixels, luminance, psnr, ssim
from garim.pictures import Pixels
from garim.resizing import imresize
from harness import earlier, leave, parsed, parser

NETWORKS: dict[str, dict[str, Any]] = {
    "document": {"network": "document"},
    "compact, the document's compute": {"network_options": ("width=16", "depth=3")},
    "compact": {"network_options": ("width=16", "depth=8")},
    "compact, 25k parameters": {"network_options": ("width=20", "depth=6")},
}
"""Settings of each network that is trained."""


def resized(way: Image.Resampling) -> Callable[[Pixels], Pixels]:
    """Enlarge with Pillow."""
    return lambda low: np.asarray(Image.fromarray(low).resize((32, 32), way))


INTERPOLATIONS: dict[str, Callable[[Pixels], Pixels]] = {
    "nearest": resized(Image.Resampling.NEAREST),
    "bicubic (imresize)": lambda low: imresize(low, (32, 32)),
    "Lanczos (Pillow)": resized(Image.Resampling.LANCZOS),
}


def judged(name: str, enlarge: Callable[[Pixels], Pixels], dogs: Pixels) -> dict[str, Any]:
    """Give mean PSNR and SSIM on luminance, border 2, and PSNR over all values."""
    found = []
    for dog in dogs:
        given = enlarge(imresize(dog, (16, 16)))
        a, b = (luminance(one)[2:-2, 2:-2] for one in (given, dog))
        found.append((psnr(a, b), ssim(a, b), psnr(given.astype(float), dog.astype(float))))
    means = np.mean(found, axis=0)
    return {"name": name, **dict(zip(("psnr", "ssim", "rgb_psnr"), map(float, means), strict=True))}


def trained(name: str, folder: Path, epochs: int, dogs: Pixels) -> dict[str, Any]:
    """Train a network on the pictures in a folder, and judge it."""
    settings = garim.UpscaleTrainSettings(patch=32, epochs=epochs, batch=64, **NETWORKS[name])
    started = time.perf_counter()
    run = garim.train_upscaler(garim.read(folder), settings)
    seconds = time.perf_counter() - started
    upscaler = run.upscaler
    row = judged(name, lambda low: as_pixels(upscaler.enlarge(low.astype(np.float32) / 255)), dogs)
    return {**row, "parameters": run.to_dict()["parameters"], "epochs": epochs,
            "seconds": round(seconds)}  # fmt: skip


def main() -> None:
    """Measure every line, or one."""
    command_line = parser(__doc__)
    command_line.add_argument("--epochs", type=int, default=60)
    command_line.add_argument("--only", help="measure this line only")
    given = parsed(command_line)
    dogs = np.load(given.data / "dogs_32" / "dogs_32x32.npz")["images"]
    order = np.random.default_rng(0).permutation(len(dogs))
    held, rest = order[: len(dogs) // 10], order[len(dogs) // 10 :]
    rows = earlier(given.json)
    known = {row["name"]: row for row in rows}
    with tempfile.TemporaryDirectory() as temporary:
        for number in rest:
            Image.fromarray(dogs[number]).save(Path(temporary, f"{number}.png"))
        for name in (*INTERPOLATIONS, *NETWORKS):
            if given.only in {None, name}:
                known[name] = (
                    judged(name, INTERPOLATIONS[name], dogs[held])
                    if name in INTERPOLATIONS
                    else trained(name, Path(temporary), given.epochs, dogs[held])
                )
                print(known[name], flush=True)
    rows = [known[name] for name in (*INTERPOLATIONS, *NETWORKS) if name in known]
    for row in rows:
        print(f"{row['name']:32} {row.get('parameters', ''):>7} {row['psnr']:6.2f} dB "
              f"{row['ssim']:.4f}  RGB {row['rgb_psnr']:.2f} dB")  # fmt: skip
    leave(given.json, rows, indent=2)


if __name__ == "__main__":
    main()
