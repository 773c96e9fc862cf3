"""Pairs of fingerprints that may be copies: much alike as a whole, turned, mirrored or in part.

A picture's *layout* is its thumbnail in 8 × 8 cells, brightness and contrast taken out. Each
picture asks with the layouts of its eight turns and mirror images, and of windows in it, for the
nearest layouts of whole pictures. Past some thousand pictures, it is compared only with those that
are nearest to the same pivots (an inverted file: Sivic & Zisserman 2003), so that the work grows
with the pictures and not with their pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from garim.copies.fingerprints import SIDE
from garim.copies.prints import Prints

CELLS = 8
"""Cells per side of a layout."""

MIN_CORRELATION = 0.8
"""Least correlation of two layouts. Of true copies of 150 photos, 99 of 100 were above."""

NEAREST = 3
"""Candidates that each picture names as a whole, and in part."""

WINDOWS = {0.95: 3, 0.88: 3, 0.8: 5, 0.7: 5}
"""Sides of the windows, as shares of the picture's, and how many stand side by side."""

TURNS = 8
"""Turn ``t`` is ``t % 4`` quarter turns against the clock, of the mirror image from 4 on."""

_BLOCK, _MOST = 256, 2048
"""Pictures that ask together: the more lists there are, the more, so that some ask in each."""
_LIST = 4096
"""Layouts that are compared with each other whatever they are; more are put into lists."""
_PROBES = {True: 4, False: 2}
"""Lists that each view of a whole picture looks into, and each window."""
_SCORES = 1 << 22
"""Correlations that are held at once."""

Floats = NDArray[np.float32]
T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Picture ``part``, turned, resembles a window of picture ``whole``."""

    whole: int
    part: int
    turn: int
    window: tuple[float, float, float, float]
    """Left, top, right, bottom as shares of the sides of ``whole``."""
    correlation: float


@cache
def _windows() -> list[tuple[float, float, float, float]]:
    found = []
    for side, count in WINDOWS.items():
        starts = np.linspace(0, 1 - side, count).tolist()
        found += [(x, y, x + side, y + side) for x in starts for y in starts]
    return found


def candidates(prints: Prints, numbers: NDArray[np.int64]) -> list[Candidate]:
    """List pairs that are worth a closer look, each once per way of being alike, best first.

    Args:
        prints: fingerprints of all pictures.
        numbers: those that are looked at, ascending.
    """
    if len(numbers) < 2:
        return []
    # Half as many bits: they are what a large dataset takes of the memory, and tell it as well.
    layouts = np.empty((len(numbers), CELLS * CELLS), np.float16)
    for place, part in zip(_parts(layouts, _BLOCK), _parts(numbers, _BLOCK), strict=True):
        place[:] = _layouts(prints.thumbnails(part), _whole())
    index = _Index(layouts)
    best: dict[tuple[int, int, bool], Candidate] = {}
    at_once = int(np.clip(4 * len(index.lists), _BLOCK, _MOST))
    for at, part in enumerate(_parts(numbers, at_once)):
        for found in _asked(prints.thumbnails(part), at * at_once, index, numbers):
            one, other = sorted((found.whole, found.part))
            key = one, other, found.window == WHOLE
            if key not in best or found.correlation > best[key].correlation:
                best[key] = found
    return sorted(best.values(), key=lambda found: -found.correlation)


WHOLE = (0.0, 0.0, 1.0, 1.0)


def _parts(values: NDArray[T], size: int) -> Iterator[NDArray[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _asked(
    thumbnails: NDArray[np.uint8], start: int, index: _Index, numbers: NDArray[np.int64]
) -> Iterator[Candidate]:
    """Ask with all views of a block of pictures: as a whole, and in part."""
    whole = _layouts(thumbnails, _whole()).reshape(-1, CELLS, CELLS)
    turned = np.stack([_turned(whole, turn) for turn in range(TURNS)], axis=1)
    inside = _layouts(thumbnails, _all_windows())
    for views, is_whole in ((turned.reshape(len(whole), TURNS, -1), True), (inside, False)):
        near, correlation, view = index.nearest(views, start, _PROBES[is_whole])
        for row, rank in np.argwhere(correlation >= MIN_CORRELATION):
            seen = int(view[row, rank])
            yield Candidate(
                whole=int(numbers[start + row]),
                part=int(numbers[near[row, rank]]),
                turn=_INVERSE[seen] if is_whole else 0,
                window=WHOLE if is_whole else _windows()[seen],
                correlation=float(correlation[row, rank]),
            )


_INVERSE = (0, 3, 2, 1, 4, 5, 6, 7)
"""Turn that takes a turn back: a mirror image is its own."""


def turned(pixels: NDArray[np.uint8], turn: int) -> NDArray[np.uint8]:
    """Turn a picture ``(height, width, …)`` by the number of a turn."""
    mirrored = pixels[:, ::-1] if turn >= 4 else pixels
    return np.ascontiguousarray(np.rot90(mirrored, turn % 4))


def _turned(layouts: Floats, turn: int) -> Floats:
    mirrored = layouts[:, :, ::-1] if turn >= 4 else layouts
    return np.rot90(mirrored, turn % 4, axes=(1, 2))


class _Index:
    """Layouts of whole pictures, ready to be asked for the nearest."""

    def __init__(self, layouts: NDArray[np.float16]) -> None:
        self.layouts = layouts
        count = 8 * len(layouts) // _LIST if len(layouts) > 2 * _LIST else 1
        count = min(count, len(layouts))
        drawn = np.random.default_rng(0).choice(len(layouts), count, replace=False)
        self.pivots = layouts[drawn].astype(np.float32)
        self.lists = _members(self._near(layouts, 1)[:, 0], count)

    def nearest(
        self, views: Floats, start: int, probes: int
    ) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
        """Find the nearest other pictures of each of ``(n, views, cells)``: ``(n, NEAREST)`` each.

        Args:
            views: of some pictures.
            start: number of the first of them.
            probes: lists that each view looks into.

        Returns:
            Their numbers, the correlations, and the views that resemble them.
        """
        near = np.zeros((len(views), NEAREST), np.int64)
        best = np.full((len(views), NEAREST), -1, np.float32)
        flat = views.reshape(-1, views.shape[2])
        probed = self._near(flat, probes)
        asking = [one // probed.shape[1] for one in _members(probed.ravel(), len(self.lists))]
        for members, asked in zip(self.lists, asking, strict=True):
            if not len(members):  # two pivots alike
                continue
            numbers = asked // views.shape[1] + start
            for part in _whole_runs(numbers, max(views.shape[1], _SCORES // len(members))):
                pictures, scores = self._alike(flat[asked[part]], numbers[part], members)
                rows = pictures - start
                best[rows], near[rows] = _merged(best[rows], near[rows], scores, members)
        alike = np.einsum("nvc,nkc->nvk", views, self.layouts[near].astype(np.float32))
        return near, best, alike.argmax(axis=1)

    def _near(self, layouts: NDArray[Any], count: int) -> NDArray[np.int64]:
        """Give the numbers of the nearest pivots of each layout, ``(n, count)``."""
        found = np.zeros((len(layouts), min(count, len(self.pivots))), np.int64)
        for place, part in zip(_parts(found, _LIST), _parts(layouts, _LIST), strict=True):
            alike = part.astype(np.float32) @ self.pivots.T
            for rank in range(found.shape[1]):
                place[:, rank] = alike.argmax(axis=1)
                alike[np.arange(len(part)), place[:, rank]] = -2
        return found

    def _alike(
        self, views: Floats, numbers: NDArray[np.int64], members: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], Floats]:
        """Correlate views with all members of a list.

        Args:
            views: shape ``(n, cells)``.
            numbers: the pictures that they are of, ascending.
            members: of the list, ascending.

        Returns:
            The pictures of which a view resembles any member but itself, and their highest
            correlations with each, ``(pictures, members)``.
        """
        scores = views @ np.ascontiguousarray(self.layouts[members].T, np.float32)
        own = np.minimum(np.searchsorted(members, numbers), len(members) - 1)
        itself = np.flatnonzero(members[own] == numbers)
        scores[itself, own[itself]] = -1
        seen = np.flatnonzero(scores.max(axis=1) >= MIN_CORRELATION)
        return _highest(scores[seen], numbers[seen])


def _highest(scores: Floats, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats]:
    """Give each number once, and the highest scores of its rows; the numbers are ascending."""
    once, first, counts = np.unique(numbers, return_index=True, return_counts=True)
    best = scores[first]
    for later in range(1, counts.max(initial=0)):  # much faster than np.maximum.reduceat
        rows = np.flatnonzero(counts > later)
        best[rows] = np.maximum(best[rows], scores[first[rows] + later])
    return once, best


def _members(numbers: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    """Give the places, ascending, at which each of ``count`` numbers stands."""
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.searchsorted(numbers[order], np.arange(1, count)))


def _whole_runs(numbers: NDArray[np.int64], most: int) -> Iterator[slice]:
    """Cut ascending numbers in parts of at most so many, between one number and the next."""
    start = 0
    while start < len(numbers):
        end = start + most
        if end < len(numbers):
            end = int(np.searchsorted(numbers, numbers[end]))
        yield slice(start, end)
        start = end


def _merged(
    best: Floats, near: NDArray[np.int64], scores: Floats, members: NDArray[np.int64]
) -> tuple[Floats, NDArray[np.int64]]:
    """Keep the nearest of those known and those of one more list."""
    row = np.arange(len(best))[:, None]
    kept = min(NEAREST, scores.shape[1])
    chosen = np.argpartition(-scores, kept - 1, axis=1)[:, :kept]
    correlation = np.concatenate([best, scores[row, chosen]], axis=1)
    numbers = np.concatenate([near, members[chosen]], axis=1)
    order = np.argsort(-correlation, axis=1, kind="stable")[:, :NEAREST]
    return correlation[row, order], numbers[row, order]


def _layouts(thumbnails: NDArray[np.uint8], operator: Floats) -> Floats:
    """Bring thumbnails ``(n, 1024)`` to normalised layouts ``(n, [views,] cells)``."""
    values = thumbnails.astype(np.float32) @ operator
    cells = values.reshape(len(thumbnails), -1, CELLS * CELLS)
    cells -= cells.mean(axis=2, keepdims=True)
    length = np.sqrt(np.einsum("nvc,nvc->nv", cells, cells))  # as a norm, with no second array
    cells /= np.maximum(length, 1e-6)[:, :, None]
    return cells[:, 0] if cells.shape[1] == 1 else cells


@cache
def _whole() -> Floats:
    return _averaging(WHOLE)


@cache
def _all_windows() -> Floats:
    return np.concatenate([_averaging(window) for window in _windows()], axis=1)


def _averaging(window: tuple[float, float, float, float]) -> Floats:
    """Matrix ``(1024, 64)`` that averages a window of a thumbnail in cells."""
    left, top, right, bottom = (share * SIDE for share in window)
    across, down = _overlaps(left, right), _overlaps(top, bottom)
    product = np.einsum("yp,xq->pqyx", down, across)
    return np.ascontiguousarray(product.reshape(SIDE * SIDE, -1), dtype=np.float32)


def _overlaps(start: float, end: float) -> NDArray[np.float64]:
    """Share of each cell between ``start`` and ``end`` that lies in each pixel."""
    edges = np.linspace(start, end, CELLS + 1)
    pixels = np.arange(SIDE)
    inner = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    shares = np.clip(inner, 0, None)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))
