"""Segmentation as it was before networks: each pixel is classified from its colour, its place and
the texture around it, by k-means, a random forest or a linear support vector machine.

They are there to be compared with, and are not saved: a forest cannot be kept as plain tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from garim.errors import PictureError, SettingsError
from garim.models.palette import Mask
from garim.models.segmenter import at_working_size
from garim.pictures import Pixels
from garim.streaming import stream, track
from garim.training.masks import VOID, Masked, MaskRule, open_pair

LONGEST = 192
"""Longest side in pixels that pictures are brought to."""

SCALES = (1.0, 3.0, 8.0)
"""Gaussian blurs, in pixels, at which colour and texture are described."""

PIXELS = 300
"""Pixels that are drawn from each training picture."""

CLUSTERS = 64
"""Clusters of k-means; each stands for the class that most of its training pixels have."""

Features = NDArray[np.float32]


class _Judge(Protocol):
    def fit(self, x: Features, y: NDArray[np.int64]) -> Any:
        """Learn from pixels."""

    def predict(self, x: Features) -> NDArray[np.int64]:
        """Give the classes of pixels."""


class _Clusters:
    """k-means, each cluster named after the class that most of its pixels have."""

    def __init__(self, seed: int) -> None:
        means = MiniBatchKMeans(CLUSTERS, random_state=seed, n_init=3, batch_size=4096)
        self.means = make_pipeline(StandardScaler(), means)

    def fit(self, x: Features, y: NDArray[np.int64]) -> _Clusters:
        """Cluster the pixels, and name the clusters."""
        members = self.means.fit_predict(x)
        votes = np.zeros((CLUSTERS, int(y.max()) + 1), np.int64)
        np.add.at(votes, (members, y), 1)
        self.names = votes.argmax(axis=1)
        return self

    def predict(self, x: Features) -> NDArray[np.int64]:
        """Give the classes of pixels."""
        return np.asarray(self.names[self.means.predict(x)])


def _forest(seed: int) -> _Judge:
    forest: _Judge = RandomForestClassifier(40, min_samples_leaf=5, random_state=seed)
    return forest


def _machine(seed: int) -> _Judge:
    machine: _Judge = make_pipeline(StandardScaler(), LinearSVC(dual=False, random_state=seed))
    return machine


def _judge(kind: str, seed: int) -> _Judge:
    if kind not in KINDS:
        raise SettingsError([f"there is no pixel classifier {kind!r}; known: {', '.join(KINDS)}"])
    return KINDS[kind](seed)


KINDS: dict[str, Callable[[int], _Judge]] = {
    "kmeans": _Clusters,
    "random-forest": _forest,
    "svm": _machine,
}
"""What makes each pixel classifier, given a seed."""


def pixel_features(picture: Pixels) -> Features:
    """Describe every pixel: Lab colour, edges and unrest at several scales, and its place.

    Args:
        picture: RGB, uint8 ``(height, width, 3)``.

    Returns:
        Shape ``(height × width, features)``, row by row.
    """
    height, width = picture.shape[:2]
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    parts = [lab]
    for scale in SCALES:
        mean = cv2.GaussianBlur(lab, (0, 0), scale)
        spread = cv2.GaussianBlur(lab**2, (0, 0), scale) - mean**2
        lightness = np.ascontiguousarray(mean[..., 0])
        edges = [cv2.Sobel(lightness, cv2.CV_32F, 1, 0), cv2.Sobel(lightness, cv2.CV_32F, 0, 1)]
        parts += [mean, np.sqrt(np.maximum(spread, 0)), np.stack(edges, axis=2)]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    place = np.stack([x / width, y / height, np.abs(x / width - 0.5)], axis=2)
    every = np.concatenate([*parts, place], axis=2)
    return every.reshape(height * width, -1).astype(np.float32)


class PixelClassifier:
    """Pixels told apart one by one.

    Args:
        kind: ``kmeans``, ``random-forest`` or ``svm``.
        seed: same seed, same result.

    Raises:
        SettingsError: there is no such kind.
    """

    def __init__(self, kind: str, seed: int = 0) -> None:
        self.kind, self.seed = kind, seed
        self._judge = _judge(kind, seed)

    def fit(self, masked: Sequence[Masked], rule: MaskRule) -> PixelClassifier:
        """Learn from pixels of pictures with masks, those of rare classes drawn more often.

        By the root of their rarity: drawn evenly, a background of nine tenths would be all that
        is ever predicted.
        """
        rng = np.random.default_rng(self.seed)
        total = sum((rule.counts(one) for one in masked), np.zeros(len(rule.classes), np.int64))
        chance = 1 / np.sqrt(np.maximum(total, 1))
        opened = stream(lambda one: open_pair(one, rule, LONGEST), masked)
        features, classes = [], []
        for _, pair in track(opened, f"Pixels for {self.kind}", len(masked)):
            if isinstance(pair, PictureError):
                continue
            flat = pair[1].ravel()
            judged = np.flatnonzero(flat != VOID)
            if not len(judged):
                continue
            odds = chance[flat[judged]]
            drawn = rng.choice(judged, PIXELS, p=odds / odds.sum())
            features.append(pixel_features(pair[0])[drawn])
            classes.append(flat[drawn].astype(np.int64))
        self._judge.fit(np.concatenate(features), np.concatenate(classes))
        return self

    def predict(self, picture: Pixels) -> Mask:
        """Give the class number of every pixel, uint8 ``(height, width)``."""
        small = at_working_size(picture, LONGEST)
        found = self._judge.predict(pixel_features(small)).reshape(small.shape[:2])
        size = picture.shape[1], picture.shape[0]
        return cv2.resize(found.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(
            np.uint8
        )
