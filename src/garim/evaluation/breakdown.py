"""Where a classifier is good and where it is not: its figures by size of picture and by split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZES = 4
"""Most groups by size; each holds about as many pictures as the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The figures of some of the pictures."""

    name: str
    pictures: int
    accuracy: float
    macro_f1: float

    def to_dict(self) -> dict[str, Any]:
        """Give the part as it stands in ``--json``, without its name."""
        found = {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}
        del found["name"]
        return found


def by_size(
    targets: NDArray[np.int64], predicted: NDArray[np.int64], sides: Sequence[int]
) -> tuple[Part, ...]:
    """Judge small and large pictures apart.

    Args:
        targets: class numbers, shape ``(n,)``.
        predicted: the same.
        sides: short side of each original picture in pixels; none where unknown.

    Returns:
        Up to `SIZES` parts, small ones first; none if all pictures are of one size.
    """
    short = np.asarray(sides)
    different = np.unique(short)
    if len(different) < 2:
        return ()
    shares = np.linspace(0, 1, SIZES + 1)[1:-1]
    edges = np.unique(np.maximum(np.quantile(short, shares, method="higher"), different[1]))
    number = np.searchsorted(edges, short, side="right")
    groups = [number == one for one in np.unique(number)]
    names = [_span(int(short[group].min()), int(short[group].max())) for group in groups]
    return _parts(targets, predicted, dict(zip(names, groups, strict=True)))


def _span(low: int, high: int) -> str:
    return f"{low} px" if low == high else f"{low}–{high} px"


def by_split(
    targets: NDArray[np.int64], predicted: NDArray[np.int64], splits: Sequence[str | None]
) -> tuple[Part, ...]:
    """Judge each split apart; nothing if there is but one."""
    names = list(dict.fromkeys(splits))
    groups = {name or "no split": np.array([one == name for one in splits]) for name in names}
    return _parts(targets, predicted, groups)


def _parts(
    targets: NDArray[np.int64],
    predicted: NDArray[np.int64],
    groups: dict[str, NDArray[np.bool_]],
) -> tuple[Part, ...]:
    from sklearn.metrics import f1_score  # noqa: PLC0415 - slow to import

    if len(groups) < 2:
        return ()
    return tuple(
        Part(
            name=name,
            pictures=int(group.sum()),
            accuracy=float(np.mean(targets[group] == predicted[group])),
            macro_f1=float(
                f1_score(targets[group], predicted[group], average="macro", zero_division=0)
            ),
        )
        for name, group in groups.items()
    )
