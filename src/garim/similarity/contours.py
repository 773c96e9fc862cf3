"""How alike are two outlines? Hu moments, and height functions.

A contour is what OpenCV gives: int32 of shape ``(n, 1, 2)``, or points ``(n, 2)``, x and y in
pixels.

The *height functions* of a contour (Wang, Bai, You, Liu & Latecki 2012) say of each of its points
how far all others lie to the left or right of the tangent there. Two contours are compared point by
point along the way that fits best (dynamic programming), from the start that fits best, as they
are and mirrored. Size, place and turn play no part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

HU = {"I1": cv2.CONTOURS_MATCH_I1, "I2": cv2.CONTOURS_MATCH_I2, "I3": cv2.CONTOURS_MATCH_I3}
"""OpenCV's three ways to compare Hu moments."""

POINTS = 64
"""Points that a contour is sampled at, evenly along it."""

_BINS = 16
"""Heights are averaged over so many stretches of the contour."""

_STARTS = 2
"""Starts that the dynamic programming is tried from: those that fit best point by point."""

_BAND = 12
"""Points by which the two may run ahead of each other."""

_AT_ONCE = 128
"""Contours that one is compared with at a time: what fits into a processor's cache."""

_COMPLEXITY = 0.3
"""Added to the complexities of two contours, by which their distance is divided: differences in a
wiggly outline mean less."""

Contour = NDArray[Any]
Heights = NDArray[np.float32]
"""Height functions of a contour, shape ``(POINTS, _BINS)``."""


def hu_distances(first: Contour, second: Contour) -> dict[str, float]:
    """Compare Hu moments by ``cv2.matchShapes``: I1, I2 and I3, 0 for the same outline."""
    one, other = (np.asarray(c, dtype=np.float32).reshape(-1, 1, 2) for c in (first, second))
    return {name: float(cv2.matchShapes(one, other, way, 0)) for name, way in HU.items()}


def heights(contour: Contour) -> Heights:
    """Describe a contour by its height functions.

    Raises:
        ValueError: it encloses nothing.
    """
    points = resampled(contour, POINTS)
    tangents = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    tangents /= np.maximum(np.linalg.norm(tangents, axis=1, keepdims=True), 1e-9)
    offsets = points[None] - points[:, None]
    height = tangents[:, :1] * offsets[..., 1] - tangents[:, 1:] * offsets[..., 0]
    number = np.arange(POINTS)
    height = height[number[:, None], (number[:, None] + number) % POINTS]
    between = (height + np.roll(height, -1, axis=1)) / 2
    stretches = between.reshape(POINTS, _BINS, -1).mean(axis=2)
    largest = np.abs(stretches).max(axis=0, keepdims=True)
    return np.asarray(stretches / np.maximum(largest, 1e-9), dtype=np.float32)


def resampled(contour: Contour, count: int) -> NDArray[np.float64]:
    """Give points at even distances along a closed contour, counter-clockwise: ``(count, 2)``.

    Raises:
        ValueError: it encloses nothing.
    """
    points = np.asarray(contour, dtype=np.float64).reshape(-1, 2)
    area = cv2.contourArea(points.astype(np.float32), oriented=True)
    if len(points) < 3 or not area:
        raise ValueError("the outline encloses nothing")
    closed = np.vstack([points, points[:1]])[:: 1 if area > 0 else -1]
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    wanted = np.linspace(0, along[-1], count, endpoint=False)
    return np.column_stack([np.interp(wanted, along, closed[:, axis]) for axis in (0, 1)])


def mirrored(one: Heights) -> Heights:
    """Give the height functions of the mirror image."""
    return np.ascontiguousarray(one[::-1, ::-1])


def height_distance(first: Heights, second: Heights) -> float:
    """Distance of two contours by their height functions: 0 for the same outline."""
    return float(height_distances(first, [second])[0])


def height_distances(one: Heights, others: Sequence[Heights]) -> NDArray[np.float32]:
    """Distances of a contour to many, shape ``(n,)``."""
    found = []
    for start in range(0, len(others), _AT_ONCE):
        many = np.stack(others[start : start + _AT_ONCE])
        ways = [_matched(one, many), _matched(mirrored(one), many)]
        complexity = one.std(axis=0).mean() + many.std(axis=1).mean(axis=1)
        found.append(np.min(ways, axis=0) / (_COMPLEXITY + complexity))
    return np.concatenate(found).astype(np.float32)


def _matched(one: Heights, many: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean cost per point along the best way, from the best of several starts: ``(n,)``."""
    costs = _costs(one, many)
    number = np.arange(POINTS)
    straight = costs[:, number, (number[:, None] + number) % POINTS].mean(axis=2)
    starts = np.argpartition(straight, _STARTS, axis=1)[:, :_STARTS]
    return np.asarray(np.min([_warped(costs, start) for start in starts.T], axis=0))


def _costs(one: Heights, many: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distance of each point of one to each of many others: ``(n, POINTS, POINTS)``.

    What is near along the contour counts more: a bend here should not outweigh all else.
    """
    nearer = np.minimum(np.arange(_BINS), np.arange(_BINS)[::-1]) + 1
    weight = (1 / nearer / (1 / nearer).sum()).astype(np.float32) ** 0.5
    a, b = one * weight, many * weight
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=2)[:, None, :]
    return np.asarray(np.sqrt(np.maximum(squares - 2 * (a @ b.swapaxes(1, 2)), 0)))


def _warped(costs: NDArray[np.float32], start: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean cost along the best way once around both contours: ``(n,)``.

    The symmetric form with slopes from one half to two (Sakoe & Chiba 1978, P = 1), so that each
    row depends on the two before it only, in a band around the straight way.
    """
    rows, ahead = np.arange(POINTS + 1)[:, None], np.arange(-_BAND, _BAND + 1)
    columns = (start[:, None, None] + rows + ahead) % POINTS
    cost = costs[np.arange(len(costs))[:, None, None], rows % POINTS, columns]
    total = np.full((POINTS + 1, *cost.shape[::2]), np.inf, np.float32)
    total[0, :, _BAND] = 0
    for i in range(1, POINTS + 1):
        here = cost[:, i]
        ways = total[i - 1] + 2 * here
        over = total[i - 1, :, :-1] + 2 * here[:, :-1] + here[:, 1:]
        np.minimum(ways[:, 1:], over, out=ways[:, 1:])
        if i > 1:
            under = total[i - 2, :, 1:] + 2 * cost[:, i - 1, 1:] + here[:, :-1]
            np.minimum(ways[:, :-1], under, out=ways[:, :-1])
        total[i] = ways
    return np.asarray(total[POINTS, :, _BAND] / (2 * POINTS))
