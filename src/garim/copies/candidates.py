"""Pairs of fingerprints that may be copies: much alike as a whole, turned, mirrored or in part.

A picture's *layout* is its thumbnail in 8 × 8 cells, brightness and contrast taken out. Each
picture asks with the layouts of its eight turns and mirror images, and of windows in it, for the
nearest layouts of whole pictures. Past some thousand pictures, only those are compared that are
near to the same pivots (an inverted file: Sivic & Zisserman 2003), so that the work grows with the
pictures and not with their pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

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

_BLOCK = 256
"""Pictures that ask together, at least."""
_PER_LIST = 32
"""Pictures that ask in one list together, on average: fewer would be slow to ask."""
_LIST = 4096
"""Layouts that are compared with each other whatever they are; more are put into lists."""
_PROBES = 12

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
    layouts = np.empty((len(numbers), CELLS * CELLS), np.float32)
    for place, part in zip(_parts(layouts, _BLOCK), _parts(numbers, _BLOCK), strict=True):
        place[:] = _layouts(prints.thumbnails(part), _whole())
    index = _Index(layouts)
    best: dict[tuple[int, int, bool], Candidate] = {}
    at_once = max(_BLOCK, len(index.lists) * _PER_LIST // _PROBES)
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
        near, correlation, view = index.nearest(views, start)
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

    def __init__(self, layouts: Floats) -> None:
        self.layouts = layouts
        count = 8 * len(layouts) // _LIST if len(layouts) > 2 * _LIST else 1
        count = min(count, len(layouts))
        drawn = np.random.default_rng(0).choice(len(layouts), count, replace=False)
        self.pivots = layouts[drawn]
        nearest = [(part @ self.pivots.T).argmax(1) for part in _parts(layouts, _BLOCK)]
        member = np.concatenate(nearest)
        self.lists = [np.flatnonzero(member == pivot) for pivot in range(len(self.pivots))]

    def nearest(
        self, views: Floats, start: int
    ) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
        """Find the nearest other pictures of each of ``(n, views, cells)``: ``(n, NEAREST)`` each.

        Returns:
            Their numbers, the correlations, and the views that resemble them.
        """
        probed = self._probed(views)
        near = np.zeros((len(views), NEAREST), np.int64)
        best = np.full((len(views), NEAREST), -1, np.float32)
        for number, members in enumerate(self.lists):
            rows = np.flatnonzero(probed[:, number])
            if len(rows) and len(members):
                scores = self._alike(views[rows], members)
                scores[rows[:, None] + start == members] = -1  # itself
                best[rows], near[rows] = _merged(best[rows], near[rows], scores, members)
        alike = np.einsum("nvc,nkc->nvk", views, self.layouts[near])
        return near, best, alike.argmax(axis=1)

    def _alike(self, views: Floats, members: NDArray[np.int64]) -> Floats:
        """Correlation of each picture's most alike view with each member, ``(n, members)``."""
        layouts = np.ascontiguousarray(self.layouts[members].T)
        best = views[:, 0] @ layouts
        for view in range(1, views.shape[1]):
            np.maximum(best, views[:, view] @ layouts, out=best)
        return best

    def _probed(self, views: Floats) -> NDArray[np.bool_]:
        """Tell which lists each picture looks into: those with the pivots nearest to its views."""
        if len(self.lists) <= _PROBES:
            return np.ones((len(views), len(self.lists)), dtype=bool)
        probed = []
        for part in _parts(views, _BLOCK):
            alike = (part @ self.pivots.T).max(axis=1)
            least = np.partition(alike, -_PROBES, axis=1)[:, -_PROBES, None]
            probed.append(alike >= least)
        return np.concatenate(probed)


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
    cells /= np.maximum(np.linalg.norm(cells, axis=2, keepdims=True), 1e-6)
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
