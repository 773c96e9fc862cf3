"""Does it help to enlarge 16-pixel pictures before a classifier looks at them?

    python benchmarks/upscaling_recognition.py --json docs/benchmarks/upscaling_recognition.json

A classifier (MobileNetV2, ImageNet weights, frozen, a linear head) is trained on ``clothing5``. Its
test pictures are shrunk to 16 pixels a side and given to it as they are, enlarged ×4 by bicubic
interpolation, and ×4 by Garim's weights in two passes; and once whole.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from PIL import Image

import garim
from garim import UpscaleSettings
from garim.pictures import open_picture, to_array
from garim.resizing import imresize
from garim.streaming import showing_progress
from harness import leave, parsed, parser, starting

SIDE = 16


def main() -> None:
    """Train the classifier, and judge it on each version of the test pictures."""
    options = _options()
    whole = garim.read(options.data / "clothing5")
    with showing_progress(), tempfile.TemporaryDirectory() as scratch:
        settings = garim.TrainSettings(
            **starting(options.weights),
            tune="head", size=options.size, localizer=False, patience=0, augment="none",
        )  # fmt: skip
        classifier = garim.train(whole, settings).classifier
        test, small = whole.where(split=["test"]), Path(scratch, "small")
        for row in test.rows:
            pixels = imresize(to_array(open_picture(test.path(row)).image), (SIDE, SIDE))
            path = (small / row.file_name).with_suffix(".png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
        versions = {"whole pictures": test, f"{SIDE} pixels": garim.read(small)}
        for name, method in (("bicubic", "bicubic"), ("shipped weights", "model")):
            out = Path(scratch, method)
            garim.upscale(small, out, UpscaleSettings(scale=4, method=method))  # type: ignore[arg-type]
            versions[f"{SIDE} pixels, ×4, {name}"] = garim.read(out)
        rows = []
        for name, data in versions.items():
            judged = garim.evaluate(classifier, replace(data, classes=test.classes))
            low, high = judged.intervals.accuracy
            rows.append({"name": name, "accuracy": judged.accuracy, "interval": [low, high],
                         "pictures": judged.pictures})  # fmt: skip
            print(f"{name:34} {judged.accuracy:.4f} ({low:.3f} to {high:.3f})", flush=True)
    leave(options.json, rows, indent=2)


def _options() -> argparse.Namespace:
    command_line = parser(__doc__, weights=True)
    command_line.add_argument("--size", type=int, default=128)
    return parsed(command_line)


if __name__ == "__main__":
    main()
