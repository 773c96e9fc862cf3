"""The plain values of a plan's lines, checked as they are read."""

from __future__ import annotations

from math import isfinite
from typing import Any

from garim.boxes import Box
from garim.errors import printable
from garim.pictures import MAX_SIDE


def text(name: str, value: Any) -> str:
    """Check a text of a plan; a TypeError or ValueError says what is wrong."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be text, not {value!r:.80}")
    if "\0" in value or printable(value) != value:
        raise ValueError(f"{name} must be Unicode text without null, not {value!r:.80}")
    return value


def number(name: str, value: Any) -> float:
    """Check a number of a plan; a TypeError says what is wrong."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise TypeError(f"{name} must be a finite number, not {value!r:.80}")
    return float(value)


def whole(name: str, value: Any) -> int:
    """Check a whole number of a plan; a TypeError says what is wrong."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {value!r:.80}")
    return value


def flag(name: str, value: Any) -> bool:
    """Check a yes or no of a plan; a TypeError says what is wrong."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be true or false, not {value!r:.80}")
    return value


def box(name: str, value: Any) -> Box:
    """Read a box of a plan; a TypeError or ValueError says what is wrong."""
    if not isinstance(value, list) or len(value) != 4:
        raise TypeError(f"{name} must be [x, y, width, height], not {value!r:.80}")
    return Box.from_xywh([number(name, one) for one in value])


def size(name: str, value: Any) -> tuple[int, int]:
    """Read the size of a picture; a TypeError says what is wrong."""
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(isinstance(one, int) and 0 < one <= MAX_SIDE for one in value)
    ):
        raise TypeError(f"{name} must be [width, height] in pixels, not {value!r:.80}")
    return value[0], value[1]
