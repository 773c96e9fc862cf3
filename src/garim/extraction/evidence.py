"""The default method: one look at the whole picture, and a box around the evidence.

A localizer scores every cell of a grid for background and for each class, and gives the box of the
object that the cell is part of. The cells vote, and the box with most votes is taken
(`garim.models.instances`). A label without evidence anywhere has no box. The classifier scores the
picture and the crop, so that plans can be compared with those of other methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from garim.boxes import Box
from garim.errors import ModelError
from garim.extraction.methods import Proposal, Task
from garim.extraction.scoring import resized, scored
from garim.extraction.settings import ExtractSettings
from garim.models.classifier import Classifier, Scores
from garim.models.instances import instances, is_there
from garim.models.localizer import Localizer, evidence
from garim.pictures import Decoded, Pixels
from garim.plan import Round


class EvidenceMethod:
    """Box the evidence of a classifier's localizer.

    Args:
        classifier: has a localizer.
        settings: which pictures are left alone.
    """

    def __init__(self, classifier: Classifier, localizer: Localizer, settings: ExtractSettings):
        self.classifier = classifier
        self.localizer = localizer
        self.settings = settings
        self.decodes_at_least: int | None = localizer.size
        self.pictures_at_once = 8

    def look(self, picture: Decoded) -> _Squares:
        """Bring the picture to both sizes."""
        sides = self.localizer.size, self.classifier.card.size
        return _Squares(*(resized(picture, None, side) for side in sides))

    def __call__(self, tasks: Sequence[Task[_Squares]]) -> list[Proposal]:
        """Look at all pictures together, then score them and their crops together."""
        side = self.classifier.card.size
        seen = self.classifier.localized(np.stack([task.seen.large for task in tasks]))
        found = [
            self._find(torch.from_numpy(cells), boxes, task)
            for cells, boxes, task in zip(*seen, tasks, strict=True)
        ]
        crops = [
            np.stack([task.seen.small, *(resized(task.picture, b, side) for b in one.boxes[:1])])
            for task, one in zip(tasks, found, strict=True)
        ]
        scores = scored(tasks, crops)
        return [self._proposal(*one) for one in zip(tasks, found, scores, strict=True)]

    def _find(self, cells: Tensor, boxes: NDArray[np.float32], task: Task[_Squares]) -> _Found:
        own = evidence(cells, task.label).numpy()
        if not is_there(own):
            others = [evidence(cells, k).numpy() for k in range(len(self.classifier.classes))]
            return _Found(instead=tuple(k for k, one in enumerate(others) if is_there(one)))
        most = None if self.settings.instances else 1
        objects = islice(instances(cells.numpy(), task.label, boxes, *task.picture.size), most)
        return _Found(boxes=tuple(o.box for o in objects if not o.box.is_degenerate))

    def _proposal(self, task: Task[_Squares], found: _Found, scores: Scores) -> Proposal:
        names, label = self.classifier.classes, self.classifier.classes[task.label]
        predicted = int(scores[0].argmax())
        whole = Box.whole(*task.picture.size)
        before, after = float(scores[0, task.label]), float(scores[-1, task.label])
        first = next(iter(found.boxes), None)
        story = Round(
            round=1, box=first, score=after, predicted=names[predicted], changed=first is not None
        )
        here = Proposal(
            box=whole, changed=False, score_before=before, score_after=before, history=(story,),
            reason=f"the whole picture shows {label!r} well enough",
        )  # fmt: skip
        if self.settings.skips(scores[0], task.label):
            return here
        if first is None and predicted == task.label:
            return replace(here, reason=f"the picture shows {label!r}, but where is not clear")
        if first is None:
            instead = names[predicted] if predicted in found.instead else None
            reason = f"neither the picture nor any part of it shows {label!r}"
            reason += f"; it shows {instead!r}" if instead else ""
            return replace(here, box=None, reason=reason, instead=instead)
        reason = f"where {label!r} is likelier than background and all other classes"
        return replace(here, box=first, changed=True, score_after=after, reason=reason,
                       more=found.boxes[1:])  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Squares:
    """The whole picture, for the localizer and for the classifier."""

    large: Pixels
    small: Pixels


@dataclass(frozen=True, slots=True)
class _Found:
    """What was seen of one task."""

    boxes: tuple[Box, ...] = ()
    """Objects of the label, the clearest first."""
    instead: tuple[int, ...] = ()
    """Numbers of the classes that are there, where the label is not."""


def by_evidence(classifier: Classifier, settings: ExtractSettings) -> EvidenceMethod:
    """Set up the default.

    Raises:
        ModelError: the model has no localizer.
    """
    if classifier.localizer is None:
        raise ModelError(
            "this model has no localizer, which the method 'self' needs; use --method windows, or "
            "train a network with feature maps and a pooled head"
        )
    return EvidenceMethod(classifier, classifier.localizer, settings)
