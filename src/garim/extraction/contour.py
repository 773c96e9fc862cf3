"""The contour crop: a box around everything that has an outline; no model is needed.

`document` is the recipe of the clothing document: trim, shrink, grey, threshold, blur, closing,
gradient, contours, and a box around all of them but the first. `auto` finds the foreground in
colour instead (`garim.foreground`) and boxes its outlines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from garim.boxes import Box
from garim.extraction.regions import Found, RegionMethod
from garim.extraction.settings import ContourSettings, ExtractSettings
from garim.foreground import ForegroundSettings, contours, foreground
from garim.models.classifier import Classifier
from garim.pictures import Pixels

Grey = NDArray[np.uint8]
"""A grey or two-valued picture, shape ``(h, w)``."""

SMALLEST = 0.002
"""Outlines of the foreground that enclose less than this share of the picture are left out."""


@dataclass(frozen=True, slots=True)
class Step:
    """One intermediate picture."""

    caption: str
    picture: NDArray[np.uint8]
    """RGB ``(h, w, 3)`` or grey ``(h, w)``."""


@dataclass(frozen=True, slots=True)
class Traced:
    """The outlines of a picture, and how they came about."""

    box: Box | None
    """Around all outlines, in pixels of the picture; None where there are none."""
    steps: tuple[Step, ...]


def adaptive(grey: Grey, settings: ContourSettings) -> Grey:
    """Compare each pixel with the Gaussian mean around it, less ``offset``."""
    return _grey(cv2.adaptiveThreshold(
        grey, 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY, settings.block,
        settings.offset,
    ))  # fmt: skip


def at_level(grey: Grey, settings: ContourSettings) -> Grey:
    """Compare every pixel with one level."""
    return _grey(cv2.threshold(grey, settings.level, 255, cv2.THRESH_BINARY)[1])


def otsu(grey: Grey, settings: ContourSettings) -> Grey:
    """Compare every pixel with the level that parts the grey values best (Otsu 1979)."""
    return _grey(cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1])


def local(grey: Grey, settings: ContourSettings) -> Grey:
    """Do the same in each of ``tiles × tiles`` parts by itself."""
    result = np.zeros_like(grey)
    rows, columns = (np.linspace(0, side, settings.tiles + 1).astype(int) for side in grey.shape)
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            if bottom > top and right > left:
                part = np.ascontiguousarray(grey[top:bottom, left:right])
                result[top:bottom, left:right] = otsu(part, settings)
    return result


THRESHOLDS: dict[str, Callable[[Grey, ContourSettings], Grey]] = {
    "adaptive": adaptive,  # against the mean around each pixel, the document's choice
    "global": at_level,  # against one given level
    "otsu": otsu,  # against one level, found from the picture
    "local": local,  # against a level for each of several parts
}
"""Every way to part grey pictures into black and white, by its name."""


def trace(pixels: Pixels, settings: ContourSettings, how: ForegroundSettings) -> Traced:
    """Find the outlines of a picture, RGB uint8 ``(h, w, 3)``, and the box around them."""
    settings.check(tuple(THRESHOLDS))
    return _document(pixels, settings) if settings.preset == "document" else _auto(pixels, how)


def _document(pixels: Pixels, settings: ContourSettings) -> Traced:
    height, width = pixels.shape[:2]
    top, bottom = int(height * settings.trim_top), int(height * (1 - settings.trim_bottom))
    left, right = int(width * settings.trim_sides), int(width * (1 - settings.trim_sides))
    part = pixels[top:bottom, left:right]
    if min(part.shape[:2]) * settings.shrink < 2:
        return Traced(None, (Step("picture", pixels),))
    by = settings.shrink
    small: Pixels = np.asarray(
        cv2.resize(part, None, fx=by, fy=by, interpolation=cv2.INTER_AREA), np.uint8
    )
    grey = _grey(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
    binary = THRESHOLDS[settings.threshold](grey, settings)
    blurred = _grey(cv2.medianBlur(binary, settings.blur))
    kernel = np.ones((settings.kernel, settings.kernel), np.uint8)
    closed = _grey(cv2.morphologyEx(blurred, cv2.MORPH_CLOSE, kernel))
    edges = _grey(cv2.morphologyEx(closed, cv2.MORPH_GRADIENT, kernel))
    found = cv2.findContours(edges, cv2.RETR_TREE, cv2.CHAIN_APPROX_TC89_L1)[0]
    around = _around(found[1:])
    scale = part.shape[1] / small.shape[1], part.shape[0] / small.shape[0]
    box = around and around.scale(*scale).shift(left, top)
    return Traced(box, (
        Step("picture", pixels), Step("trimmed, smaller", small), Step("grey", grey),
        Step(f"{settings.threshold} threshold", binary), Step("median blur", blurred),
        Step("closing", closed), Step("gradient", edges), Step("box", boxed(pixels, box)),
    ))  # fmt: skip


def _grey(values: object) -> Grey:
    return np.asarray(values, dtype=np.uint8)


def _around(found: Sequence[Any]) -> Box | None:
    """Give the box around contours."""
    if not found:
        return None
    x, y, width, height = np.array([cv2.boundingRect(one) for one in found]).T
    return Box(x.min(), y.min(), (x + width).max(), (y + height).max())


def _auto(pixels: Pixels, how: ForegroundSettings) -> Traced:
    alpha = foreground(pixels, how)
    box = _around(contours(alpha, SMALLEST))
    shown = np.round(alpha * 255).astype(np.uint8)
    return Traced(box, (
        Step("picture", pixels), Step("foreground", shown), Step("box", boxed(pixels, box)),
    ))  # fmt: skip


def boxed(pixels: Pixels, box: Box | None) -> Pixels:
    """Draw a box on a copy of a picture."""
    canvas = np.ascontiguousarray(pixels).copy()
    if box is not None:
        left, top, right, bottom = (round(v) for v in box.xyxy())
        thick = max(max(canvas.shape) // 130, 1)
        cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), (230, 30, 60), thick)
    return canvas


def contour(classifier: Classifier | None, settings: ExtractSettings) -> RegionMethod:
    """Set up the method; with a classifier its plan has the label's scores."""
    settings.contour.check(tuple(THRESHOLDS))

    def find(pixels: Pixels) -> Found:
        box = trace(pixels, settings.contour, settings.foreground).box
        return Found(() if box is None else (box,), "no outline was found")

    whole = settings.contour.preset == "document"
    return RegionMethod(find, "around all outlines", classifier, settings,
                        None if whole else 2 * settings.foreground.longest)  # fmt: skip
