"""What a network sees in the pictures: features, class probabilities, classes that are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from garim import files
from garim.audit.settings import AuditSettings
from garim.models.classifier import Classifier
from garim.models.embedder import Embedder, EmbedderCard
from garim.models.instances import STRONG, SUREST
from garim.models.localizer import evidence
from garim.pictures import Pixels
from garim.training.embedders import starting_embedder

Floats = NDArray[np.float32]

WITHOUT_FOLDS = (
    "the model has no folds, so it judges pictures that it was trained on; train it with --folds 5"
)
WITHOUT_LOCALIZER = "the model has no localizer, which says what else is in a picture"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a network saw, one row per file; NaN where the file cannot be opened."""

    features: Floats
    """Of length 1, shape ``(files, components)``."""
    model: str | None = None
    """Digest of the model, if one was given."""
    classifier: Classifier | None = None
    """The model, if one was given."""
    probabilities: Floats | None = None
    """Out-of-fold class probabilities, shape ``(files, model's classes)``."""
    presence: Floats | None = None
    """Log odds that each class is somewhere in the picture, ``(files, model's classes)``."""


VIEWS = ("features", "probabilities", "presence")
"""What a network may see; one row per picture of each."""


class Judge(Protocol):
    """A network that looks at every picture once."""

    side: int
    """Side of the squares that it takes, in pixels."""

    def see(self, batch: Pixels, digests: Sequence[str]) -> dict[str, Floats]:
        """Look at pictures, uint8 of shape ``(n, side, side, 3)``; give rows of `VIEWS`."""

    def digest(self) -> str:
        """Name the network, and what is looked for."""

    def seen(self, views: Sequence[Mapping[str, Floats] | None]) -> Seen:
        """Put together what was seen in each file; None for those that cannot be opened."""


class Backbone:
    """A frozen network with starting weights: features only."""

    def __init__(self, settings: AuditSettings) -> None:
        self.embedder = starting_embedder(settings.network())
        self.side = self.embedder.side

    def see(self, batch: Pixels, digests: Sequence[str]) -> dict[str, Floats]:
        """Compute features."""
        return {"features": self.embedder(batch)}

    def digest(self) -> str:
        """Name the network."""
        return self.embedder.digest()

    def seen(self, views: Sequence[Mapping[str, Floats] | None]) -> Seen:
        """Give the features."""
        return Seen(_spread("features", views))


class Trained:
    """A classifier: features, and scores by the fold that has not seen the picture.

    Args:
        classifier: the model.
        presence: whether to look for all classes everywhere, where the model can.
    """

    def __init__(self, classifier: Classifier, presence: bool) -> None:
        self.classifier = classifier
        self.localizer = classifier.localizer if presence else None
        self.side = max(classifier.card.size, self.localizer.size if self.localizer else 0)
        card = EmbedderCard.of_classifier(classifier.card)
        self.embedder = Embedder(classifier.network, card)

    def see(self, batch: Pixels, digests: Sequence[str]) -> dict[str, Floats]:
        """Compute features and scores."""
        small = _shrunk(batch, self.classifier.card.size)
        found = {"features": self.embedder(small)}
        if self.classifier.folds:
            found["probabilities"] = out_of_fold(self.classifier, small, digests)
        if self.localizer is not None:
            found["presence"] = self._strongest(_shrunk(batch, self.localizer.size))
        return found

    def digest(self) -> str:
        """Name the classifier, and whether its localizer is asked."""
        return files.digest_of([self.classifier.digest(), self.localizer is not None])

    def _strongest(self, batch: Pixels) -> Floats:
        """Mean log odds of each class over the cells where it is surest."""
        found = []
        for cells in self.classifier.localized(batch)[0]:
            each = [
                evidence(torch.from_numpy(cells), k) for k in range(len(self.classifier.classes))
            ]
            odds = torch.stack(each).flatten(1)
            most = max(1, round(SUREST * odds.shape[1]))
            found.append(odds.topk(most, dim=1).values.mean(dim=1).numpy())
        return np.stack(found)

    def seen(self, views: Sequence[Mapping[str, Floats] | None]) -> Seen:
        """Give what was seen."""
        return Seen(
            features=_spread("features", views),
            model=self.classifier.digest(),
            classifier=self.classifier,
            probabilities=_spread("probabilities", views) if self.classifier.folds else None,
            presence=_spread("presence", views) if self.localizer is not None else None,
        )


def out_of_fold(classifier: Classifier, batch: Pixels, digests: Sequence[str]) -> Floats:
    """Score each picture by the network that has not seen the one of its digest."""
    scores = np.zeros((len(batch), len(classifier.classes)), np.float32)
    judges = [classifier.unbiased(digest) for digest in digests]
    for judge in {id(one): one for one in judges}.values():
        mine = np.array([one is judge for one in judges])
        scores[mine] = judge.scores(batch[mine])
    return scores


def is_there(presence: Floats) -> NDArray[np.bool_]:
    """Tell which classes are in the pictures, as extraction does."""
    return np.asarray(np.nan_to_num(presence, nan=-np.inf) >= STRONG)


def _shrunk(batch: Pixels, side: int) -> Pixels:
    if batch.shape[1] == side:
        return batch
    small = [cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA) for one in batch]
    return np.stack(small).astype(np.uint8)


def _spread(name: str, views: Sequence[Mapping[str, Floats] | None]) -> Floats:
    """Put rows of the files that were opened into their places among all files."""
    width = next((len(one[name]) for one in views if one is not None), 1)
    spread = np.full((len(views), width), np.nan, np.float32)
    for place, one in zip(spread, views, strict=True):
        if one is not None:
            place[:] = one[name]
    return spread
