"""Box arithmetic: one value type for a box, and NumPy functions over many.

Coordinates are absolute pixels of the upright picture, x to the right and y down, the right and
bottom edges exclusive: a box that covers a whole ``w × h`` picture is ``Box(0, 0, w, h)``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DECIMALS = 4
"""Coordinates are kept to a ten-thousandth of a pixel, so that corner, width/height and relative
forms turn into each other and back without a change."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """A rectangle given by its corners, in pixels; may be degenerate (no area) but is finite.

    >>> Box.from_xywh([10, 20, 30, 40])
    Box(left=10.0, top=20.0, right=40.0, bottom=60.0)
    """

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        for name in ("left", "top", "right", "bottom"):
            value = _number(getattr(self, name))
            if not math.isfinite(value):
                raise ValueError(f"a box needs finite numbers, but {name} is {value}")
            object.__setattr__(self, name, round(value, DECIMALS) + 0.0)  # no -0.0

    @classmethod
    def from_xywh(cls, xywh: Sequence[float]) -> Box:
        """Build a box from ``[x, y, width, height]`` (COCO's order)."""
        x, y, width, height = map(_number, xywh)
        return cls(x, y, x + width, y + height)

    @classmethod
    def whole(cls, width: float, height: float) -> Box:
        """Give the box that covers a whole ``width × height`` picture."""
        return cls(0, 0, width, height)

    @property
    def width(self) -> float:
        """Width in pixels; negative when the corners are swapped."""
        return round(self.right - self.left, DECIMALS)

    @property
    def height(self) -> float:
        """Height in pixels; negative when the corners are swapped."""
        return round(self.bottom - self.top, DECIMALS)

    @property
    def area(self) -> float:
        """Area in square pixels; 0 for a degenerate box."""
        return max(self.width, 0.0) * max(self.height, 0.0)

    @property
    def is_degenerate(self) -> bool:
        """Whether the box has no area."""
        return self.width <= 0 or self.height <= 0

    def xyxy(self) -> tuple[float, float, float, float]:
        """Give ``(left, top, right, bottom)``."""
        return self.left, self.top, self.right, self.bottom

    def xywh(self) -> list[float]:
        """Give ``[x, y, width, height]`` (COCO's order), whole numbers without a fraction."""
        return [_plain(v) for v in (self.left, self.top, self.width, self.height)]

    def clip(self, width: float, height: float) -> Box:
        """Cut the box to a ``width × height`` picture."""
        left, right = (min(max(v, 0.0), width) for v in (self.left, self.right))
        top, bottom = (min(max(v, 0.0), height) for v in (self.top, self.bottom))
        return Box(left, top, right, bottom)

    def shift(self, dx: float, dy: float) -> Box:
        """Move the box by ``dx, dy`` pixels."""
        return Box(self.left + dx, self.top + dy, self.right + dx, self.bottom + dy)

    def scale(self, sx: float, sy: float) -> Box:
        """Multiply x by ``sx`` and y by ``sy``, as when the picture is resized."""
        return Box(self.left * sx, self.top * sy, self.right * sx, self.bottom * sy)

    def rounded(self) -> Box:
        """Snap to whole pixels, outward never more than half a pixel."""
        return Box(*(float(round(v)) for v in self.xyxy()))


def _number(value: float) -> float:
    """Give a number of a box; an integer beyond all floats is a ValueError like every other."""
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError(f"a box needs finite numbers, not {value!s:.20}…") from error


def _plain(value: float) -> float:
    return int(value) if value == int(value) else value


def to_array(boxes: Iterable[Box]) -> Floats:
    """Stack boxes to an array of shape ``(n, 4)``, columns left, top, right, bottom."""
    return np.array([box.xyxy() for box in boxes], dtype=np.float64).reshape(-1, 4)


def areas(boxes: Floats) -> Floats:
    """Areas of ``(n, 4)`` boxes, shape ``(n,)``, in square pixels."""
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    return np.asarray(sides[:, 0] * sides[:, 1])


def intersections(first: Floats, second: Floats) -> Floats:
    """Areas shared by each of ``(n, 4)`` and each of ``(m, 4)`` boxes, shape ``(n, m)``."""
    return _shared(first, second, 0) * _shared(first, second, 1)


def _shared(first: Floats, second: Floats, axis: int) -> Floats:
    """Give the length that boxes share along x (0) or y (1); each array is whole, hence fast."""
    ends = np.minimum.outer(first[:, axis + 2], second[:, axis + 2])
    ends -= np.maximum.outer(first[:, axis], second[:, axis])
    return np.asarray(np.maximum(ends, 0, out=ends))


def iou(first: Floats, second: Floats) -> Floats:
    """Intersection over union of each of ``(n, 4)`` and each of ``(m, 4)`` boxes, ``(n, m)``.

    Equal to ``torchvision.ops.box_iou``, except that two boxes without area give 0, not NaN.
    """
    shared = intersections(first, second)
    union = areas(first)[:, None] + areas(second)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def union_area(boxes: Sequence[Box]) -> float:
    """Area covered by at least one of the boxes (overlaps counted once), in square pixels.

    >>> union_area([Box(0, 0, 2, 2), Box(1, 1, 3, 3)])
    7.0
    """
    return float(covered(boxes, [])[0])


def covered(first: Sequence[Box], second: Sequence[Box]) -> tuple[float, float]:
    """Areas covered by ``first``, and by ``second`` but not by ``first``, in square pixels.

    Exact: the plane is cut along every edge (coordinate compression), and each cell is counted
    once.
    """
    boxes = to_array([*first, *second])
    if not len(boxes):
        return 0.0, 0.0
    xs, ys = np.unique(boxes[:, [0, 2]]), np.unique(boxes[:, [1, 3]])
    cells = np.outer(np.diff(ys), np.diff(xs))
    mask_first, mask_second = (_cells_inside(part, xs, ys) for part in (first, second))
    return float(cells[mask_first].sum()), float(cells[mask_second & ~mask_first].sum())


def _cells_inside(boxes: Sequence[Box], xs: Floats, ys: Floats) -> NDArray[np.bool_]:
    inside = np.zeros((max(len(ys) - 1, 0), max(len(xs) - 1, 0)), dtype=bool)
    for box in boxes:
        if not box.is_degenerate:
            left, right = np.searchsorted(xs, [box.left, box.right])
            top, bottom = np.searchsorted(ys, [box.top, box.bottom])
            inside[top:bottom, left:right] = True
    return inside
