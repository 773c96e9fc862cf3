"""What a classifier's certainty is worth, and how it is made honest by one number.

Guo, Pleiss, Sun, Weinberger 2017, "On calibration of modern neural networks".
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

BINS = 15
"""Bins of the reliability diagram and the expected calibration error, as in the paper."""

LEAST, MOST = 0.1, 10.0
"""Temperatures that are believed."""

FEWEST = 20
"""Pictures below which a temperature would be a guess."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """The pictures whose highest score lies in one span."""

    low: float
    high: float
    pictures: int
    confidence: float
    """Mean of their highest scores, 0 to 1; 0 without pictures."""
    accuracy: float
    """Share of them that is classified rightly, 0 to 1; 0 without pictures."""

    def to_dict(self) -> dict[str, float]:
        """Give the bin as it stands in ``--json``."""
        return {k: v if isinstance(v, int) else round(v, 4) for k, v in asdict(self).items()}


def reliability(targets: NDArray[np.int64], scores: NDArray[np.float32]) -> tuple[Bin, ...]:
    """Compare certainty with accuracy in `BINS` equal spans of the highest score.

    Args:
        targets: class numbers, shape ``(n,)``.
        scores: probabilities, shape ``(n, classes)``.
    """
    certain = scores.max(axis=1, initial=0)
    right = scores.argmax(axis=1) == targets
    edges = np.linspace(0, 1, BINS + 1, dtype=np.float32)
    number = np.clip(np.searchsorted(edges, certain, side="right") - 1, 0, BINS - 1)
    counts, sums, hits = (
        np.bincount(number, weights=w, minlength=BINS) for w in (None, certain, right)
    )
    shared = np.maximum(counts, 1)
    return tuple(
        Bin(low=i / BINS, high=(i + 1) / BINS, pictures=int(n), confidence=float(c),
            accuracy=float(a))
        for i, (n, c, a) in enumerate(zip(counts, sums / shared, hits / shared, strict=True))
    )  # fmt: skip


def calibration_error(bins: tuple[Bin, ...]) -> float:
    """Give the expected calibration error, 0 to 1: the mean gap of the bins, by their pictures."""
    gaps = sum(one.pictures * abs(one.accuracy - one.confidence) for one in bins)
    return gaps / max(1, sum(one.pictures for one in bins))


def softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float32]:
    """Turn logits ``(n, classes)`` into probabilities at a temperature."""
    warm = logits.astype(np.float64) / temperature
    return np.asarray(np.exp(warm - logsumexp(warm, axis=1, keepdims=True)), dtype=np.float32)


def fit_temperature(logits: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
    """Give the temperature that makes the negative log-likelihood least.

    Logits divided by it order the classes as before. 1 where there is nothing to learn it from:
    fewer than `FEWEST` pictures, or none that is classified wrongly, so that every lower
    temperature would seem better still.

    Args:
        logits: of pictures that the network was not trained on, shape ``(n, classes)``.
        targets: their class numbers, shape ``(n,)``.
    """
    wrong = logits.argmax(axis=1) != targets if len(targets) else np.zeros(0, bool)
    if len(targets) < FEWEST or not wrong.any():
        return 1.0
    values = logits.astype(np.float64)
    own = values[np.arange(len(targets)), targets]

    def loss(log_temperature: float) -> float:
        factor = np.exp(-log_temperature)
        return float(np.mean(logsumexp(values * factor, axis=1) - own * factor))

    # Convex in 1 / temperature, so that any valley is the deepest.
    span = (np.log(LEAST), np.log(MOST))
    found = minimize_scalar(loss, bounds=span, method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))
