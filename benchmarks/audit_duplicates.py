"""Which planted copies are found, how many pairs are wrong, and how long it takes.

    python benchmarks/audit_duplicates.py [--data DIR] [--each N] [--peers] [--json FILE]

Plants copies of pictures of ``clothing5`` and ``fruit_boxes``, ``N`` of each kind, beside all
originals. Precision counts a pair as wrong if its pictures do not come from one original.
``--peers`` also runs imagededup (pHash, dHash, and its CNN if its weights are to be had) and
cleanvision on the same files; they are not among Garim's dependencies.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

import garim
from garim.audit.look import look
from garim.copies import find_copies, fingerprint
from garim.streaming import stream
from harness import leave, parsed, parser, there

Random = np.random.Generator
Pair = frozenset[str]
SETS = ("clothing5", "fruit_boxes")


def crop(image: Image.Image, rng: Random, share: float) -> Image.Image:
    """Cut out a part of the same shape at a random place."""
    width, height = (round(side * share) for side in image.size)
    left, top = (int(rng.integers(0, a - b + 1))
                 for a, b in zip(image.size, (width, height), strict=True))  # fmt: skip
    return image.crop((left, top, left + width, top + height))


def watermark(image: Image.Image, rng: Random) -> Image.Image:
    """Write two half transparent lines over the picture."""
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    pen, (width, height) = ImageDraw.Draw(layer), image.size
    big, small = (ImageFont.load_default(max(width // share, 10)) for share in (9, 22))
    pen.text((width / 2, height / 2), "SAMPLE PHOTO", (255, 255, 255, 150), big, "mm")
    pen.text((width * 0.03, height * 0.93), "(c) www.example.com", (255, 255, 255, 200), small)
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


Change = Callable[[Image.Image, Random], Image.Image]

CHANGES: dict[str, tuple[Change, int]] = {
    "resize": (lambda image, _: image.resize((image.width // 2, image.height // 2)), 90),
    "recompress q50": (lambda image, _: image, 50),
    "crop 95 %": (lambda image, rng: crop(image, rng, 0.95), 90),
    "crop 80 %": (lambda image, rng: crop(image, rng, 0.8), 90),
    "flip": (lambda image, _: ImageOps.mirror(image), 90),
    "rotate 3°": (lambda image, _: image.rotate(3, Image.Resampling.BICUBIC), 90),
    "rotate 90°": (lambda image, _: image.transpose(Image.Transpose.ROTATE_90), 90),
    "brightness": (lambda image, _: ImageEnhance.Brightness(image).enhance(1.3), 90),
    "border": (lambda image, _: ImageOps.expand(image, round(max(image.size) / 20), "white"), 90),
    "watermark": (watermark, 90),
}
"""What is done to a copy, and the JPEG quality that it is saved with."""


def main() -> None:
    """Plant, find, and print the tables."""
    options = _options()
    for name in SETS:
        there(options.data / name)
    rows: list[dict[str, Any]] = []
    for name in SETS:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            kind_of, origin = _planted(options.data / name, folder, options.each)
            for tool, find in _tools(options.peers).items():
                try:
                    rows.append(
                        {"data": name, "tool": tool, **_judged(find, folder, kind_of, origin)}
                    )
                except Exception as error:  # a peer without its weights says so in its own way
                    print(f"{tool}: {error}")
                    continue
                print(_line(rows[-1]))
    speed = _speed(options.peers)
    print(json.dumps(speed, indent=1))
    leave(options.json, {"each": options.each, "found": rows, "speed": speed})


def _options() -> argparse.Namespace:
    command_line = parser(__doc__)
    command_line.add_argument("--each", type=int, default=100)
    command_line.add_argument("--peers", action="store_true")
    return parsed(command_line)


def _planted(data: Path, folder: Path, each: int) -> tuple[dict[Pair, str], dict[str, str]]:
    """Link all originals into one folder, and copies of some; tell what was planted."""
    rng = np.random.default_rng(0)
    names, origin = [], {}
    for number, row in enumerate(garim.read(data).rows):
        name = f"{number:05}{Path(row.file_name).suffix.lower()}"
        (folder / name).symlink_to((data / row.file_name).resolve())
        names.append(name)
        origin[name] = name
    kind_of: dict[Pair, str] = {}
    for kind, (change, quality) in CHANGES.items():
        for name in rng.choice(names, min(each, len(names)), replace=False):
            copy = (
                f"{kind.replace(' ', '-').replace('%', '').replace('°', '')}-{Path(name).stem}.jpg"
            )
            image = garim.pictures.open_picture(folder / name).image
            change(image, rng).save(folder / copy, quality=quality)
            kind_of[frozenset((str(name), copy))] = kind
            origin[copy] = str(name)
    return kind_of, origin


Find = Callable[[Path], Iterable[Pair]]


def _tools(peers: bool) -> dict[str, Find]:
    ours: dict[str, Find] = {"garim": _garim}
    if not peers:
        return ours
    return ours | {
        "imagededup pHash": lambda folder: _imagededup(folder, "PHash", 10),
        "imagededup dHash": lambda folder: _imagededup(folder, "DHash", 10),
        "imagededup dHash, distance 2": lambda folder: _imagededup(folder, "DHash", 2),
        "imagededup CNN": lambda folder: _imagededup(folder, "CNN", 0.9),
        "cleanvision": _cleanvision,
    }


def _garim(folder: Path) -> Iterable[Pair]:
    paths = sorted(folder.iterdir())
    prints = [None if isinstance(one, Exception) else one for _, one in stream(fingerprint, paths)]
    for copy in find_copies(paths, prints):
        yield frozenset((paths[copy.first].name, paths[copy.second].name))


def _imagededup(folder: Path, method: str, threshold: float) -> Iterable[Pair]:
    from imagededup import methods  # noqa: PLC0415

    tool = getattr(methods, method)(verbose=False)
    option = "min_similarity_threshold" if method == "CNN" else "max_distance_threshold"
    found = tool.find_duplicates(image_dir=str(folder), **{option: threshold})
    return {frozenset((a, b)) for a, others in found.items() for b in others}


def _cleanvision(folder: Path) -> Iterable[Pair]:
    from cleanvision import Imagelab  # noqa: PLC0415

    lab = Imagelab(data_path=str(folder))
    lab.find_issues({"exact_duplicates": {}, "near_duplicates": {}}, verbose=False)
    for kind in ("exact_duplicates", "near_duplicates"):
        for group in lab.info[kind]["sets"]:
            names = [Path(one).name for one in group]
            yield from (frozenset((a, b)) for a in names for b in names if a < b)


def _judged(
    find: Find, folder: Path, kind_of: dict[Pair, str], origin: dict[str, str]
) -> dict[str, Any]:
    started = time.perf_counter()
    found = {pair for pair in find(folder) if len(pair) == 2}
    seconds = time.perf_counter() - started
    right = sum(len({origin[name] for name in pair}) == 1 for pair in found)
    recall = {
        kind: float(np.mean([pair in found for pair, k in kind_of.items() if k == kind]))
        for kind in CHANGES
    }
    return {"pictures": len(origin), "pairs": len(found), "seconds": round(seconds, 2),
            "precision": right / max(len(found), 1), "recall": recall}  # fmt: skip


def _line(row: dict[str, Any]) -> str:
    recall = "  ".join(f"{kind} {value:.2f}" for kind, value in row["recall"].items())
    return (f"{row['data']} {row['tool']}: {row['pairs']} pairs, precision {row['precision']:.3f}, "
            f"{row['seconds']} s  {recall}")  # fmt: skip


def _speed(peers: bool) -> list[dict[str, Any]]:
    """Pictures per second of a look, of bare scaled decoding, and of cleanvision."""
    rows = []
    for (width, height), count in (((640, 480), 400), ((3000, 2000), 60)):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            _draw(folder, width, height, count)
            paths = sorted(folder.iterdir())
            row: dict[str, Any] = {"size": f"{width} × {height}"}
            row["bare_decoding"] = _rate(lambda p=paths: _all(stream(_bare, p)), count)
            row["garim_look"] = _rate(lambda p=paths: _all(stream(look, p)), count)
            row["garim_audit"] = _rate(lambda f=folder: garim.audit(garim.read(f)), count)
            if peers:
                row["cleanvision"] = _rate(lambda f=folder: _all_of_cleanvision(f), count)
            row["look_of_bare"] = round(row["garim_look"] / row["bare_decoding"], 3)
            rows.append(row)
    return rows


def _bare(path: Path) -> object:
    return garim.pictures.open_picture(path, at_least=96)


def _all(results: Iterable[object]) -> None:
    for _ in results:
        pass


def _all_of_cleanvision(folder: Path) -> None:
    from cleanvision import Imagelab  # noqa: PLC0415

    Imagelab(data_path=str(folder)).find_issues(verbose=False)


def _rate(run: Callable[[], object], count: int) -> float:
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return round(count / float(np.median(seconds)), 1)


def _draw(folder: Path, width: int, height: int, count: int) -> None:
    """Save JPEGs with the texture of photos, each another."""
    rng = np.random.default_rng(0)
    for number in range(count):
        layers = [rng.normal(0, 255 / 2 ** (k / 2), (height // s + 2, width // s + 2, 3))
                  for k, s in enumerate((64, 16, 4))]  # fmt: skip
        shown = sum(
            np.asarray(Image.fromarray(np.clip(one + 128, 0, 255).astype(np.uint8))
                       .resize((width, height), Image.Resampling.BICUBIC), np.float32)
            for one in layers
        ) / 3  # fmt: skip
        Image.fromarray(shown.astype(np.uint8)).save(folder / f"{number:04}.jpg", quality=85)


if __name__ == "__main__":
    main()
