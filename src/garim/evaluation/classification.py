"""How good is a classifier? The field's figures, from scikit-learn where it has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from garim.errors import DatasetError, Failure
from garim.evaluation.breakdown import Part, by_size, by_split
from garim.evaluation.intervals import Intervals, intervals
from garim.models.calibration import Bin, calibration_error, reliability


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
    reliability: tuple[Bin, ...]
    """Certainty against accuracy, in equal spans of the highest score."""
    intervals: Intervals
    """Of accuracy, macro F1, and F1 per class."""
    sizes: tuple[Part, ...] = ()
    """Figures by the short side of the original picture; none if all are of one size."""
    splits: tuple[Part, ...] = ()
    """Figures by split, where there are several."""
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
    def ece(self) -> float:
        """Expected calibration error, 0 to 1."""
        return calibration_error(self.reliability)

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
            "intervals": self.intervals.to_dict(),
            "sizes": {part.name: part.to_dict() for part in self.sizes},
            "splits": {part.name: part.to_dict() for part in self.splits},
            "reliability": [one.to_dict() for one in self.reliability],
            "confusion_matrix": self.matrix.tolist(),
            "failed": [failure.to_dict() for failure in self.failures],
        }

    def table(self) -> pl.DataFrame:
        """Give a line per class, and their macro and weighted averages."""
        lines: list[dict[str, Any]] = [{"class": n, **row} for n, row in self.per_class.items()]
        for name, average in (("macro average", self.macro), ("weighted average", self.weighted)):
            lines.append({"class": name, **average, "support": self.pictures})
        return pl.DataFrame(lines)

    def _repr_html_(self) -> str:
        """Show the table in a notebook."""
        low, high = self.intervals.accuracy
        head = f"accuracy {self.accuracy:.4f} ({low:.3f} to {high:.3f}), {self.pictures} pictures"
        return f"<p>{head}</p>{self.table()._repr_html_()}"


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {k: v if isinstance(v, int) else round(v, 4) for k, v in values.items()}


def classification_report(
    targets: NDArray[np.int64],
    scores: NDArray[np.float32],
    classes: Sequence[str],
    names: Sequence[str] = (),
    failures: Sequence[Failure] = (),
    sides: Sequence[int] = (),
    splits: Sequence[str | None] = (),
) -> ClassificationReport:
    """Judge class scores.

    Args:
        targets: class numbers, shape ``(n,)``.
        scores: probabilities, shape ``(n, classes)``.
        classes: class names.
        names: the pictures' names, for the list of mistakes.
        failures: pictures that were left out.
        sides: short sides of the original pictures in pixels, for the figures by size.
        splits: the pictures' splits, for the figures by split.

    Raises:
        DatasetError: no pictures to judge.
    """
    from sklearn.metrics import (  # noqa: PLC0415 - slow to import
        confusion_matrix,
        precision_recall_fscore_support,
    )

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
        reliability=reliability(targets, scores),
        intervals=intervals(targets, predicted, classes),
        sizes=by_size(targets, predicted, sides),
        splits=by_split(targets, predicted, splits),
        mistakes=_mistakes(targets, scores, classes, names),
        failures=tuple(failures),
    )


def _average(
    targets: NDArray[np.int64], predicted: NDArray[np.int64], average: str
) -> dict[str, float]:
    from sklearn.metrics import precision_recall_fscore_support  # noqa: PLC0415

    precision, recall, f1, _ = precision_recall_fscore_support(
        targets, predicted, average=average, zero_division=0
    )
    return {"precision": float(precision), "recall": float(recall), "f1": float(f1)}


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
