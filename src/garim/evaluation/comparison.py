"""Is one classifier better than another on the same pictures, or was it luck?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from garim.errors import Failure
from garim.evaluation.classification import ClassificationReport, classification_report
from garim.evaluation.intervals import Interval, interval, resampled, rounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A figure of the first model less that of the second."""

    value: float
    interval: Interval
    """Paired bootstrap: both models are judged on the same draws."""

    def to_dict(self) -> dict[str, Any]:
        """Give the difference as it stands in ``--json``."""
        return {"value": round(self.value, 4), "interval": rounded(self.interval)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A picture that two models classify differently."""

    picture: str
    label: str
    first: str
    first_score: float
    """Probability that the first model gives its class, 0 to 1."""
    second: str
    second_score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonReport:
    """Two classifiers on the same pictures."""

    first: ClassificationReport
    second: ClassificationReport
    accuracy: Difference
    macro_f1: Difference
    only_first: int
    """Pictures that only the first model classifies rightly."""
    only_second: int
    p_value: float
    """McNemar's exact test: how likely so uneven a split, or a more uneven one, would be if both
    models were equally good (McNemar 1947)."""
    disagreements: tuple[Disagreement, ...]
    """Pictures that the models see differently, those of one right model before others, the most
    certain mistakes first."""

    def to_dict(self) -> dict[str, Any]:
        """Give the comparison as it stands in ``--json``: the first model's report, and more."""
        return {
            **self.first.to_dict(),
            "against": self.second.to_dict(),
            "difference": {
                "accuracy": self.accuracy.to_dict(),
                "macro_f1": self.macro_f1.to_dict(),
                "only_first_right": self.only_first,
                "only_second_right": self.only_second,
                "mcnemar_p": round(self.p_value, 6),
            },
        }


def mcnemar(only_first: int, only_second: int) -> float:
    """Give the two-sided exact p-value of McNemar's test; 1 where the models never differ."""
    from scipy.stats import binomtest  # noqa: PLC0415 - slow to import

    differing = only_first + only_second
    return float(binomtest(only_first, differing).pvalue) if differing else 1.0


def comparison_report(
    targets: NDArray[np.int64],
    scores: tuple[NDArray[np.float32], NDArray[np.float32]],
    classes: Sequence[str],
    names: Sequence[str] = (),
    failures: Sequence[Failure] = (),
    sides: Sequence[int] = (),
    splits: Sequence[str | None] = (),
) -> ComparisonReport:
    """Compare the scores of two classifiers on the same pictures.

    Args:
        targets: class numbers, shape ``(n,)``.
        scores: each classifier's probabilities, shape ``(n, classes)``.
        classes: class names.
        names: the pictures' names, for the list of those that are seen differently.
        failures: pictures that were left out.
        sides: short sides of the original pictures in pixels, for the figures by size.
        splits: the pictures' splits, for the figures by split.

    Raises:
        DatasetError: no pictures to judge.
    """
    first, second = (
        classification_report(targets, one, classes, names, failures, sides, splits)
        for one in scores
    )
    said = [one.argmax(axis=1) for one in scores]
    one, other = resampled(targets, said, len(classes))
    right = [numbers == targets for numbers in said]
    only_first, only_second = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    return ComparisonReport(
        first=first,
        second=second,
        accuracy=Difference(
            value=first.accuracy - second.accuracy,
            interval=interval(one.accuracy - other.accuracy),
        ),
        macro_f1=Difference(
            value=first.macro["f1"] - second.macro["f1"],
            interval=interval(one.macro_f1 - other.macro_f1),
        ),
        only_first=only_first,
        only_second=only_second,
        p_value=mcnemar(only_first, only_second),
        disagreements=_disagreements(targets, scores, classes, names),
    )


def _disagreements(
    targets: NDArray[np.int64],
    scores: tuple[NDArray[np.float32], NDArray[np.float32]],
    classes: Sequence[str],
    names: Sequence[str],
) -> tuple[Disagreement, ...]:
    said = np.stack([one.argmax(axis=1) for one in scores])
    certain = np.stack([one.max(axis=1) for one in scores])
    right = said == targets
    mistaken = np.where(right, 0, certain).max(axis=0)
    differing = np.flatnonzero(said[0] != said[1])
    order = differing[np.lexsort((-mistaken[differing], ~right.any(axis=0)[differing]))]
    return tuple(
        Disagreement(
            picture=names[i],
            label=classes[targets[i]],
            first=classes[said[0, i]],
            first_score=float(certain[0, i]),
            second=classes[said[1, i]],
            second_score=float(certain[1, i]),
        )
        for i in order
        if len(names) > i
    )
