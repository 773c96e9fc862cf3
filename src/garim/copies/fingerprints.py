"""What is remembered of a picture so that its copies can be found: a kilobyte each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from garim import files, pictures

SIDE = 32
"""Side of the thumbnail in pixels."""

DECODED = 96
"""Pixels a side that a picture must have when it is decoded for its fingerprint."""

FLAT = 1.0
"""Standard deviation of the grey values below which a picture is noise around one tone."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What two copies share."""

    digest: str
    """Name of the file's content."""
    size: tuple[int, int]
    """Width and height of the upright picture in pixels."""
    thumbnail: NDArray[np.uint8]
    """Grey values, shape ``(32, 32)``, the picture squeezed to a square."""
    tone: tuple[float, float, float]
    """Mean red, green and blue, 0 to 255."""
    colourfulness: float
    """Mean difference of a pixel's largest and smallest channel, 0 (grey) to 255."""

    @property
    def is_flat(self) -> bool:
        """Whether the picture is of one tone."""
        return float(self.thumbnail.std()) < FLAT


def fingerprint(path: Path) -> Fingerprint:
    """Fingerprint a picture.

    Raises:
        PictureError: it cannot be opened.
    """
    decoded = pictures.open_picture(path, at_least=DECODED)
    return fingerprint_of(decoded.image, files.digest(path), decoded.size)


def fingerprint_of(image: Image.Image, digest: str, size: tuple[int, int]) -> Fingerprint:
    """Fingerprint a picture that is decoded already.

    Args:
        image: RGB, perhaps decoded smaller.
        digest: name of the file's content.
        size: width and height of the full picture.
    """
    small = cv2.resize(np.asarray(image), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    red, green, blue = cv2.mean(small)[:3]
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    channels = cv2.split(small)
    most, least = (pick(pick(*channels[:2]), channels[2]) for pick in (cv2.max, cv2.min))
    colourfulness = cv2.mean(cv2.subtract(most, least))[0]
    return Fingerprint(digest, size, grey, (red, green, blue), colourfulness)
