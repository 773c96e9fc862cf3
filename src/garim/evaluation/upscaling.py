"""How good is an upscaler? PSNR and SSIM, as the super-resolution field measures them.

Each picture is shrunk as the upscaler's training pairs were, enlarged again by the upscaler and by
bicubic interpolation, and compared with the original on luminance (BT.601, 16 to 235, as MATLAB's
``rgb2ycbcr`` has it), without a border of as many pixels as the scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from garim.dataset import Dataset
from garim.errors import DatasetError, Failure, PictureError
from garim.models.upscaler import Upscaler
from garim.pictures import Pixels, open_picture, to_array
from garim.resizing import as_pixels, as_values, imresize
from garim.streaming import stream, track
from garim.training.degradation import Degradation, degrade

Plane = NDArray[np.float64]
"""Luminance, shape ``(height, width)``."""

EXAMPLES, EXAMPLE_SIDE = 12, 128
"""Pictures of which a part is kept to be looked at, and its longest side in pixels."""

FIGURES = ("psnr", "ssim", "bicubic_psnr", "bicubic_ssim")


@dataclass(frozen=True, slots=True)
class UpscaledPicture:
    """How well one picture was enlarged."""

    picture: str
    psnr: float
    """In dB; infinite where there is no difference."""
    ssim: float
    bicubic_psnr: float
    bicubic_ssim: float


@dataclass(frozen=True, slots=True)
class Example:
    """The middle of a picture, uint8 RGB: what went in, what came out, what it should be."""

    figures: UpscaledPicture
    small: Pixels
    bicubic: Pixels
    enlarged: Pixels
    target: Pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class UpscalingReport:
    """How good an upscaler is."""

    scale: int
    pictures: tuple[UpscaledPicture, ...]
    examples: tuple[Example, ...] = ()
    failures: tuple[Failure, ...] = ()

    def mean(self, name: str) -> float:
        """Give the mean of one of ``psnr``, ``ssim``, ``bicubic_psnr``, ``bicubic_ssim``."""
        return float(np.mean([getattr(one, name) for one in self.pictures]))

    def to_dict(self) -> dict[str, Any]:
        """Give the report as it stands in ``--json``."""
        return {
            **{name: round(self.mean(name), 4) for name in FIGURES},
            "scale": self.scale,
            "pictures": len(self.pictures),
            "failed": [failure.to_dict() for failure in self.failures],
        }


def luminance(pixels: Pixels) -> Plane:
    """Give the luminance of an RGB picture, 16 to 235, not rounded."""
    found: Plane = 16 + pixels.astype(np.float64) @ (np.array([65.481, 128.553, 24.966]) / 255)
    return found


def psnr(first: Plane, second: Plane) -> float:
    """Peak signal-to-noise ratio in dB of values up to 255; infinite for equal ones."""
    wrong = float(np.mean((first - second) ** 2))
    return float("inf") if wrong == 0 else 10 * float(np.log10(255**2 / wrong))


def ssim(first: Plane, second: Plane) -> float:
    """Structural similarity (Wang et al. 2004) of values up to 255: Gaussian window, σ = 1.5.

    Only where the window of 11 × 11 is inside; 1 for pictures too small for one such place that
    are equal, else the similarity of the whole.
    """
    one, other, both = (ndimage.gaussian_filter(v, 1.5, truncate=3.5) for v in
                        (first, second, first * second))  # fmt: skip
    squares = [ndimage.gaussian_filter(v * v, 1.5, truncate=3.5) for v in (first, second)]
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    spread = squares[0] - one**2 + squares[1] - other**2
    shared = both - one * other
    map_ = (2 * one * other + c1) * (2 * shared + c2) / ((one**2 + other**2 + c1) * (spread + c2))
    inside = map_[5:-5, 5:-5] if min(map_.shape) > 10 else map_
    return float(inside.mean())


def evaluate_upscaler(upscaler: Upscaler, data: Dataset) -> UpscalingReport:
    """Judge an upscaler on pictures; labels play no part.

    Raises:
        DatasetError: no picture can be judged.
    """
    how = _trained_for(upscaler)
    names = list(dict.fromkeys(row.file_name for row in data.rows))
    opened = stream(lambda name: _shrunk(data.root / name, upscaler.scale, how), names)
    judged: list[UpscaledPicture] = []
    examples: list[Example] = []
    failures: list[Failure] = []
    for name, result in track(opened, "Evaluating", len(names)):
        if isinstance(result, PictureError):
            failures.append(Failure(name, result.reason))
            continue
        small, target = result
        enlarged = as_pixels(upscaler.enlarge(as_values(small)))
        bicubic = imresize(small, (target.shape[1], target.shape[0]))
        judged.append(_judged(name, enlarged, bicubic, target, upscaler.scale))
        if len(examples) < EXAMPLES:
            examples.append(_example(judged[-1], (small, bicubic, enlarged, target)))
    if not judged:
        first = f"; the first: {failures[0].error}" if failures else ""
        raise DatasetError(f"{data.origin}: has no picture that can be judged{first}")
    return UpscalingReport(scale=upscaler.scale, pictures=tuple(judged),
                           examples=tuple(examples), failures=tuple(failures))  # fmt: skip


def _trained_for(upscaler: Upscaler) -> Degradation:
    """Say how small pictures come about, for this upscaler."""
    given = upscaler.card.trained.get("cutting", {}).get("degradation", {})
    return Degradation(blur=float(given.get("blur", 0)), noise=float(given.get("noise", 0)),
                       jpeg=given.get("jpeg"))  # fmt: skip


def _shrunk(path: Path, scale: int, how: Degradation) -> tuple[Pixels, Pixels]:
    """Open a picture, cut it to whole multiples of the scale, and shrink it."""
    pixels = to_array(open_picture(path).image)
    height, width = (side // scale for side in pixels.shape[:2])
    if min(height, width) < 2 + 2:
        raise PictureError(path, f"{pixels.shape[1]} × {pixels.shape[0]} pixels are too few")
    target = pixels[: scale * height, : scale * width]
    return degrade(target, (width, height), how, np.random.default_rng(0)), target


def _judged(
    name: str, enlarged: Pixels, bicubic: Pixels, target: Pixels, border: int
) -> UpscaledPicture:
    wanted, given, plain = (
        luminance(one)[border:-border, border:-border] for one in (target, enlarged, bicubic)
    )
    return UpscaledPicture(
        name, psnr(given, wanted), ssim(given, wanted), psnr(plain, wanted), ssim(plain, wanted)
    )


def _example(figures: UpscaledPicture, four: Sequence[Pixels]) -> Example:
    """Cut the middle out of the small picture and the three large ones."""
    small, *large = four
    scale = large[0].shape[0] // small.shape[0]
    height, width = (min(side, EXAMPLE_SIDE // scale) for side in small.shape[:2])
    top, left = (small.shape[0] - height) // 2, (small.shape[1] - width) // 2
    cut = small[top : top + height, left : left + width].copy()
    parts = [
        one[scale * top : scale * (top + height), scale * left : scale * (left + width)].copy()
        for one in large
    ]
    return Example(figures, cut, *parts)
