"""Pictures unlike all others, and pictures that hold several classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from garim.audit.evidence import Evidence
from garim.audit.findings import Finding
from garim.audit.networks import is_there

NEIGHBOURS, SHARE = 5, 30
"""The distance to the n-th nearest picture counts, n being a thirtieth of the pictures, at least 5:
so that trash is seen that is alike, such as thirty pictures of one other thing."""

_COMPARED = 20_000
"""Most pictures that each is compared with."""
_BLOCK = 1024

OTHER = 4.0
"""Log odds of its surest cells from which a class is in a picture beside the label (a probability
of .98): more than what is asked of the label, as most pictures show one thing."""


def outliers(evidence: Evidence) -> Finding:
    """Find pictures whose features are far from all others'.

    The distance is the cosine distance to the n-th nearest picture, copies left out. How much
    farther it is than the median, on a logarithmic scale, is divided by how much farther the upper
    tenth is; the score is 1 divided by that, at most 1.
    """
    features = evidence.of_network.features
    known = np.flatnonzero(np.isfinite(features).all(axis=1))
    scores = np.full(len(evidence.names), np.nan)
    if len(known) > 2 * NEIGHBOURS:
        far = np.log(np.maximum(_distances(features[known], evidence.groups[known]), 1e-6))
        usual, upper = np.median(far), np.quantile(far, 0.9)
        scores[known] = 1 / np.maximum((far - usual) / max(upper - usual, 1e-6), 1)
    per_row = scores[evidence.file_of]
    issues = np.nan_to_num(per_row, nan=1.0) < evidence.settings.outlier
    edits = tuple(
        evidence.edit(int(row), "drop", "is unlike all other pictures", "outliers")
        for row in np.flatnonzero(issues)
    )
    return Finding(scores=per_row, issues=issues, edits=edits)


def _distances(features: NDArray[np.float32], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Cosine distance to the n-th nearest picture that is no copy."""
    count = min(len(features), _COMPARED)
    drawn = np.sort(np.random.default_rng(0).choice(len(features), count, replace=False))
    others, nth = features[drawn].T, min(max(NEIGHBOURS, count // SHARE), count) - 1
    found = []
    for start in range(0, len(features), _BLOCK):
        far = 1 - features[start : start + _BLOCK] @ others
        far[groups[start : start + _BLOCK, None] == groups[drawn]] = 2
        found.append(np.partition(far, nth, axis=1)[:, nth])
    return np.concatenate(found).astype(np.float64)


def several_classes(evidence: Evidence) -> Finding:
    """Find pictures in which the model sees a class besides the label.

    The score is 1 minus the probability of the other class where it is surest, if the label is
    there too.
    """
    seen = evidence.of_network
    names = seen.classifier.classes if seen.classifier else ()
    scores = np.full(len(evidence.dataset), np.nan)
    issues = np.zeros(len(scores), dtype=bool)
    notes = {}
    if seen.presence is None or not names:
        return Finding(scores=scores, issues=issues)
    odds = seen.presence[evidence.file_of]
    for index, row in enumerate(evidence.dataset.rows):
        if row.label in names and np.isfinite(odds[index]).all():
            own = names.index(row.label)
            others = np.delete(np.arange(len(names)), own)
            surest = others[odds[index, others].argmax()] if len(others) else own
            scores[index] = 1 / (1 + np.exp(odds[index, surest])) if len(others) else 1.0
            sure = len(others) > 0 and odds[index, surest] >= OTHER
            issues[index] = sure and is_there(odds[index, [own]]).all()
            if issues[index]:
                there = [names[k] for k in others if odds[index, k] >= OTHER]
                notes[index] = f"{row.label} and {', '.join(there)}"
    return Finding(scores=scores, issues=issues, notes=notes)
