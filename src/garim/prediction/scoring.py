"""Pictures through a network: opened in threads, a batch at a time, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from garim.boxes import Box
from garim.errors import PictureError
from garim.models.classifier import Classifier, Scores
from garim.pictures import Pixels, open_picture, to_array
from garim.streaming import chunks, stream, track

T = TypeVar("T")
R = TypeVar("R")

BATCH = 64
"""Pictures per batch."""


def batched(
    opened: Callable[[Path], T],
    judged: Callable[[Sequence[T]], Sequence[R]],
    paths: Sequence[Path],
    batch: int,
    description: str,
) -> Iterator[R | PictureError]:
    """Open pictures and judge them in batches: one result per path, in order.

    At most a batch, and what waits in `garim.streaming`, is in memory. A picture that cannot be
    opened gives its error.

    Args:
        opened: opens one picture, in a thread.
        judged: gives a result for each of at most ``batch`` pictures that were opened.
        paths: the pictures.
        batch: pictures at once.
        description: shown beside the progress bar.
    """
    for part in chunks(track(stream(opened, paths), description, len(paths)), batch):
        good = [one for _, one in part if not isinstance(one, PictureError)]
        found = iter(judged(good) if good else ())
        for _, one in part:
            yield one if isinstance(one, PictureError) else next(found)


@dataclass(frozen=True, slots=True)
class Scored:
    """What a classifier says about a picture."""

    scores: Scores
    """Class probabilities, shape ``(classes,)``."""
    size: tuple[int, int]
    """Width and height of the upright picture in pixels."""


def scored(
    classifier: Classifier, paths: Sequence[Path], description: str, batch: int = BATCH
) -> Iterator[Scored | PictureError]:
    """Score pictures with a classifier: one result per path, in order, with bounded memory."""
    side = classifier.card.size

    def opened(path: Path) -> tuple[Pixels, tuple[int, int]]:
        picture = open_picture(path, at_least=side)
        return to_array(picture.crop(Box.whole(*picture.size), (side, side))), picture.size

    def judged(pictures: Sequence[tuple[Pixels, tuple[int, int]]]) -> list[Scored]:
        found = classifier.scores(np.stack([pixels for pixels, _ in pictures]), batch)
        return [Scored(row, size) for row, (_, size) in zip(found, pictures, strict=True)]

    return batched(opened, judged, paths, batch, description)
