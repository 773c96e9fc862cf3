"""What colour the foreground has where it shines through: without the background's.

At a soft edge a pixel is a mixture, ``I = αF + (1 − α)B``. Laid over another background it would
bring the old one along as a fringe.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from garim.foreground.guided import Alpha
from garim.pictures import Pixels

WIDE, NARROW = 45, 3
"""Radii of the two passes in pixels, as in the paper (windows of 90 and 6)."""
BAND = 1024
"""Rows of the result that are computed at once."""

Colours = NDArray[np.float32]


def foreground_colours(pixels: Pixels, alpha: Alpha) -> Pixels:
    """Estimate the colours of the foreground: blur fusion (Forte 2021), two passes.

    Foreground and background are averaged around each pixel, weighted by how much of each there
    is, and corrected so that they mix to the picture again.

    Args:
        pixels: RGB, uint8 ``(h, w, 3)``.
        alpha: opacity, float32 ``(h, w)``.

    Returns:
        RGB, uint8; the picture's own colours where it is wholly foreground.
    """
    if not ((alpha > 0) & (alpha < 1)).any():
        return pixels
    reach = WIDE + NARROW
    bands = []
    for top in range(0, len(pixels), BAND):
        first = max(top - reach, 0)
        part = slice(first, top + BAND + reach)
        found = _estimated(
            pixels[part].astype(np.float32) / np.float32(255), alpha[part][..., None]
        )
        bands.append(found[top - first : top - first + BAND])
    return np.concatenate(bands)


def _estimated(picture: Colours, alpha: Colours) -> Pixels:
    front, back = _pass(picture, picture, picture, alpha, WIDE)
    front, _ = _pass(picture, front, back, alpha, NARROW)
    return np.round(front * 255).astype(np.uint8)


def _pass(
    picture: Colours, front: Colours, back: Colours, alpha: Colours, radius: int
) -> tuple[Colours, Colours]:
    def mean(values: Colours) -> Colours:
        found = cv2.blur(values, (2 * radius + 1,) * 2, borderType=cv2.BORDER_REFLECT)
        return np.asarray(found, dtype=np.float32).reshape(values.shape)

    share = mean(alpha)
    front = mean(front * alpha) / (share + 1e-5)
    back = mean(back * (1 - alpha)) / (1 - share + 1e-5)
    rest = picture - alpha * front - (1 - alpha) * back
    return np.clip(front + alpha * rest, 0, 1), back
