"""Boxes that cannot be right: without area, tiny, or outside their picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from garim.audit.evidence import Evidence
from garim.audit.findings import Finding
from garim.boxes import Box


def tiny_boxes(evidence: Evidence) -> Finding:
    """Find pictures with a box that has no area, or hardly any."""
    scores = _worst(evidence, lambda box, size: max(min(box.width, box.height), 0) / min(size))
    return Finding(scores=scores, issues=_lower(scores, evidence.settings.tiny_box))


def boxes_outside(evidence: Evidence) -> Finding:
    """Find pictures with a box that reaches outside by more than a pixel."""
    scores = _worst(evidence, _inside)
    return Finding(scores=scores, issues=_lower(scores, evidence.settings.box_outside))


def _inside(box: Box, size: tuple[int, int]) -> float:
    width, height = size
    if Box(box.left + 1, box.top + 1, box.right - 1, box.bottom - 1).clip(*size).xyxy() == (
        box.left + 1, box.top + 1, box.right - 1, box.bottom - 1
    ):  # fmt: skip
        return 1.0
    sides = max(box.width, 1e-9), max(box.height, 1e-9)
    inside = box.clip(width, height)
    return max(inside.width / sides[0], 0) * max(inside.height / sides[1], 0)


def _worst(
    evidence: Evidence, judged: Callable[[Box, tuple[int, int]], float]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Give the worst score of each row's boxes; NaN where there are none."""
    scores = np.full(len(evidence.dataset), np.nan)
    for index, row in enumerate(evidence.dataset.rows):
        look = evidence.looks[evidence.file_of[index]]
        if look is not None and row.objects:
            size = look.fingerprint.size
            scores[index] = min(1.0, *(judged(one.box, size) for one in row.objects), 1.0)
    return scores


def _lower(
    scores: np.ndarray[tuple[int], np.dtype[np.float64]], threshold: float
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.asarray(np.nan_to_num(scores, nan=1.0) < threshold)
