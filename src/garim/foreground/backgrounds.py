"""What is put behind a cut-out object: nothing, a colour, a picture, or its own blurred."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageOps

from garim import pictures
from garim.errors import SettingsError
from garim.foreground.guided import Alpha
from garim.foreground.settings import CutoutSettings
from garim.pictures import Pixels

Background = Callable[[Pixels, Pixels, Alpha], Image.Image]
"""Makes the new picture from the old one, the colours of its foreground, and the matte."""

BLURRED_AT = 400
"""Longest side in pixels at which a background is blurred; a blur hides that it was small."""


def background_of(settings: CutoutSettings) -> Background:
    """Find what a background's name means.

    Raises:
        SettingsError: no colour, no file.
        PictureError: the file is no picture.
    """
    name = settings.background
    if name == "transparent":
        return transparent
    if name == "blur":
        return lambda old, front, alpha: over(front, alpha, blurred(old, alpha, settings.blur))
    try:
        red, green, blue = ImageColor.getcolor(name, "RGB")  # type: ignore[misc]
    except ValueError:
        return _picture(Path(name))
    plain = np.array([red, green, blue], np.uint8)
    return lambda old, front, alpha: over(front, alpha, np.broadcast_to(plain, old.shape))


def _picture(path: Path) -> Background:
    if not path.is_file():
        raise SettingsError([
            f"{path}: is neither transparent, blur, a colour such as white or #ff8800, "
            "nor the file of a picture"
        ])  # fmt: skip
    behind = pictures.open_picture(path).image
    return lambda old, front, alpha: over(
        front, alpha, pictures.to_array(ImageOps.fit(behind, (old.shape[1], old.shape[0])))
    )


def transparent(old: Pixels, front: Pixels, alpha: Alpha) -> Image.Image:
    """Give RGBA."""
    opacity = np.round(alpha * 255).astype(np.uint8)
    return Image.fromarray(np.dstack([front, opacity]), "RGBA")


def over(front: Pixels, alpha: Alpha, behind: NDArray[np.uint8]) -> Image.Image:
    """Lay the foreground over a background of the same size."""
    mixed = behind + alpha[..., None] * (front.astype(np.float32) - behind)
    return Image.fromarray(np.round(mixed).astype(np.uint8))


def blurred(old: Pixels, alpha: Alpha, amount: float) -> Pixels:
    """Blur the background alone: the object's colours do not leak into it.

    Args:
        old: the picture.
        alpha: its matte.
        amount: standard deviation of the Gaussian as a share of the longest side.
    """
    height, width = alpha.shape
    scale = min(BLURRED_AT / max(height, width), 1.0)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    sigma = max(amount * max(size), 0.3)
    share = 1 - alpha[..., None]
    weighed = np.dstack([old * share, share]).astype(np.float32)
    small = cv2.GaussianBlur(cv2.resize(weighed, size, interpolation=cv2.INTER_AREA), (0, 0), sigma)
    wide = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    colours = wide[..., :3] / np.maximum(wide[..., 3:], 1e-3)
    return np.clip(np.round(colours), 0, 255).astype(np.uint8)
