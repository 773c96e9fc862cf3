"""Set5 ×2 as the field measures it, and where its networks fail: blurred before shrinking.

    python benchmarks/upscaling_set5.py --json docs/benchmarks/upscaling_set5.json

The first part enlarges the small pictures that come with Set5 (MATLAB's bicubic), with the weights
of the package. The second part blurs the large ones by a known Gaussian before they are shrunk, and
lets ``zero-shot`` learn from each small picture, told the blur or not, for ``--seconds``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from garim.enhancement.methods import bicubic
from garim.enhancement.zero_shot import zero_shot
from garim.evaluation.upscaling import luminance, psnr, ssim
from garim.models.upscaler import shipped
from garim.pictures import Pixels, open_picture, to_array
from garim.resizing import Values, as_pixels, as_values
from garim.training.degradation import Degradation, degrade
from harness import leave, parsed, parser, there

NAMES = ("baby", "bird", "butterfly", "head", "woman")
Enlarge = Callable[[Values], Values]


def pictures(data: Path) -> list[tuple[Pixels, Pixels]]:
    """Read the small and large pictures of Set5."""
    root = data / "sr_set5" / "Set5" / "image_SRF_2"
    there(root)
    return [
        (_opened(root / f"img_00{i}_SRF_2_LR.png"), _opened(root / f"img_00{i}_SRF_2_HR.png"))
        for i in range(1, 6)
    ]


def _opened(path: Path) -> Pixels:
    return to_array(open_picture(path).image)


def row(name: str, enlarge: Enlarge, pairs: list[tuple[Pixels, Pixels]]) -> dict[str, Any]:
    """Measure one way to enlarge: luminance, border 2."""
    started, figures = time.perf_counter(), []
    for small, large in pairs:
        given = as_pixels(enlarge(as_values(small)))
        a, b = (luminance(one)[2:-2, 2:-2] for one in (given, large))
        figures.append((psnr(a, b), ssim(a, b)))
    seconds = (time.perf_counter() - started) / len(pairs)
    means = np.mean(figures, axis=0)
    each = {n: round(p, 2) for n, (p, _) in zip(NAMES, figures, strict=True)}
    print(f"{name:44} {means[0]:6.2f} dB {means[1]:.4f} {seconds:7.2f} s  {each}", flush=True)
    return {"name": name, "psnr": float(means[0]), "ssim": float(means[1]), "seconds": seconds,
            "each": each}  # fmt: skip


def learning(how: Degradation, seconds: float) -> Enlarge:
    """Learn from each picture for so many seconds, then enlarge it."""
    start = shipped()
    return lambda values: zero_shot(start, values, how, seconds).enlarge(values)


def main() -> None:
    """Measure both parts."""
    command_line = parser(__doc__)
    command_line.add_argument("--seconds", type=float, default=30)
    command_line.add_argument("--blurs", type=float, nargs="*", default=(1.0, 1.6))
    given = parsed(command_line)
    known, ready = pictures(given.data), shipped()
    double = partial(bicubic, scale=2)
    plain = [row("bicubic", double, known), row("shipped weights", ready.enlarge, known)]
    blurred = []
    for blur in given.blurs:
        how = Degradation(blur=blur)
        pairs = [(degrade(large, small.shape[1::-1], how, np.random.default_rng(0)), large)
                 for small, large in known]  # fmt: skip
        ways = {"bicubic": double, "shipped weights": ready.enlarge,
                "zero-shot, blur not known": learning(Degradation(), given.seconds),
                "zero-shot, blur known": learning(how, given.seconds)}  # fmt: skip
        blurred += [{**row(f"σ = {blur}: {name}", way, pairs), "blur": blur, "way": name}
                    for name, way in ways.items()]  # fmt: skip
    found = {"plain": plain, "blurred": blurred, "seconds": given.seconds}
    leave(given.json, found, indent=2)


if __name__ == "__main__":
    main()
