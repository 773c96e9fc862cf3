"""Colours of classes in masks, and masks laid over pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from garim.pictures import Pixels

Mask = NDArray[np.uint8]
"""An index mask, shape ``(height, width)``: the class number of every pixel."""

Palette = tuple[tuple[int, int, int], ...]
"""A colour (red, green, blue, 0 to 255) for each class number."""

STRENGTH = 0.55
"""How much of an overlay is the class's colour; the rest is the picture."""


def voc_palette(classes: int) -> Palette:
    """Give the colours of the PASCAL VOC devkit; class 0 is black.

    >>> voc_palette(3)
    ((0, 0, 0), (128, 0, 0), (0, 128, 0))
    """
    return tuple(_voc_colour(number) for number in range(classes))


def _voc_colour(number: int) -> tuple[int, int, int]:
    red, green, blue = (
        sum((number >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(8))
        for channel in range(3)
    )
    return red, green, blue


def overlay(picture: Pixels, mask: Mask, palette: Palette) -> Pixels:
    """Lay the colours of a mask over a picture of its size; class 0 shows the picture itself."""
    colours = np.zeros((256, 3), np.float32)
    colours[: len(palette)] = palette
    mixed = picture * (1 - STRENGTH) + colours[mask] * STRENGTH
    seen = (mask > 0) & (mask < len(palette))
    return np.where(seen[..., None], mixed, picture).round().astype(np.uint8)
