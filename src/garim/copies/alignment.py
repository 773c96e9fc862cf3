"""Lay a picture over another and compare their details.

The two are aligned by an affine map that raises the correlation of their grey values (ECC:
Evangelidis & Psarakis 2008), from where the candidate says they meet. Then small blocks are
compared one by one, each without its brightness and contrast, over the part of the picture that
has any structure: copies agree in most blocks, two garments on white in few.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from garim.pictures import Pixels

SIDE = 192
"""Side of the squares that pictures are squeezed to, in pixels."""

MIN_SIMILARITY = 0.75
"""Least similarity of copies. Of 600 pairs of different photos with like layouts none was above
0.64; benchmarks/audit_duplicates.py tells how many copies are."""

MIN_MEAN = 0.7
"""Least agreement of all blocks together: one wallpaper behind two things is no copy."""

MAX_COLOUR = 28.0
"""Largest difference of colour (0 to 255), once brightness is evened out: one garment in two
colours is two pictures."""

_FINE, _BLOCKS = 96, 12
_ROUGH_BLOCKS = 8
_ROUGH_SIMILARITY = 0.45
"""Least similarity of the thumbnails; a fifth of the pairs of different photos are above."""
_RIM = 0.1
"""Share of each side of the part that takes no part in the alignment: a border, or the black
corners of a turned picture, would pull it."""
_TEXTURE = 2.5
"""Standard deviation of a block's grey values from which it says something."""
_STRETCH = 1.2
"""Most by which the map may change the candidate's width, height or their ratio."""

_EDGE = 24.0
"""Sobel gradient of grey values from which there is something to be seen."""
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

Grey = NDArray[np.uint8]
Floats = NDArray[np.float32]
Window = tuple[float, float, float, float]
Affine = NDArray[np.float64]
"""Map of shape ``(2, 3)`` between pictures whose sides are both 1."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """How one picture lies on another."""

    similarity: float
    """How well their details agree where they agree most, at most 1."""
    mean: float
    """How well they agree on the whole."""
    share: float
    """Area of the second that the first covers."""
    angle: float
    """Turn in degrees."""
    gain: float
    """Contrast of the first, as a multiple of the second's."""


Shapes = tuple[tuple[int, int], tuple[int, int]]


def meet(part: Grey, whole: Grey, window: Window) -> Affine | None:
    """Lay one thumbnail over a window of another; None if they do not even roughly agree.

    Args:
        part: grey values, square.
        whole: grey values, square, of the same size.
        window: left, top, right, bottom as shares of the sides of ``whole``.
    """
    left, top, right, bottom = window
    start = np.array([[right - left, 0, left], [0, bottom - top, top]])
    found = _raised(part, whole, start, steps=40, blur=3)
    if found is None or not _is_plausible(found, start):
        return None
    onto, inside = _sampled(whole, found, len(part))
    blocks = (_in_blocks(one[..., None], _ROUGH_BLOCKS)[..., 0] for one in (part, onto, inside))
    first, second, seen = blocks
    kept = seen.min(axis=1) > 0
    alike = _agreement(first[kept].astype(np.float32), second[kept].astype(np.float32))
    return None if alike is not None and np.mean(alike) < _ROUGH_SIMILARITY else found


def align(part: Pixels, whole: Pixels, start: Affine, shapes: Shapes) -> Alignment | None:
    """Lay a picture over another and compare their details; None if they do not agree.

    Args:
        part: RGB square of `SIDE` pixels.
        whole: RGB square of `SIDE` pixels.
        start: where they meet roughly.
        shapes: width and height of each, in pixels, before they were squeezed.
    """
    refined = _raised(_grey(part), _grey(whole), start, steps=15, blur=3)
    is_better = refined is not None and _is_plausible(refined, start)
    found = refined if is_better and refined is not None else start
    compared = _compared(part, whole, found)
    if compared is None or compared.colour > MAX_COLOUR:
        return None
    if compared.similarity < MIN_SIMILARITY or compared.mean < MIN_MEAN:
        return None
    share = float(abs(np.linalg.det(found[:, :2])))
    return Alignment(compared.similarity, compared.mean, share, _angle(found, shapes),
                     compared.gain)  # fmt: skip


def _grey(pixels: Pixels) -> Grey:
    small = cv2.resize(pixels, (_FINE, _FINE), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _raised(part: Grey, whole: Grey, start: Affine, *, steps: int, blur: int) -> Affine | None:
    """Raise the correlation step by step; None where there is nothing to hold on to."""
    side = len(part)
    rim = round(_RIM * side)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, steps, 1e-5)
    moved = _in_pixels(start, side)
    moved[:, 2] += moved[:, :2] @ [rim, rim]
    inner = np.ascontiguousarray(part[rim:-rim, rim:-rim])
    no_mask: Any = None
    try:
        _, raised = cv2.findTransformECC(
            inner, whole, moved.astype(np.float32), cv2.MOTION_AFFINE, criteria, no_mask, blur
        )
    except cv2.error:  # it does not converge, or a picture is of one tone
        return None
    found = np.asarray(raised, dtype=np.float64)
    found[:, 2] -= found[:, :2] @ [rim, rim]
    return _in_shares(found, side)


def _in_pixels(share: Affine, side: int) -> Affine:
    """From sides of 1 to centres of pixels."""
    linear, offset = share[:, :2], share[:, 2]
    return np.column_stack([linear, side * offset + linear @ [0.5, 0.5] - 0.5])


def _in_shares(pixels: Affine, side: int) -> Affine:
    linear, offset = pixels[:, :2], pixels[:, 2]
    return np.column_stack([linear, (offset + 0.5 - linear @ [0.5, 0.5]) / side])


def _is_plausible(found: Affine, start: Affine) -> bool:
    """Tell whether the map is still near the candidate's: no flip, little shear and stretch."""
    if not np.isfinite(found).all():
        return False
    change = np.linalg.solve(start[:, :2], found[:, :2])
    sizes = np.linalg.svd(change, compute_uv=False)
    return bool(np.linalg.det(change) > 0 and sizes[0] < _STRETCH and sizes[1] > 1 / _STRETCH)


@dataclass(frozen=True, slots=True)
class _Compared:
    similarity: float
    mean: float
    colour: float
    gain: float


def _compared(part: Pixels, whole: Pixels, found: Affine) -> _Compared | None:
    """Compare two aligned pictures block by block, where there is structure."""
    left, top, right, bottom = _structured(part)
    shrink = np.array([[right - left, 0, left], [0, bottom - top, top]])
    offset = found[:, :2] @ shrink[:, 2] + found[:, 2]
    first, _ = _sampled(part, shrink, _FINE)
    second, inside = _sampled(whole, np.column_stack([found[:, :2] @ shrink[:, :2], offset]), _FINE)
    seen = _in_blocks(inside[..., None], _BLOCKS)[..., 0].min(axis=1) > 0
    if seen.sum() < _BLOCKS * _BLOCKS / 4:
        return None
    one, other = (_in_blocks(p, _BLOCKS)[seen].astype(np.float32) for p in (first, second))
    grey, other_grey = one @ _LUMA, other @ _LUMA
    agreement = _agreement(grey, other_grey)
    if agreement is None:
        return None
    gain = float(grey.std() / max(float(other_grey.std()), 1e-3))
    return _Compared(sum(agreement) / 2, agreement[1], _colour_difference(one, other), gain)


def _agreement(one: Floats, other: Floats) -> tuple[float, float] | None:
    """Correlate blocks of grey values, shape ``(blocks, pixels)``, that hold any structure.

    Returns:
        What 60 % of the blocks reach (a watermark may cover some), and the mean; None where there
        is no structure.
    """
    one, other = (grey - grey.mean(axis=1, keepdims=True) for grey in (one, other))
    spread = np.stack([one.std(axis=1), other.std(axis=1)])
    told = spread.max(axis=0) > _TEXTURE
    if told.sum() < 4:
        return None
    alike = (one * other).mean(axis=1)[told] / np.maximum(spread.prod(axis=0)[told], 1e-3)
    weight = np.minimum(spread.max(axis=0)[told], 15)
    return float(np.quantile(alike, 0.4)), float(np.average(alike, weights=weight))


def _colour_difference(first: Floats, second: Floats) -> float:
    """How far the colours of most blocks are apart, once the brightness is evened out."""
    one, other = first.mean(axis=1), second.mean(axis=1)
    other = other * (one.mean() / max(float(other.mean()), 1.0))
    chroma = np.abs((one - one.mean(axis=1, keepdims=True))
                    - (other - other.mean(axis=1, keepdims=True))).max(axis=1)  # fmt: skip
    return float(np.quantile(chroma, 0.7))


def _structured(pixels: Pixels) -> Window:
    """Give the part of a picture that holds what is to be seen, as shares of the sides."""
    grey = _grey(pixels).astype(np.float32)
    edges = cv2.Sobel(grey, cv2.CV_32F, 1, 0) ** 2 + cv2.Sobel(grey, cv2.CV_32F, 0, 1) ** 2
    ends = []
    for profile in (edges.max(axis=0), edges.max(axis=1)):
        there = np.flatnonzero(profile > _EDGE**2)
        first, last = (there[0], there[-1] + 1) if len(there) else (0, _FINE)
        ends.append((max(first - 3, 0) / _FINE, min(last + 3, _FINE) / _FINE))
    (left, right), (top, bottom) = ends
    return left, top, right, bottom


def _sampled(pixels: Pixels, place: Affine, side: int) -> tuple[Pixels, NDArray[np.uint8]]:
    """Sample ``side × side`` pixels of a part of a picture, and say which lie inside it."""
    scale = len(pixels) / side
    onto = np.column_stack([place[:, :2], len(pixels) * place[:, 2]])
    onto[:, :2] *= scale
    onto[:, 2] += onto[:, :2] @ [0.5, 0.5] - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    softened = cv2.blur(pixels, (2, 2)) if np.linalg.det(onto[:, :2]) > 2.5 else pixels
    taken = cv2.warpAffine(softened, onto, (side, side), flags=flags)
    ones = np.full(pixels.shape[:2], 255, np.uint8)
    inside = cv2.warpAffine(ones, onto, (side, side), flags=flags)
    return np.asarray(taken), np.asarray(inside == 255, dtype=np.uint8)


def _in_blocks(pixels: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Cut ``(side, side, channels)`` into ``(blocks, pixels, channels)``."""
    each = len(pixels) // count
    cut = pixels.reshape(count, each, count, each, -1).swapaxes(1, 2)
    return cut.reshape(count * count, each * each, -1)


def _angle(found: Affine, shapes: Shapes) -> float:
    """Turn between the two pictures as they were before they were squeezed, in degrees."""
    (width, height), (whole_width, whole_height) = shapes
    linear = np.diag([whole_width, whole_height]) @ found[:, :2] @ np.diag([1 / width, 1 / height])
    return math.degrees(math.atan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1]))
