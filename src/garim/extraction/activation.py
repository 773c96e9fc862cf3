"""The class activation map, boxed as its authors do: what others compare with.

The map (Zhou et al. 2016) is the label's score of each cell of the last feature map. The box goes
around the largest connected part above a fifth of its maximum. It shows what the classifier looks
at, which is the most telling part of an object, not all of it, and knows nothing of instances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from garim.boxes import Box
from garim.errors import ModelError
from garim.extraction.methods import Proposal, Task
from garim.extraction.scoring import resized, scored
from garim.extraction.settings import ExtractSettings
from garim.models.classifier import Classifier, Scores, normalised
from garim.models.localizer import cell_scores
from garim.pictures import Decoded, Pixels
from garim.plan import Round

THRESHOLD = 0.2
"""Share of the map's maximum above which a place belongs to the object, as in the paper."""

FINE = 224
"""Side to which the map is enlarged."""


class ActivationMethod:
    """Box the class activation map of a classifier.

    Args:
        classifier: has a pooled head.
        settings: which pictures are left alone.
    """

    def __init__(self, classifier: Classifier, settings: ExtractSettings) -> None:
        self.classifier = classifier
        self.settings = settings
        self.decodes_at_least: int | None = 2 * classifier.card.size
        self.pictures_at_once = 8

    def look(self, picture: Decoded) -> Pixels:
        """Bring the picture to the network's size."""
        return resized(picture, None, self.classifier.card.size)

    def __call__(self, tasks: Sequence[Task[Pixels]]) -> list[Proposal]:
        """Look at all pictures together, then score them and their crops together."""
        side = self.classifier.card.size
        wholes = [task.seen for task in tasks]
        maps = self._maps(np.stack(wholes))
        boxes = [
            box_of(one[task.label], *task.picture.size)
            for one, task in zip(maps, tasks, strict=True)
        ]
        crops = [
            np.stack([whole, resized(task.picture, box, side)])
            for task, whole, box in zip(tasks, wholes, boxes, strict=True)
        ]
        scores = scored(tasks, crops)
        return [self._proposal(*one) for one in zip(tasks, boxes, scores, strict=True)]

    def _maps(self, batch: Pixels) -> NDArray[np.float32]:
        card, network = self.classifier.card, self.classifier.network
        inputs = torch.from_numpy(batch).to(self.classifier.device)
        with torch.inference_mode():
            maps = cell_scores(network, normalised(inputs, card.mean, card.std))
        if maps is None:
            raise ModelError(
                "this model's features are no map, which the method 'activation' needs"
            )
        return np.asarray(maps.float().cpu().numpy(), dtype=np.float32)

    def _proposal(self, task: Task[Pixels], box: Box, scores: Scores) -> Proposal:
        names, label = self.classifier.classes, self.classifier.classes[task.label]
        seen = [names[int(row.argmax())] for row in scores]
        before, after = (float(row[task.label]) for row in scores)
        story = Round(round=1, box=box, score=after, predicted=seen[0], changed=label in seen)
        here = Proposal(
            box=Box.whole(*task.picture.size), changed=False, score_before=before,
            score_after=before, history=(story,),
            reason=f"the whole picture shows {label!r} well enough",
        )  # fmt: skip
        if self.settings.skips(scores[0], task.label):
            return here
        if label not in seen:
            reason = f"neither the picture nor its most active part shows {label!r}"
            return replace(here, box=None, reason=reason)
        reason = f"where the classifier sees {label!r}"
        return replace(here, box=box, changed=True, score_after=after, reason=reason)


def box_of(activation: NDArray[np.float32], width: float, height: float) -> Box:
    """Box the largest part of a map above a fifth of its maximum; all of it where none is.

    Args:
        activation: scores of one class, shape ``(h, w)``, covering the picture.
        width: width of the picture in pixels.
        height: its height.
    """
    fine = cv2.resize(activation, (FINE, FINE), interpolation=cv2.INTER_CUBIC)
    above = fine > THRESHOLD * max(float(fine.max()), 0.0)
    count, _, stats, _ = cv2.connectedComponentsWithStats(above.astype(np.uint8))
    if count < 2:
        return Box.whole(width, height)
    x, y, w, h, _ = stats[1 + stats[1:, cv2.CC_STAT_AREA].argmax()]
    return Box(float(x), float(y), float(x + w), float(y + h)).scale(width / FINE, height / FINE)


def by_activation(classifier: Classifier, settings: ExtractSettings) -> ActivationMethod:
    """Set up the method.

    Raises:
        ModelError: the model's head flattens its features, so no cell can be scored by itself.
    """
    if not hasattr(classifier.network, "forward_features"):
        raise ModelError("this model's features are no map, which the method 'activation' needs")
    return ActivationMethod(classifier, settings)
