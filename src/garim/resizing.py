"""Resizing as the super-resolution field measures it: MATLAB's ``imresize``, bicubic.

Low-resolution pictures of every benchmark are made with it, and other resizers differ: OpenCV does
not smooth before it shrinks, and Pillow rounds its weights. The kernel is that of Keys (1981) with
a = −0.5, widened when shrinking; pictures are mirrored at their borders.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from garim.pictures import Pixels

Values = NDArray[np.float32]
"""A picture, shape ``(height, width)`` or ``(height, width, channels)``; values mostly 0 to 1."""


def as_values(pixels: Pixels) -> Values:
    """Turn uint8 into values 0 to 1."""
    found: Values = np.divide(pixels, 255, dtype=np.float32)
    return found


def as_pixels(values: Values) -> Pixels:
    """Round values 0 to 1 to uint8; those outside are clipped."""
    return np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)


def imresize(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Resize a picture as MATLAB's ``imresize(picture, [height width], "bicubic")`` does.

    Args:
        pixels: shape ``(height, width)`` or ``(height, width, channels)``, uint8.
        size: width and height of the result in pixels.

    Returns:
        uint8, rounded after each direction as MATLAB rounds.
    """
    return _both_ways(pixels.astype(np.float32), size, _rounded).astype(np.uint8)


def resize(values: Values, size: tuple[int, int]) -> Values:
    """Do the same to values of any range, neither rounded nor clipped."""
    return _both_ways(values, size, _as_they_are)


def _both_ways(values: Values, size: tuple[int, int], finish: Callable[[Values], Values]) -> Values:
    """Resize along the direction that shrinks most first, as MATLAB does; rows before columns."""
    scales = {0: size[1] / values.shape[0], 1: size[0] / values.shape[1]}
    for axis in sorted(scales, key=lambda axis: (scales[axis], axis)):
        values = finish(_along(values, axis, size[1 - axis]))
    return values


def _along(values: Values, axis: int, length: int) -> Values:
    lines = np.moveaxis(values, axis, 0)
    mixed = _weights(lines.shape[0], length) @ lines.reshape(lines.shape[0], -1)
    return np.moveaxis(mixed.reshape(length, *lines.shape[1:]), 0, axis)


@lru_cache(maxsize=16)
def _weights(before: int, after: int) -> sparse.csr_array:
    """Share of each old pixel in each new one, shape ``(after, before)``; rows sum to 1."""
    scale = after / before
    shrink = min(scale, 1.0)
    reach = 4 / shrink
    centres = (np.arange(after) + 0.5) / scale - 0.5
    left = np.floor(centres - reach / 2)
    taps = left[:, None] + np.arange(ceil(reach) + 2)
    weights = cubic(shrink * (centres[:, None] - taps))
    weights /= weights.sum(axis=1, keepdims=True)
    columns = np.clip(taps.astype(np.int64), 0, before - 1)
    rows = np.broadcast_to(np.arange(after)[:, None], columns.shape)
    parts = (weights.ravel().astype(np.float32), (rows.ravel(), columns.ravel()))
    return sparse.csr_array(parts, shape=(after, before))


def cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the cubic convolution kernel of Keys (1981), a = −0.5, at distances in pixels."""
    far = np.abs(x)
    inner = 1.5 * far**3 - 2.5 * far**2 + 1
    outer = -0.5 * far**3 + 2.5 * far**2 - 4 * far + 2
    return np.where(far <= 1, inner, np.where(far <= 2, outer, 0.0))


def _rounded(values: Values) -> Values:
    """Round half up, which is what MATLAB does to values that are not negative."""
    rounded: Values = np.floor(np.clip(values, 0, 255) + np.float32(0.5))
    return rounded


def _as_they_are(values: Values) -> Values:
    return values
