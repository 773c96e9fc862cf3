"""How well the foreground is found, and how well contours box an object.

    python benchmarks/foreground_quality.py [--data DIR] [--onnx FILE] [--each N] [--json FILE]

Foreground: mask IoU and F on ``ccp_street5`` (a person: every tag but the background), and the IoU
of the box around it with that around all fruit of ``fruit_boxes``. Judged on N pictures of the
half that nothing was tuned on (every second picture, from the second on). Beside the methods:
GrabCut from a box in the middle, and everything. ``--onnx`` names a network for the method `onnx`
(BGR), by default ``portrait_seg`` beside the data.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from garim import pictures
from garim.boxes import Box, iou, to_array
from garim.foreground import Alpha, ForegroundSettings, contours, foreground
from garim.pictures import Pixels
from harness import leave, line, parsed, parser, there

NETWORK = "portrait_seg/prisma_nchw.onnx"
T = TypeVar("T")
Sample = tuple[Pixels, NDArray[np.bool_] | None, Box]
"""A picture, its mask where there is one, and its box."""


def main() -> None:
    """Judge every method on both sets and print the table."""
    options = _options()
    methods = _methods(options.onnx)
    rows = []
    for name, read in (("ccp_street5", street), ("fruit_boxes", fruit)):
        figures: dict[str, list[tuple[float, float, float, float]]] = defaultdict(list)
        for sample in read(options.data, options.each):
            for method, find in methods.items():
                figures[method].append(_judged(find, *sample))
        rows += [_row(name, method, np.array(values)) for method, values in figures.items()]
    for row in rows:
        print(line(row))
    leave(options.json, rows)


def _options() -> argparse.Namespace:
    command_line = parser(__doc__)
    command_line.add_argument("--onnx", type=Path)
    command_line.add_argument("--each", type=int, default=60)
    options = parsed(command_line)
    options.onnx = options.onnx or options.data.parent / "weights" / NETWORK
    there(options.data / "ccp_street5")
    return options


def _methods(network: Path) -> dict[str, Callable[[Pixels], Alpha]]:
    methods: dict[str, Callable[[Pixels], Alpha]] = {"classical": foreground}
    if network.is_file():
        settings = ForegroundSettings(method="onnx", weights=network, bgr=True)
        methods["onnx"] = lambda pixels: foreground(pixels, settings)
    return {**methods, "grabcut-centre": _grabcut, "everything": _everything}


def _everything(pixels: Pixels) -> Alpha:
    return np.ones(pixels.shape[:2], np.float32)


def _grabcut(pixels: Pixels) -> Alpha:
    """GrabCut as it is mostly used: from a box that leaves a tenth on each side."""
    height, width = pixels.shape[:2]
    scale = 320 / max(height, width)
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    h, w = small.shape[:2]
    mask, back, front = np.zeros((h, w), np.uint8), np.zeros((1, 65)), np.zeros((1, 65))
    inner = (w // 10, h // 10, w - w // 5, h - h // 5)
    cv2.grabCut(small, mask, inner, back, front, 4, cv2.GC_INIT_WITH_RECT)
    return np.asarray(cv2.resize((mask & 1).astype(np.float32), (width, height)))


def street(data: Path, each: int, start: int = 1) -> Iterator[Sample]:
    """Give street photos with their person: every second from ``start``, so many of them."""
    for path in spread(sorted((data / "ccp_street5/photos").iterdir())[start::2], each):
        mask = pictures.open_mask(path.parent.parent / "masks" / f"{path.stem}.png")[0] != 0
        yield pictures.to_array(pictures.open_picture(path).image), mask, _box(mask)


def fruit(data: Path, each: int, start: int = 1) -> Iterator[Sample]:
    """Give photos of fruit with the box around all of their fruit."""
    boxes = around_all(data / "fruit_boxes/boxes.csv")
    for name in spread(sorted(boxes)[start::2], each):
        path = data / "fruit_boxes" / name
        yield pictures.to_array(pictures.open_picture(path).image), None, boxes[name]


def around_all(table: Path) -> dict[str, Box]:
    """Give the box around all boxes of each file."""
    found = defaultdict(list)
    with table.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            found[row["file"]].append([float(row[k]) for k in ("xmin", "ymin", "xmax", "ymax")])
    return {
        file: Box(*np.min(rows, axis=0)[:2], *np.max(rows, axis=0)[2:])
        for file, rows in found.items()
    }


def spread(items: Sequence[T], most: int) -> list[T]:
    """Take at most so many, evenly."""
    chosen = np.linspace(0, len(items) - 1, min(most, len(items))).astype(int)
    return [items[index] for index in chosen]


def _box(inside: NDArray[Any]) -> Box:
    x, y, width, height = cv2.boundingRect(inside.astype(np.uint8))
    return Box(x, y, x + width, y + height)


def _judged(
    find: Callable[[Pixels], Alpha], pixels: Pixels, mask: NDArray[np.bool_] | None, box: Box
) -> tuple[float, float, float, float]:
    """Give mask IoU, F, box IoU and seconds."""
    started = time.perf_counter()
    found = find(pixels)
    seconds = time.perf_counter() - started
    shapes = contours(found, 0.002)
    boxed = _box(cv2.drawContours(np.zeros(found.shape, np.uint8), shapes, -1, 1, -1))
    overlap = float(iou(to_array([boxed]), to_array([box]))[0, 0])
    if mask is None:
        return np.nan, np.nan, overlap, seconds
    inside = found > 0.5
    shared, union = (inside & mask).sum(), (inside | mask).sum()
    return shared / union, 2 * shared / (inside.sum() + mask.sum()), overlap, seconds


def _row(data: str, method: str, values: NDArray[np.float64]) -> dict[str, Any]:
    row: dict[str, Any] = {"data": data, "method": method, "pictures": len(values)}
    names = ("mask_iou", "f", "box_iou", "seconds")
    means = {n: round(float(v), 4) for n, v in zip(names, values.mean(axis=0), strict=True)}
    row |= {n: v for n, v in means.items() if not np.isnan(v)}
    return row | {"box_iou_below_half": round(float((values[:, 2] < 0.5).mean()), 4)}


if __name__ == "__main__":
    main()
