"""What a check finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from garim.plan import Edit

Scores = NDArray[np.float64]
"""One per row of the dataset, 0 to 1, lower is worse; NaN where nothing can be said."""

Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures that belong together."""

    first: int
    """Number of the row."""
    second: int
    """Number of the row."""
    similarity: float
    """How well they agree, 0 to 1."""
    kind: str
    """How the second came from the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check on all rows."""

    scores: Scores
    issues: Marks
    pairs: tuple[Pair, ...] = ()
    edits: tuple[Edit, ...] = ()
    notes: Mapping[int, str] = field(default_factory=dict)
    """A few words about some rows."""
    facts: tuple[str, ...] = ()
    """Sentences about the dataset as a whole."""
    precision: float | None = None
    """Estimated share of the issues that are right, where the check can tell."""


def below(scores: Scores, threshold: float) -> Finding:
    """Mark the rows below a threshold, unless that is what the whole dataset is like.

    Where half of the pictures are near the threshold (microscope pictures are dark, silhouettes
    have two tones), only those are marked that are under half of the median.
    """
    known = scores[np.isfinite(scores)]
    limit = min(threshold, float(np.median(known)) / 2) if len(known) else threshold
    return Finding(scores=scores, issues=np.nan_to_num(scores, nan=1.0) < limit)
