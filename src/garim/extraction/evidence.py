"""The default method: one look at the whole picture, and a box around the evidence.

A localizer scores every cell of a grid for background and for each class. The box goes around the
largest connected region where the label is likelier than all else; stray cells at its edges are
trimmed. The classifier then scores the picture and the crop, as in the document's method, so that
a label that is nowhere to be seen is said so.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from garim.boxes import Box
from garim.errors import ModelError
from garim.extraction.methods import Proposal, Task
from garim.extraction.scoring import scored
from garim.extraction.settings import ExtractSettings
from garim.models.classifier import Classifier, Scores, normalised
from garim.models.localizer import Localizer, evidence, feature_maps
from garim.pictures import Decoded, Pixels, to_array
from garim.plan import Round

Mask = NDArray[np.bool_]

THRESHOLD = 0.0
"""Log odds above which a cell belongs to the object: likelier than all else together."""

TRIM = 0.025
"""Share of the region's area that may stick out of the box on each side."""

FINER = 4
"""The grid is enlarged so many times before the region is cut out."""


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
        self.decodes_at_least: int | None = 2 * localizer.size
        self.pictures_at_once = 8

    def __call__(self, tasks: Sequence[Task]) -> list[Proposal]:
        """Look at all pictures together, then score them and their crops together."""
        size = self.localizer.size
        seen = self._cell_scores(np.stack([_resized(t.picture, None, size) for t in tasks]))
        boxes = [
            box_of(evidence(one, task.label).numpy(), *task.picture.size)
            for one, task in zip(seen, tasks, strict=True)
        ]
        side = self.classifier.card.size
        crops = [
            np.stack([_resized(task.picture, extent, side) for extent in (None, box or None)])
            for task, box in zip(tasks, boxes, strict=True)
        ]
        scores = scored(tasks, crops)
        return [self._proposal(*one) for one in zip(tasks, boxes, scores, strict=True)]

    def _cell_scores(self, batch: Pixels) -> torch.Tensor:
        card, device = self.classifier.card, self.classifier.device
        with torch.inference_mode():
            inputs = normalised(torch.from_numpy(batch).to(device), card.mean, card.std)
            maps = feature_maps(self.classifier.network, inputs) or []
            result: torch.Tensor = self.localizer(maps).float().cpu()
        return result

    def _proposal(self, task: Task, box: Box | None, scores: Scores) -> Proposal:
        names, label = self.classifier.classes, self.classifier.classes[task.label]
        seen = [names[int(row.argmax())] for row in scores]
        before, after = float(scores[0, task.label]), float(scores[1, task.label])
        if self.settings.skips(scores[0], task.label):
            box, reason = None, f"the whole picture shows {label!r} well enough"
        elif box is None:
            reason = f"no part of the picture has evidence of {label!r}"
        else:
            reason = f"the part where {label!r} is likelier than background and all other classes"
        if label not in seen:
            reason = f"neither the picture nor any part of it shows {label!r}"
        found = box is not None and label in seen
        story = Round(round=1, box=box, score=after, predicted=seen[0], changed=found)
        whole = Box.whole(*task.picture.size) if label == seen[0] else None
        return Proposal(
            box=box if found else whole, changed=found, score_before=before,
            score_after=after if found else before, reason=reason, history=(story,),
        )  # fmt: skip


def _resized(picture: Decoded, box: Box | None, side: int) -> Pixels:
    return to_array(picture.crop(box or Box.whole(*picture.size), (side, side)))


def box_of(cells: NDArray[np.float32], width: float, height: float) -> Box | None:
    """Box the largest region of evidence.

    Args:
        cells: log odds, shape ``(grid, grid)``, covering the picture.
        width: width of the picture in pixels.
        height: its height.

    Returns:
        None where no cell has enough evidence.
    """
    side = FINER * len(cells)
    fine = cv2.resize(np.clip(cells, -3, 3), (side, side), interpolation=cv2.INTER_LINEAR)
    region = largest_region((fine > THRESHOLD).astype(np.uint8), fine.astype(np.float32))
    if region is None:
        return None
    left, right = _trimmed(region.sum(axis=0), TRIM)
    top, bottom = _trimmed(region.sum(axis=1), TRIM)
    return Box(left, top, right, bottom).scale(width / side, height / side)


def largest_region(mask: NDArray[np.uint8], weight: NDArray[np.float32]) -> Mask | None:
    """Give the connected region with the most evidence, thin bridges cut; None without any."""
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((FINER + 1,) * 2, np.uint8))
    count, labels = cv2.connectedComponents(opened)
    if count < 2:
        return None
    mass = np.bincount(labels.ravel(), weights=weight.ravel(), minlength=count)
    return np.asarray(labels == 1 + int(mass[1:].argmax()))


def _trimmed(profile: NDArray[np.int64], share: float) -> tuple[float, float]:
    """Give the ends of a profile between which all but a share at each end lies."""
    ends = np.concatenate([[0], np.cumsum(profile)]) / profile.sum()
    places = np.arange(len(ends))
    inside = np.flatnonzero(profile)
    first, last = inside[0], inside[-1] + 1
    part, at = ends[first : last + 1], places[first : last + 1]
    return float(np.interp(share, part, at)), float(np.interp(1 - share, part, at))


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
