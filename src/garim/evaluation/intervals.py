"""How sure a figure is: confidence intervals by bootstrap over the pictures (Efron 1979).

Figures of a classifier depend only on how often each label was predicted as what, so that drawing
n of n pictures with replacement is one draw from a multinomial distribution over these pairs. That
is the same as drawing pictures, and takes no longer for many pictures than for few.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

RESAMPLES = 1000
"""Times that the pictures are drawn."""

LEVEL = 0.95
"""Share of the draws that an interval holds."""

SEED = 0
"""Same pictures, same intervals."""

_AT_ONCE = 20_000_000

Interval = tuple[float, float]
"""Lower and upper end."""

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Drawn:
    """The figures of one classifier in every resample."""

    accuracy: Floats
    """Shape ``(resamples,)``."""
    macro_f1: Floats
    """Mean over the classes that a resample has labels or predictions of: ``(resamples,)``."""
    f1: Floats
    """Shape ``(resamples, classes)``; 0 where undefined, as in scikit-learn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """Percentile intervals of a classifier's figures."""

    accuracy: Interval
    macro_f1: Interval
    f1: dict[str, Interval]
    """Per class."""

    def to_dict(self) -> dict[str, Any]:
        """Give the intervals as they stand in ``--json``."""
        return {
            "level": LEVEL,
            "resamples": RESAMPLES,
            "accuracy": rounded(self.accuracy),
            "macro_f1": rounded(self.macro_f1),
            "per_class": {name: {"f1": rounded(one)} for name, one in self.f1.items()},
        }


def resampled(targets: Numbers, predictions: Sequence[Numbers], classes: int) -> list[Drawn]:
    """Bootstrap the figures of one or more classifiers, all on the same draws.

    Args:
        targets: class numbers, shape ``(n,)``.
        predictions: predicted class numbers of each classifier, shape ``(n,)``.
        classes: number of classes.
    """
    judged = np.stack([targets, *predictions], axis=1)
    cells, counts = np.unique(judged, axis=0, return_counts=True)
    parts = list(_draws(counts))
    return [
        Drawn(*(np.concatenate(one) for one in zip(*figures, strict=True)))
        for column in range(1, cells.shape[1])
        for figures in [[_figures(d, cells[:, 0], cells[:, column], classes) for d in parts]]
    ]


def _draws(counts: Numbers) -> Iterator[Numbers]:
    """Give how often each cell was drawn, ``(resamples, cells)``, in parts that fit in memory."""
    rng = np.random.default_rng(SEED)
    total = int(counts.sum())
    left, most = RESAMPLES, max(1, _AT_ONCE // len(counts))
    while left:
        yield rng.multinomial(total, counts / total, size=min(left, most))
        left -= min(left, most)


def _figures(
    drawn: Numbers, labels: Numbers, predicted: Numbers, classes: int
) -> tuple[Floats, Floats, Floats]:
    right = labels == predicted
    hits = drawn[:, right] @ _of_class(labels[right], classes)
    both = drawn @ (_of_class(labels, classes) + _of_class(predicted, classes))
    f1 = np.divide(2 * hits, both, out=np.zeros(both.shape), where=both > 0)
    macro = f1.sum(axis=1) / (both > 0).sum(axis=1)
    return hits.sum(axis=1) / drawn.sum(axis=1), macro, f1


def _of_class(numbers: Numbers, classes: int) -> csr_array:
    """Mark the class of every cell: shape ``(cells, classes)``."""
    places = np.arange(len(numbers))
    ones = np.ones(len(numbers), np.int64)
    return csr_array((ones, (places, numbers)), shape=(len(numbers), classes))


def interval(values: Floats) -> Interval:
    """Give the percentile interval of a figure's draws, shape ``(resamples,)``."""
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def intervals(targets: Numbers, predicted: Numbers, classes: Sequence[str]) -> Intervals:
    """Give the intervals of a classifier's accuracy, macro F1, and F1 per class."""
    (drawn,) = resampled(targets, [predicted], len(classes))
    return Intervals(
        accuracy=interval(drawn.accuracy),
        macro_f1=interval(drawn.macro_f1),
        f1={name: interval(drawn.f1[:, i]) for i, name in enumerate(classes)},
    )


def rounded(one: Interval) -> list[float]:
    """Give an interval as it stands in ``--json``."""
    return [round(end, 4) for end in one]
