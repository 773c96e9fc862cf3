"""Which labels are wrong? Pure functions from class probabilities and given labels.

A given label is taken for what became of an unknown true one: with a probability that depends on
both classes, the *noise matrix* (Natarajan et al. 2013; Patrini et al. 2017). Expectation
maximization estimates the matrix and how sharp the probabilities really are, from cleanlab's
confident joint on (Northcutt et al. 2021). What comes out is the probability that each label is
wrong; so many are marked as give the highest expected F1 (Lipton et al. 2014), and the mean
probability of the marked ones estimates their precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import gammaln, softmax

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

_STEPS = 60
_FREE = 15
"""Steps before the strength of the prior is estimated too."""
_STRENGTHS = (5, 15, 50, 150, 500, 1500)
"""Pictures of each class that the prior counts for: that all mistakes are equally likely."""


@dataclass(frozen=True, slots=True)
class Noise:
    """What is known about the true labels."""

    posterior: Floats
    """Probability of each true class, given the picture and its label, shape ``(n, classes)``."""
    matrix: Floats
    """Probability of each label (column), given the true class (row)."""

    def wrong(self, labels: Labels) -> Floats:
        """Give the probability that each label is wrong, shape ``(n,)``."""
        return 1 - quality(labels, self.posterior)


def quality(labels: Labels, posterior: Floats) -> Floats:
    """Score labels from 0 to 1 (right): cleanlab's self-confidence."""
    from cleanlab.rank import get_label_quality_scores  # noqa: PLC0415 - slow to import

    return np.asarray(get_label_quality_scores(labels, posterior, adjust_pred_probs=False))


def estimate(probabilities: Floats, labels: Labels) -> Noise:
    """Estimate the noise.

    Args:
        probabilities: out-of-fold class probabilities, shape ``(n, classes)``.
        labels: class numbers as given, every class at least once.
    """
    from cleanlab.count import estimate_joint  # noqa: PLC0415 - slow to import

    logits = np.log(np.clip(probabilities, 1e-8, 1))
    joint = estimate_joint(labels, probabilities).T + 1e-3
    matrix, sharpness = joint / joint.sum(axis=1, keepdims=True), 4.0
    posterior = probabilities
    for step in range(_STEPS):
        clean = softmax(sharpness * logits, axis=1)
        posterior = _posterior(clean, matrix, labels)
        before, matrix = matrix, _matrix(posterior, labels, step >= _FREE)
        if step >= 5:
            sharpness = _sharpness(logits, matrix, labels)
        if step > _FREE and np.abs(matrix - before).max() < 1e-4:
            break
    clean = softmax(sharpness * logits, axis=1)
    return Noise(_posterior(clean, matrix, labels), matrix)


def marked(wrong: Floats) -> tuple[NDArray[np.bool_], float]:
    """Mark the labels that give the highest expected F1; estimate the precision of the marks."""
    order = np.argsort(-wrong, kind="stable")
    right_marks = np.cumsum(wrong[order])
    expected = 2 * right_marks / (np.arange(1, len(wrong) + 1) + wrong.sum())
    count = int(expected.argmax()) + 1 if len(wrong) and wrong.max() > 0.5 else 0
    marks = np.zeros(len(wrong), dtype=bool)
    marks[order[:count]] = True
    return marks, float(wrong[marks].mean()) if count else 0.0


def _posterior(clean: Floats, matrix: Floats, labels: Labels) -> Floats:
    joint = clean * matrix[:, labels].T
    return np.asarray(joint / joint.sum(axis=1, keepdims=True))


def _matrix(posterior: Floats, labels: Labels, adaptive: bool) -> Floats:
    """Average what became of each true class, drawn to equal mistakes where there are few."""
    classes = posterior.shape[1]
    counts = np.stack([posterior[labels == k].sum(axis=0) for k in range(classes)], axis=1)
    rate = max(1 - np.trace(counts) / counts.sum(), 1e-4)
    equal = np.full((classes, classes), rate / max(classes - 1, 1))
    np.fill_diagonal(equal, 1 - rate)
    strength = _strength(counts, equal) if adaptive else _STRENGTHS[0]
    drawn = counts + strength * equal
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


def _strength(counts: Floats, equal: Floats) -> float:
    """Choose the prior's strength by the likelihood of the counts (Dirichlet-multinomial)."""

    def likelihood(strength: float) -> float:
        prior = strength * equal
        whole = gammaln(prior.sum(axis=1)) - gammaln((prior + counts).sum(axis=1))
        return float(whole.sum() + (gammaln(prior + counts) - gammaln(prior)).sum())

    return max(_STRENGTHS, key=likelihood)


def _sharpness(logits: Floats, matrix: Floats, labels: Labels) -> float:
    """Choose how sharp the clean probabilities are, by the likelihood of the given labels."""

    def surprise(exponent: float) -> float:
        clean = softmax(np.exp(exponent) * logits, axis=1)
        return -float(np.log((clean * matrix[:, labels].T).sum(axis=1) + 1e-12).mean())

    return float(np.exp(minimize_scalar(surprise, bounds=(-1, 2), method="bounded").x))
