"""Does it help a classifier to enlarge small crops as they are cut?

    python benchmarks/upscaling_crops.py --json docs/benchmarks/upscaling_crops.json

``clothing5`` with its pictures shrunk to 64 pixels, so that what Self Extraction cuts out of them
is small. The same plan is applied twice: crops as they are, and those below 64 pixels enlarged by
the weights that come with Garim. A head on frozen features is trained on each and judged on test
crops that were made the same way.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import garim
from garim.pictures import open_picture, to_array
from garim.resizing import imresize
from garim.streaming import showing_progress, track
from harness import leave, line, parsed, parser, starting, there

SIDE = 64
"""Longer side of the pictures, and shorter side of crops below which they are enlarged."""


def main() -> None:
    """Cut both ways, train on each, compare."""
    options = _options()
    with showing_progress(), tempfile.TemporaryDirectory() as scratch:
        data = _shrunk(garim.read(there(options.data / "clothing5")), Path(scratch, "small"))
        settings = garim.TrainSettings(**starting(options.weights), tune="head", augment="none")
        model = garim.train(data, settings).classifier
        plan = garim.extract(data, model).plan
        rows = []
        for name, below in (("crops as they are", 0), ("small crops enlarged", SIDE)):
            to = Path(scratch, str(below))
            how = garim.ApplySettings(enlarge_below=below)
            garim.apply(plan, to=to, settings=how, enlarger=garim.enlarger())
            found = garim.compare_training(garim.read(to), settings, {}, options.seeds)
            rows.append(_row(name, garim.read(to), found.to_dict()))
            print(line(rows[-1], width=24), flush=True)
    leave(options.json, rows)


def _shrunk(data: garim.Dataset, folder: Path) -> garim.Dataset:
    for row in track(data.rows, "Shrinking", len(data)):
        pixels = to_array(open_picture(data.path(row)).image)
        height, width = (max(1, round(n * SIDE / max(pixels.shape[:2]))) for n in pixels.shape[:2])
        path = (folder / row.file_name).with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(imresize(pixels, (height, width))).save(path)
    return garim.read(folder)


def _row(name: str, data: garim.Dataset, found: dict[str, Any]) -> dict[str, Any]:
    sides = [min(Image.open(data.path(row)).size) for row in data.rows]
    (only,) = found["settings"]
    accuracy, f1 = only["accuracy"], only["macro_f1"]
    return {"name": name, "pictures": len(sides), "median_side": float(np.median(sides)),
            "accuracy": accuracy["mean"], "low": accuracy["low"], "high": accuracy["high"],
            "macro_f1": f1["mean"]}  # fmt: skip


def _options() -> argparse.Namespace:
    command_line = parser(__doc__, weights=True)
    command_line.add_argument("--seeds", type=int, default=3)
    return parsed(command_line)


if __name__ == "__main__":
    main()
