"""From what a localizer says about cells to boxes of objects.

Every cell that is no background votes for the box of the object that it is part of. Cells of one
object vote for nearly the same box, cells of its neighbours for others: so objects that touch come
apart, which no look at the evidence alone could do. What class an object is of, its cells say
together; one alone is easily mistaken. A box is the mean of the votes that agree with each other,
drawn in to the cells that gave them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from garim.boxes import Box, iou

AGREEING = 0.6
"""IoU from which two cells vote for the same box."""

PART = 0.4
"""IoU with an object's clearest vote from which a cell is part of the object."""

SUPPORT = 0.3
"""Least votes for a further object, as a share of the cells in its box."""

TRIM = 0.0125
"""Share of the evidence in a box that may stick out of it on each side: stray cells."""

MARGIN = 0.04
"""Share of its sides by which a box is widened on each side: the objects that the localizer
learned on lose their rim when they are cut out."""

SUREST, STRONG = 0.005, 2.0
"""The label is in the picture where the mean log odds of the surest 0.5 % of all cells is at least
2 (a probability of .88)."""

FINER = 4
"""The grid is enlarged so many times before a box is drawn in."""

Cells = NDArray[np.float32]
Sides = NDArray[np.float64]
"""Left, top, right, bottom."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One object."""

    box: Box
    """Its box, in pixels."""
    votes: float
    """Cells that vote for it, each weighed by its probability of the label."""


def is_there(evidence: Cells) -> bool:
    """Tell whether the label is in the picture at all.

    Args:
        evidence: log odds of the label against all else, shape ``(grid, grid)``.
    """
    most = max(1, round(SUREST * evidence.size))
    return bool(np.sort(evidence, axis=None)[-most:].mean() >= STRONG)


def instances(
    scores: Cells, number: int, boxes: Cells, width: float, height: float
) -> Iterator[Instance]:
    """Find the objects of one class, the one with most votes first.

    Args:
        scores: of background and of each class, shape ``(1 + classes, grid, grid)``.
        number: class number, from 0.
        boxes: left, top, right, bottom of the object at each cell, as shares of the picture's
            sides, shape ``(4, grid, grid)``.
        width: width of the picture in pixels.
        height: its height.
    """
    shares = softmax(scores.astype(np.float64), axis=0)
    where = shares[0] < 0.5
    given = np.clip(boxes[:, where].T.astype(np.float64), 0, 1)
    for box, members, votes in _voted(given, shares[1 + number][where], where.size):
        mask = np.zeros(where.shape, np.float32)
        mask[where] = members
        left, top, right, bottom = _widened(_drawn_in(box, mask))
        yield Instance(Box(left * width, top * height, right * width, bottom * height), votes)


def _voted(
    given: Sides, weight: NDArray[np.float64], cells: int
) -> Iterator[tuple[Sides, NDArray[np.bool_], float]]:
    """Mean boxes of votes that agree, who gave them, and how much they weigh.

    Args:
        given: each voter's box, shape ``(n, 4)``.
        weight: its probability of the class, shape ``(n,)``.
        cells: how many cells the picture has.
    """
    alike = iou(given, given)
    agreed = np.where(alike > AGREEING, alike, 0)
    left = np.ones(len(given), dtype=bool)
    first = True
    while left.any():
        votes = np.where(left, agreed @ (weight * left), 0)
        best = int(votes.argmax())
        members = (agreed[best] > 0) & left
        if not members.any() or votes[best] <= 0:
            return
        box = np.average(given[members], axis=0, weights=agreed[best, members])
        part = (alike[best] > PART) & left
        area = (box[2] - box[0]) * (box[3] - box[1]) * cells
        if first or votes[best] >= max(1.0, SUPPORT * area):
            yield box, part, float(votes[best])
        first = False
        left &= ~part


def _drawn_in(box: Sides, mask: Cells) -> Sides:
    """Draw a box in to the cells inside it that are marked 1; a box without any stays."""
    side = FINER * len(mask)
    inside = np.asarray(cv2.resize(mask, (side, side)) > 0.5)
    left, top, right, bottom = (round(v * side) for v in box)
    inside = inside[top:bottom, left:right]
    if not inside.any():
        return box
    x0, x1 = _trimmed(inside.sum(axis=0), TRIM)
    y0, y1 = _trimmed(inside.sum(axis=1), TRIM)
    return np.array([left + x0, top + y0, left + x1, top + y1]) / side


def _widened(box: Sides) -> Sides:
    more = MARGIN * (box[2:] - box[:2])
    return np.concatenate([box[:2] - more, box[2:] + more]).clip(0, 1)


def _trimmed(profile: NDArray[np.int64], share: float) -> tuple[float, float]:
    """Give the ends of a profile between which all but a share at each end lies."""
    ends = np.concatenate([[0], np.cumsum(profile)]) / profile.sum()
    places = np.arange(len(ends))
    inside = np.flatnonzero(profile)
    first, last = inside[0], inside[-1] + 1
    part, at = ends[first : last + 1], places[first : last + 1]
    return float(np.interp(share, part, at)), float(np.interp(1 - share, part, at))
