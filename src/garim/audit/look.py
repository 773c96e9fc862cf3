"""One decode of a picture, and all that the checks measure on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from garim import files, pictures
from garim.copies import Fingerprint, fingerprint_of
from garim.copies.fingerprints import DECODED
from garim.errors import PictureError
from garim.pictures import Pixels

_LARGEST = 2 * DECODED
"""Shorter side, in pixels, from which a picture is reduced before it is measured: the same
smallest scale for every format, as a JPEG's scaled decoding gives."""

_REBLUR = 11
"""Width of the second blur, in pixels (Crété-Roffet et al. 2007)."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was measured."""

    fingerprint: Fingerprint
    bytes: int
    """Size of the file."""
    mode: str
    """Pillow's name of the colour mode in the file."""
    bright_end: float
    """Grey value that 99 % of the pixels are below, 0 to 1."""
    dark_end: float
    """Grey value that 1 % of the pixels are below, 0 to 1."""
    sharpness: float
    """1 minus the blur effect, 0 to 1."""
    entropy: float
    """Entropy of the grey values, as a share of 8 bits."""
    square: Pixels | None = None
    """The picture as a network takes it, where one is asked."""


def look(path: Path, square: int | None = None) -> Look:
    """Decode a picture once and measure it.

    Args:
        path: the picture.
        square: side of the network's input in pixels, if it is wanted.

    Raises:
        PictureError: it cannot be opened.
    """
    decoded = pictures.open_picture(path, at_least=max(DECODED, square or 0))
    try:
        digest, size = files.digest(path), path.stat().st_size
    except OSError as error:
        raise PictureError(path, f"cannot be read: {error.strerror or error}") from error
    small = _reduced(decoded.image)
    grey = small.convert("L")
    shares = np.array(grey.histogram(), dtype=np.float64) / (grey.width * grey.height)
    below = np.cumsum(shares)
    return Look(
        fingerprint=fingerprint_of(small, digest, decoded.size),
        bytes=size,
        mode=decoded.mode,
        bright_end=float(np.searchsorted(below, 0.99)) / 255,
        dark_end=float(np.searchsorted(below, 0.01)) / 255,
        sharpness=1 - blur_effect(np.asarray(grey)),
        entropy=_entropy(shares),
        square=None if square is None else _squeezed(decoded.image, square),
    )


def _reduced(image: Image.Image) -> Image.Image:
    factor = min(image.size) // DECODED
    return image.reduce(factor) if min(image.size) >= _LARGEST and factor > 1 else image


def _squeezed(image: Image.Image, side: int) -> Pixels:
    return pictures.to_array(image.resize((side, side), Image.Resampling.BILINEAR))


def _entropy(shares: NDArray[np.float64]) -> float:
    there = shares[shares > 0]
    return float(-(there * np.log2(there)).sum()) / 8 + 0.0


def blur_effect(grey: NDArray[np.uint8]) -> float:
    """How blurred a picture is, 0 to 1: what of its edges a second blur takes away.

    Equal to ``skimage.measure.blur_effect`` with ``h_size=11`` (Crété-Roffet et al. 2007). A
    picture of one tone is fully blurred.
    """
    values = grey.astype(np.float32)
    return max(_blurred_along(values, axis) for axis in (0, 1))


def _blurred_along(values: NDArray[np.float32], axis: int) -> float:
    width = (_REBLUR, 1) if axis else (1, _REBLUR)
    reflected = cv2.BORDER_REFLECT
    again = cv2.blur(values, width, borderType=reflected)
    edges, left = (
        np.abs(cv2.Sobel(one, cv2.CV_32F, axis, 1 - axis, borderType=reflected))
        for one in (values, again)
    )
    kept = cv2.min(edges, left)[2:-1, 2:-1]
    whole = cv2.sumElems(edges[2:-1, 2:-1])[0]
    return cv2.sumElems(kept)[0] / whole if whole else 1.0
