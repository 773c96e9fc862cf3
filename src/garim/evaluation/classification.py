"""How good is a classifier? The field's figures, from scikit-learn and torchmetrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from torchmetrics.functional.classification import multiclass_calibration_error

from garim.errors import DatasetError, Failure

CALIBRATION_BINS = 15
"""Bins of the expected calibration error, as in Guo et al. 2017."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """A picture that was classified wrongly."""

    picture: str
    label: str
    predicted: str
    score: float
    """Probability of the wrong class, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationReport:
    """How good a classifier is on a dataset."""

    classes: tuple[str, ...]
    matrix: NDArray[np.int64]
    """Confusion matrix ``(classes, classes)``: rows are labels, columns predictions."""
    per_class: dict[str, dict[str, float]]
    """``{label: {precision, recall, f1, support}}``; 0 where undefined, as in scikit-learn."""
    macro: dict[str, float]
    """Plain mean over classes that have pictures or predictions: precision, recall, f1."""
    weighted: dict[str, float]
    """Mean weighted by support: precision, recall, f1."""
    ece: float
    """Expected calibration error, 0 to 1."""
    mistakes: tuple[Mistake, ...] = ()
    """Wrongly classified pictures, the most certain first."""
    failures: tuple[Failure, ...] = field(default=())

    @property
    def pictures(self) -> int:
        """Pictures judged."""
        return int(self.matrix.sum())

    @property
    def accuracy(self) -> float:
        """Share of pictures classified rightly, 0 to 1."""
        return float(np.trace(self.matrix) / max(1, self.pictures))

    @property
    def majority_baseline(self) -> float:
        """Accuracy of always saying the most frequent class."""
        return float(self.matrix.sum(axis=1).max() / max(1, self.pictures))

    def to_dict(self) -> dict[str, Any]:
        """Give the report as it stands in ``--json``."""
        return {
            "pictures": self.pictures,
            "accuracy": round(self.accuracy, 4),
            "majority_baseline": round(self.majority_baseline, 4),
            "macro_f1": round(self.macro["f1"], 4),
            "weighted_f1": round(self.weighted["f1"], 4),
            "ece": round(self.ece, 4),
            "macro": _rounded(self.macro),
            "weighted": _rounded(self.weighted),
            "per_class": {name: _rounded(row) for name, row in self.per_class.items()},
            "confusion_matrix": self.matrix.tolist(),
            "failed": [failure.to_dict() for failure in self.failures],
        }


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {k: v if isinstance(v, int) else round(v, 4) for k, v in values.items()}


def classification_report(
    targets: NDArray[np.int64],
    scores: NDArray[np.float32],
    classes: Sequence[str],
    names: Sequence[str] = (),
    failures: Sequence[Failure] = (),
) -> ClassificationReport:
    """Judge class scores.

    Args:
        targets: class numbers, shape ``(n,)``.
        scores: probabilities, shape ``(n, classes)``.
        classes: class names.
        names: the pictures' names, for the list of mistakes.
        failures: pictures that were left out.

    Raises:
        DatasetError: no pictures to judge.
    """
    if not len(targets):
        raise DatasetError("there is no picture to judge: none has a label that the model knows")
    predicted = scores.argmax(axis=1)
    numbers = np.arange(len(classes))
    matrix = confusion_matrix(targets, predicted, labels=numbers)
    columns = precision_recall_fscore_support(targets, predicted, labels=numbers, zero_division=0)
    per_class = {
        name: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(s)}
        for name, p, r, f, s in zip(classes, *columns, strict=True)
    }
    return ClassificationReport(
        classes=tuple(classes),
        matrix=matrix.astype(np.int64),
        per_class=per_class,
        macro=_average(targets, predicted, "macro"),
        weighted=_average(targets, predicted, "weighted"),
        ece=_calibration_error(targets, scores),
        mistakes=_mistakes(targets, scores, classes, names),
        failures=tuple(failures),
    )


def _average(
    targets: NDArray[np.int64], predicted: NDArray[np.int64], average: str
) -> dict[str, float]:
    precision, recall, f1, _ = precision_recall_fscore_support(
        targets, predicted, average=average, zero_division=0
    )
    return {"precision": float(precision), "recall": float(recall), "f1": float(f1)}


def _calibration_error(targets: NDArray[np.int64], scores: NDArray[np.float32]) -> float:
    if scores.shape[1] < 2:
        return 0.0
    error = multiclass_calibration_error(
        torch.from_numpy(scores), torch.from_numpy(targets), scores.shape[1], CALIBRATION_BINS
    )
    return float(error)


def _mistakes(
    targets: NDArray[np.int64],
    scores: NDArray[np.float32],
    classes: Sequence[str],
    names: Sequence[str],
) -> tuple[Mistake, ...]:
    predicted, certain = scores.argmax(axis=1), scores.max(axis=1)
    wrong = np.flatnonzero(predicted != targets)
    order = wrong[np.argsort(-certain[wrong], kind="stable")]
    return tuple(
        Mistake(
            picture=names[i],
            label=classes[targets[i]],
            predicted=classes[predicted[i]],
            score=float(certain[i]),
        )
        for i in order
        if len(names) > i
    )
