"""How well the contour crop boxes an object, under every threshold.

    python benchmarks/contour_quality.py [--data DIR] [--each N] [--json FILE]

IoU with the box around all garments (``ccp_street5``) and around all fruit (``fruit_boxes``), and
the share of failures: IoU below a half, or no box. Judged on N pictures of the half that nothing
was tuned on. `document` trims as the document does; every threshold also stands in its recipe
without trimming. Beside them: the whole picture, and its middle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from foreground_quality import around_all, spread
from garim import pictures
from garim.boxes import Box, iou, to_array
from garim.extraction import ContourSettings
from garim.extraction.contour import THRESHOLDS, trace
from garim.foreground import ForegroundSettings
from garim.pictures import Pixels
from harness import leave, parsed, parser, there

SETS = ("ccp_street5", "fruit_boxes")
DOCUMENT = ContourSettings(preset="document")
Find = Callable[[Pixels], Box | None]


def main() -> None:
    """Judge every way on both sets and print the table."""
    command_line = parser(__doc__)
    command_line.add_argument("--each", type=int, default=60)
    options = parsed(command_line)
    there(options.data / SETS[0])
    rows = [row for name in SETS for row in _judged(name, options.data, options.each)]
    for row in rows:
        print(" ".join(f"{value!s:<20}" for value in row.values()))
    leave(options.json, rows)


def _ways() -> dict[str, Find]:
    untrimmed = replace(DOCUMENT, trim_top=0, trim_bottom=0, trim_sides=0)
    recipes = {"auto": ContourSettings(), "document": DOCUMENT}
    recipes |= {f"{name}, untrimmed": replace(untrimmed, threshold=name) for name in THRESHOLDS}
    return {name: _by(recipe) for name, recipe in recipes.items()} | {
        "whole picture": _whole,
        "middle": _middle,
    }


def _by(settings: ContourSettings) -> Find:
    return lambda pixels: trace(pixels, settings, ForegroundSettings()).box


def _whole(pixels: Pixels) -> Box:
    return Box.whole(pixels.shape[1], pixels.shape[0])


def _middle(pixels: Pixels) -> Box:
    """Seven tenths of each side."""
    height, width = pixels.shape[:2]
    return Box(0.15 * width, 0.15 * height, 0.85 * width, 0.85 * height)


def _judged(name: str, data: Path, each: int) -> list[dict[str, Any]]:
    overlaps: dict[str, list[float]] = defaultdict(list)
    missing: dict[str, int] = defaultdict(int)
    truths = around_all(data / name / "boxes.csv")
    for file in spread(sorted(truths)[1::2], each):
        pixels = pictures.to_array(pictures.open_picture(data / name / file).image)
        for way, find in _ways().items():
            box = find(pixels)
            missing[way] += box is None
            shared = iou(to_array([box or Box(0, 0, 0, 0)]), to_array([truths[file]]))
            overlaps[way].append(float(shared[0, 0]))
    return [
        {
            "data": name,
            "way": way,
            "pictures": len(values),
            "iou": round(float(np.mean(values)), 4),
            "failures": round(float(np.mean(np.array(values) < 0.5)), 4),
            "no_box": missing[way],
        }
        for way, values in overlaps.items()
    ]


if __name__ == "__main__":
    main()
