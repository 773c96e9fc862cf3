"""What came of several trainings: figures over seeds, and by how much they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from garim.errors import Failure

LEVEL = 0.95
"""Confidence of the intervals."""

COLUMNS = ("settings", "accuracy", "macro F1", "accuracy, difference", "macro F1, difference")
"""Columns of the table; differences are from its first line."""

Value = str | int | float | bool
"""What a setting that is varied may be."""


def combination(values: Mapping[str, Value]) -> str:
    """Name a combination of settings."""
    return ", ".join(f"{name}={value}" for name, value in values.items()) or "as it is"


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over seeds and its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def text(self, sign: str = "") -> str:
        """Write it with its interval; with the sign ``+``, as a difference."""
        return f"{self.value:{sign}.3f} ± {self.high - self.value:.3f}"

    def to_dict(self) -> dict[str, float]:
        """Give it as it stands in ``--json``."""
        return {
            "mean": round(self.value, 4),
            "low": round(self.low, 4),
            "high": round(self.high, 4),
        }


def mean_over_seeds(values: Sequence[float]) -> Mean:
    """Give the mean of at least two values and its interval by Student's t."""
    from scipy.stats import t as student  # noqa: PLC0415 - slow to import

    value = float(np.mean(values))
    reach = student.ppf((1 + LEVEL) / 2, len(values) - 1) * np.std(values, ddof=1)
    reach = float(reach / np.sqrt(len(values)))
    return Mean(value, value - reach, value + reach)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One training, judged on the test pictures."""

    seed: int
    accuracy: float
    macro_f1: float
    f1: dict[str, float]
    """Per class."""
    epochs: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One combination of settings."""

    settings: dict[str, Value]
    outcomes: tuple[Outcome, ...]
    """One per seed."""

    @property
    def name(self) -> str:
        """Name the combination."""
        return combination(self.settings)

    def mean(self, figure: str, label: str | None = None) -> Mean:
        """Give the mean of ``accuracy`` or ``macro_f1``, or of the F1 of one class."""
        return mean_over_seeds(self._each(figure, label))

    def gain(self, other: Arm, figure: str) -> Mean:
        """Give by how much the figure is higher than another's, paired by seed."""
        pairs = zip(self._each(figure), other._each(figure), strict=True)
        return mean_over_seeds([mine - theirs for mine, theirs in pairs])

    def _each(self, figure: str, label: str | None = None) -> list[float]:
        return [o.f1[label] if label is not None else getattr(o, figure) for o in self.outcomes]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingComparison:
    """Several settings over the same seeds, judged on the same pictures."""

    classes: tuple[str, ...]
    test_pictures: int
    arms: tuple[Arm, ...]
    """The first is what the others are compared with."""
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()

    def rows(self) -> list[tuple[str, ...]]:
        """Write each line of the table of `COLUMNS`."""
        first = self.arms[0]
        figures = ("accuracy", "macro_f1")
        return [
            (
                arm.name,
                *(arm.mean(figure).text() for figure in figures),
                *("" if arm is first else arm.gain(first, f).text("+") for f in figures),
            )
            for arm in self.arms
        ]

    def rows_per_class(self) -> list[tuple[str, ...]]:
        """Write each combination with the F1 of every class."""
        return [
            (arm.name, *(arm.mean("f1", label).text() for label in self.classes))
            for arm in self.arms
        ]

    def to_dict(self) -> dict[str, Any]:
        """Give the comparison as it stands in ``--json``."""
        return {
            "classes": list(self.classes),
            "test_pictures": self.test_pictures,
            "seeds": len(self.arms[0].outcomes),
            "settings": [self._arm(arm) for arm in self.arms],
            "notes": list(self.notes),
            "failed": [failure.to_dict() for failure in self.failures],
        }

    def _arm(self, arm: Arm) -> dict[str, Any]:
        first = self.arms[0]
        compared = () if arm is first else ("accuracy", "macro_f1")
        return {
            "settings": arm.settings,
            "accuracy": arm.mean("accuracy").to_dict(),
            "macro_f1": arm.mean("macro_f1").to_dict(),
            "f1": {label: arm.mean("f1", label).to_dict() for label in self.classes},
            "difference": {figure: arm.gain(first, figure).to_dict() for figure in compared},
            "seconds": round(sum(o.seconds for o in arm.outcomes), 1),
            "runs": [{f.name: getattr(o, f.name) for f in fields(o)} for o in arm.outcomes],
        }
