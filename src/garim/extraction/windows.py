"""The sliding operation: which parts of an extent are looked at.

An extent is cut into an N × N grid. A K × K kernel slides over it: (N−K+1)² squares, N−K+1 strips
of full height, and N−K+1 strips of full width.
"""

from __future__ import annotations

import numpy as np

from garim.boxes import Box, Floats


def count(grid: int, kernel: int) -> int:
    """Number of windows: ``(N−K+1)² + 2(N−K+1)``; 35 for N=9, K=5."""
    places = grid - kernel + 1
    return places * places + 2 * places


def cells(grid: int, kernel: int) -> Floats:
    """Give the windows in grid cells: ``(n, 4)`` left, top, right, bottom.

    In the document's order: squares row by row, full-height strips, full-width strips.

    >>> cells(3, 2)[:2].tolist()
    [[0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0]]
    """
    places = range(grid - kernel + 1)
    squares = [(x, y, x + kernel, y + kernel) for y in places for x in places]
    tall = [(x, 0, x + kernel, grid) for x in places]
    wide = [(0, y, grid, y + kernel) for y in places]
    return np.array([*squares, *tall, *wide], dtype=np.float64)


def windows(extent: Box, grid: int, kernel: int) -> list[Box]:
    """Give the windows of an extent, in the same pixels as the extent."""
    scale = np.array([extent.width / grid, extent.height / grid] * 2)
    origin = np.array([extent.left, extent.top] * 2)
    return [Box(*row) for row in cells(grid, kernel) * scale + origin]


def document_windows(width: int, height: int, grid: int, kernel: int) -> list[Box]:
    """Give the windows exactly as the document cuts them, in whole pixels.

    A cell is ``width // N`` by ``height // N`` pixels, so up to N−1 pixels at the right and the
    bottom are never seen.
    """
    cell = np.array([width // grid, height // grid] * 2, dtype=np.float64)
    return [Box(*row) for row in cells(grid, kernel) * cell]
