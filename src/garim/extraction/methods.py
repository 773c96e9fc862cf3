"""What every extraction method takes and gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from garim.boxes import Box
from garim.models.classifier import Scores
from garim.pictures import Decoded, Pixels
from garim.plan import Round

Scorer = Callable[[Pixels], Scores]
"""Crops, RGB uint8 of shape ``(n, size, size, 3)``, to class scores ``(n, classes)``."""


Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(Generic[Seen]):
    """One picture under one label."""

    picture: Decoded
    seen: Seen
    """What the method's look at the picture gave."""
    label: int
    """Class number; −1 where there is none, which only methods without a model meet."""
    scorer: Scorer
    """Judges this picture's crops; several tasks may share one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a method found for a task."""

    box: Box | None
    """The labelled object, in pixels of the original; None when it was not found."""
    changed: bool
    """Whether the box differs from the whole picture."""
    score_before: float | None
    """Score of the label on the whole picture, 0 to 1; None where no model gives one."""
    score_after: float
    """Score of the label on the box, 0 to 1; that of the whole picture when there is no box.
    Without a model, 1 for a box."""
    reason: str
    history: tuple[Round, ...] = ()
    more: tuple[Box, ...] = ()
    """Boxes of further objects of the label, where they were asked for."""
    instead: str | None = None
    """Class that the picture shows instead of its label."""


class Method(Protocol[Seen]):
    """An extraction method, ready to work."""

    decodes_at_least: int | None
    """Pixels a side that the method needs; None for the full picture."""
    pictures_at_once: int

    def look(self, picture: Decoded) -> Seen:
        """Do what needs the picture alone; runs in threads, beside the network."""

    def __call__(self, tasks: Sequence[Task[Seen]]) -> list[Proposal]:
        """Look for the labelled object in each task; one proposal each, in order."""


def task(method: Method[Seen], picture: Decoded, label: int, scorer: Scorer) -> Task[Seen]:
    """Have a method look at a picture."""
    return Task(picture=picture, seen=method.look(picture), label=label, scorer=scorer)
