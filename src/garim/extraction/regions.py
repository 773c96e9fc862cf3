"""Boxes from what a picture looks like, whatever its label; a model may judge them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from garim.boxes import Box
from garim.extraction.methods import Proposal, Task
from garim.extraction.scoring import resized, scored
from garim.extraction.settings import ExtractSettings
from garim.models.classifier import Classifier, Scores
from garim.pictures import Decoded, Pixels, to_array


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in one picture."""

    boxes: tuple[Box, ...]
    """Regions in pixels of the decoded picture, the largest first."""
    otherwise: str
    """Why, where there is none."""


class RegionMethod:
    """Propose the largest region; with a classifier, the largest that shows the label.

    Args:
        find: finds the regions of a picture.
        reason: what the box is.
        classifier: judges the regions; None where there is no model.
        settings: which pictures are left alone.
        decodes_at_least: resolution that is needed; None for all of it.
    """

    def __init__(
        self,
        find: Callable[[Pixels], Found],
        reason: str,
        classifier: Classifier | None,
        settings: ExtractSettings,
        decodes_at_least: int | None,
    ) -> None:
        self.find = find
        self.reason = reason
        self.classifier = classifier
        self.settings = settings
        self.decodes_at_least = decodes_at_least
        self.pictures_at_once = 8

    def look(self, picture: Decoded) -> Found:
        """Find the regions, in full pixels."""
        found = self.find(to_array(picture.image))
        sx, sy = picture.scale
        return replace(found, boxes=tuple(box.scale(1 / sx, 1 / sy) for box in found.boxes))

    def __call__(self, tasks: Sequence[Task[Found]]) -> list[Proposal]:
        """Score the regions of all pictures together."""
        found = [task.seen for task in tasks]
        plain = [self._plain(one) for one in found]
        if self.classifier is None:
            return plain
        side = self.classifier.card.size
        crops = [
            np.stack([resized(task.picture, extent, side) for extent in (None, *one.boxes)])
            for task, one in zip(tasks, found, strict=True)
        ]
        scores = scored(tasks, crops)
        return [self._judged(*one) for one in zip(tasks, found, plain, scores, strict=True)]

    def _plain(self, found: Found) -> Proposal:
        if not found.boxes:
            return Proposal(box=None, changed=False, score_before=None, score_after=0.0,
                            reason=found.otherwise)  # fmt: skip
        return Proposal(box=found.boxes[0], changed=True, score_before=None, score_after=1.0,
                        reason=self.reason)  # fmt: skip

    def _judged(self, task: Task[Found], found: Found, plain: Proposal, scores: Scores) -> Proposal:
        whole, regions = scores[0], scores[1:]
        before = float(whole[task.label])
        if self.settings.skips(whole, task.label):
            return replace(plain, box=Box.whole(*task.picture.size), changed=False,
                           score_before=before, score_after=before,
                           reason="the whole picture shows its label well enough")  # fmt: skip
        if not found.boxes:
            return replace(plain, score_before=before, score_after=before)
        fits = [at for at, row in enumerate(regions) if int(row.argmax()) == task.label]
        chosen = next(iter(fits), 0)
        return replace(plain, box=found.boxes[chosen], score_before=before,
                       score_after=float(regions[chosen][task.label]))  # fmt: skip
