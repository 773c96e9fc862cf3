"""``garim.foreground.foreground``: what of a picture is its object, and what is background.

To add a method: a function from its settings to a ``Matter``, and a line in ``METHODS``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np

from garim.foreground.classical import by_contrast
from garim.foreground.guided import Alpha, fitted
from garim.foreground.networks import BySegmenter, Matting, Onnx
from garim.foreground.settings import ForegroundSettings
from garim.pictures import Pixels

Matter = Callable[[Pixels], Alpha]
"""Gives the matte of a picture, RGB uint8 ``(h, w, 3)``, at the picture's own size."""

METHODS: dict[str, Callable[[ForegroundSettings], Matter]] = {
    "classical": by_contrast,  # what stands out from the border, cut out by GrabCut; no weights
    "matting": Matting,  # rembg's networks
    "model": BySegmenter,  # a Garim segmenter: whatever is not its background
    "onnx": Onnx,  # any network that gives one map
}
"""Every way to find the foreground by its name."""


def foreground(pixels: Pixels, settings: ForegroundSettings | None = None) -> Alpha:
    """Say how much of each pixel is foreground.

    Args:
        pixels: RGB, uint8 ``(h, w, 3)``.
        settings: method, weights, working size, softness.

    Returns:
        Opacity, float32 ``(h, w)``, 0 (background) to 1 (foreground).

    Raises:
        SettingsError: settings that cannot work, or a package that is not installed.
        ModelError: weights that cannot be used.
    """
    chosen = settings or ForegroundSettings()
    matter = _prepared(chosen)
    small = _shrunk(pixels, chosen.longest)
    radius = round(chosen.softness * max(small.shape[:2]))
    return fitted(matter(small), small, pixels, radius)


@lru_cache(maxsize=4)
def _prepared(settings: ForegroundSettings) -> Matter:
    """Set a method up once, however many pictures it gets."""
    settings.check(tuple(METHODS))
    return METHODS[settings.method](settings)


def _shrunk(pixels: Pixels, longest: int) -> Pixels:
    height, width = pixels.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(pixels)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
