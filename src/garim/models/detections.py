"""Boxes that a detector found in one picture: the one type that detectors give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.ops import nms

from garim.boxes import Box, Floats
from garim.pictures import Pixels

LEAST = 0.05
"""Least score, 0 to 1, of a box that is found at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detections:
    """Boxes in one picture, the surest first.

    >>> found = Detections(boxes=np.array([[0, 0, 4, 2]]), numbers=np.array([1]),
    ...                    scores=np.array([0.5]))
    >>> number, score, box = next(iter(found))
    >>> number, score, box.area
    (1, 0.5, 8.0)
    """

    boxes: Floats
    """Left, top, right, bottom in pixels of the upright picture, shape ``(n, 4)``."""
    numbers: NDArray[np.int64]
    """Class numbers, from 0, shape ``(n,)``."""
    scores: Floats
    """How sure each is, 0 to 1, shape ``(n,)``."""

    def __post_init__(self) -> None:
        boxes = np.asarray(self.boxes, np.float64).reshape(-1, 4)
        numbers, scores = np.asarray(self.numbers, np.int64), np.asarray(self.scores, np.float64)
        if not len(boxes) == len(numbers) == len(scores):
            shapes = f"{boxes.shape}, {numbers.shape}, {scores.shape}"
            raise ValueError(f"boxes, numbers and scores of one length are needed, not {shapes}")
        if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
            raise ValueError("boxes and scores must be finite")
        order = np.argsort(-scores, kind="stable")
        for name, values in (("boxes", boxes), ("numbers", numbers), ("scores", scores)):
            object.__setattr__(self, name, values[order])

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Any:
        for box, number, score in zip(self.boxes, self.numbers, self.scores, strict=True):
            yield int(number), float(score), Box(*(float(v) for v in box))

    def above(self, least: float) -> Detections:
        """Keep those of at least this score."""
        kept = self.scores >= least
        return self._some(kept)

    def apart(self, overlap: float) -> Detections:
        """Keep the surest of boxes that overlap by more than an IoU, whatever their classes."""
        scores = torch.from_numpy(self.scores)
        return self._some(nms(torch.from_numpy(self.boxes), scores, overlap).numpy())

    def _some(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Detections:
        return Detections(
            boxes=self.boxes[which], numbers=self.numbers[which], scores=self.scores[which]
        )


class FindsBoxes(Protocol):
    """A detector: what evaluation and prediction need of it."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names by their numbers."""

    def detect(self, picture: Pixels, least: float = LEAST) -> Detections:
        """Find the objects of a picture, RGB uint8 ``(height, width, 3)``."""

    def digest(self) -> str:
        """Name the detector by all that decides what it finds."""
