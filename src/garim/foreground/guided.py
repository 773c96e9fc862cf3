"""Fitting a coarse matte to the edges of a picture: the guided filter (He, Sun, Tang 2013).

Within every small window the matte is taken to be a linear function of the colours. The functions
are found at the coarse size and evaluated on the full picture (the fast guided filter, He and Sun
2015), so that edges are those of the full picture.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from garim.pictures import Pixels

EPSILON = 1e-4
"""Variance of colours, of 0 to 1, below which a window counts as even."""
BAND = 512
"""Rows of the full picture that are computed at once."""

Alpha = NDArray[np.float32]
"""Opacity of each pixel, shape ``(h, w)``, 0 (background) to 1 (foreground)."""


def fitted(coarse: Alpha, small: Pixels, full: Pixels, radius: int) -> Alpha:
    """Enlarge a matte along the edges of the full picture.

    Args:
        coarse: matte of the small picture, shape ``(h, w)``.
        small: the picture at the coarse size, RGB.
        full: the picture at its full size ``(H, W, 3)``.
        radius: half the width of the soft edge in coarse pixels; 0 only enlarges.

    Returns:
        Shape ``(H, W)``. Further than the radius from an edge of the coarse matte it is that.
    """
    height, width = full.shape[:2]
    if radius < 1:
        return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    low, high = cv2.erode(coarse, kernel), cv2.dilate(coarse, kernel)
    maps = np.dstack([_linear(coarse, small, radius), low, high])
    bands = [_band(maps, full, top) for top in range(0, height, BAND)]
    return np.concatenate(bands)


def _linear(coarse: Alpha, small: Pixels, radius: int) -> NDArray[np.float32]:
    """Give each pixel's linear function of red, green, blue and 1, shape ``(h, w, 4)``."""
    guide: NDArray[np.float32] = small.astype(np.float32) / np.float32(255)
    size = (2 * radius + 1,) * 2

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.blur(values, size, borderType=cv2.BORDER_REFLECT))

    centre, matte = mean(guide), mean(coarse)
    covariance = np.dstack([mean(guide * coarse[..., None]) - centre * matte[..., None]])[..., None]
    products = np.einsum("hwi,hwj->hwij", guide, guide).reshape(*coarse.shape, 9)
    squares = np.dstack([mean(np.ascontiguousarray(products[..., i : i + 3])) for i in (0, 3, 6)])
    variance = squares.reshape(*coarse.shape, 3, 3) - np.einsum("hwi,hwj->hwij", centre, centre)
    slopes = np.linalg.solve(variance + EPSILON * np.eye(3, dtype=np.float32), covariance)[..., 0]
    offset = matte - (slopes * centre).sum(axis=2)
    return mean(np.dstack([slopes, offset]).astype(np.float32))


def _band(maps: NDArray[np.float32], full: Pixels, top: int) -> Alpha:
    """Evaluate on some rows of the full picture."""
    (height, width), (h, w) = full.shape[:2], maps.shape[:2]
    rows = full[top : top + BAND].astype(np.float32) / 255
    sx, sy = w / width, h / height
    # Pixel centres on pixel centres, as cv2.resize does for a whole picture.
    back = np.array([[sx, 0, sx / 2 - 0.5], [0, sy, (top + 0.5) * sy - 0.5]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    planes = [
        cv2.warpAffine(
            np.ascontiguousarray(maps[..., i]), back, (width, len(rows)),
            flags=flags, borderMode=cv2.BORDER_REPLICATE,
        )
        for i in range(6)
    ]  # fmt: skip
    matte = planes[3] + sum(planes[i] * rows[..., i] for i in range(3))
    return np.asarray(np.clip(np.clip(matte, 0, 1), planes[4], planes[5]), dtype=np.float32)
