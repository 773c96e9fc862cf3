"""Cutting crops for a network, and scoring those of several pictures in shared batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from garim.boxes import Box
from garim.extraction.methods import Scorer, Task
from garim.models.classifier import Scores
from garim.pictures import Decoded, Pixels, to_array


def resized(picture: Decoded, box: Box | None, side: int) -> Pixels:
    """Cut a picture to a box, or take all of it: RGB uint8, shape ``(side, side, 3)``."""
    return to_array(picture.crop(box or Box.whole(*picture.size), (side, side)))


def scored(tasks: Sequence[Task[Any]], batches: Sequence[Pixels]) -> list[Scores]:
    """Score each task's crops with its own scorer; tasks with one scorer share its calls."""
    members: dict[Scorer, list[int]] = defaultdict(list)  # equal, not identical: bound methods
    for index, task in enumerate(tasks):
        members[task.scorer].append(index)
    result: dict[int, Scores] = {}
    for scorer, indexes in members.items():
        together = scorer(np.concatenate([batches[i] for i in indexes]))
        ends = np.cumsum([len(batches[i]) for i in indexes])[:-1]
        result.update(zip(indexes, np.split(together, ends), strict=True))
    return [result[index] for index in range(len(tasks))]
