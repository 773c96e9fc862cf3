"""Contours of a mask: the outlines of its regions, as polygons."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Contour = NDArray[np.int32]
"""A closed outline: x and y of its pixels in order, shape ``(n, 2)``; the last joins the first."""

HALF = 0.5
"""Opacity above which a pixel counts as foreground."""


def contours(mask: NDArray[Any], smallest: float = 0.0) -> list[Contour]:
    """Give the outer outline of each region of a mask, the largest region first.

    Args:
        mask: shape ``(h, w)``: bool, an alpha matte of 0 to 1 (inside above a half), or uint8
            (inside where not 0).
        smallest: regions that enclose fewer pixels than this share of the mask are left out.

    Returns:
        Boundary pixels, each of shape ``(n, 2)``; the area of a region is what its outline
        encloses (`cv2.contourArea`).
    """
    inside = mask > HALF if mask.dtype.kind == "f" else mask != 0
    found, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    sized = [(float(cv2.contourArea(one)), one.reshape(-1, 2)) for one in found]
    sized.sort(key=lambda one: -one[0])
    least = smallest * mask.shape[0] * mask.shape[1]
    return [np.asarray(one, dtype=np.int32) for area, one in sized if area >= least]


def largest_contour(mask: NDArray[Any]) -> Contour:
    """Give the outline of the largest region of a mask; shape ``(0, 2)`` where it has none.

    Args:
        mask: as for `contours`.
    """
    found = contours(mask)
    return found[0] if found else np.zeros((0, 2), np.int32)
