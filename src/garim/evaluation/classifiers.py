"""Classifiers judged on the labels of a dataset: one, or two side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from garim.dataset import Dataset
from garim.errors import Failure, ModelError, PictureError
from garim.evaluation.classification import ClassificationReport, classification_report
from garim.evaluation.comparison import ComparisonReport, comparison_report
from garim.formats.rows import Row
from garim.models.classifier import Classifier, Scores
from garim.prediction.scoring import Scored, scored


def evaluate_classifier(classifier: Classifier, data: Dataset) -> ClassificationReport:
    """Judge a classifier on the labels of a dataset.

    Pictures that cannot be opened, or whose label the model does not know, are left out and
    listed.

    Raises:
        DatasetError: no picture can be judged.
    """
    seen = _seen(data, [classifier])
    return classification_report(
        seen.targets, seen.scores[0], classifier.classes, seen.names, seen.failures, seen.sides,
        seen.splits,
    )  # fmt: skip


def compare_classifiers(first: Classifier, second: Classifier, data: Dataset) -> ComparisonReport:
    """Judge two classifiers on the same pictures; their inputs may differ in size.

    Raises:
        ModelError: they do not have the same classes.
        DatasetError: no picture can be judged.
    """
    if set(first.classes) != set(second.classes):
        raise ModelError(
            f"the models have different classes: {', '.join(first.classes)}; and "
            f"{', '.join(second.classes)}. Compare models that were trained on the same classes."
        )
    seen = _seen(data, [first, second])
    order = [second.classes.index(name) for name in first.classes]
    scores = seen.scores[0], seen.scores[1][:, order]
    return comparison_report(
        seen.targets, scores, first.classes, seen.names, seen.failures, seen.sides, seen.splits
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """The pictures that can be judged, what classifiers said about them, and what was left out."""

    targets: NDArray[np.int64]
    scores: list[Scores]
    """Of each classifier, shape ``(n, classes)``."""
    names: list[str]
    sides: list[int]
    splits: list[str | None]
    failures: list[Failure]


def _seen(data: Dataset, classifiers: Sequence[Classifier]) -> _Seen:
    """Score the pictures whose label the first classifier knows with each of the classifiers."""
    number = {name: index for index, name in enumerate(classifiers[0].classes)}
    known = [row for row in data.rows if row.label in number]
    unknown = [row for row in data.rows if row.label not in number]
    failures = [Failure(row.file_name, _unknown(row.label)) for row in unknown]
    paths = [data.path(row) for row in known]
    streams = [scored(one, paths, "Evaluating") for one in classifiers]
    rows: list[Row] = []
    looks: list[list[Scored]] = []
    for row, *results in zip(known, *streams, strict=True):
        wrong = next((one for one in results if isinstance(one, PictureError)), None)
        if wrong is not None:
            failures.append(Failure(row.file_name, wrong.reason))
        else:
            rows.append(row)
            looks.append([one for one in results if isinstance(one, Scored)])
    empty = np.zeros((0, len(number)), np.float32)
    return _Seen(
        targets=np.array([number[row.label or ""] for row in rows], dtype=np.int64),
        scores=[
            np.stack([look[i].scores for look in looks]) if looks else empty
            for i in range(len(classifiers))
        ],
        names=[row.file_name for row in rows],
        sides=[min(look[0].size) for look in looks],
        splits=[row.split for row in rows],
        failures=failures,
    )


def _unknown(label: str | None) -> str:
    if label is None:
        return "has no label"
    return f"its label {label!r} is not one of the model's classes"
