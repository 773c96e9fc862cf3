"""The selection rule: which crop, if any, replaces the extent that it was cut from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from garim.models.classifier import Scores


@dataclass(frozen=True, slots=True)
class Choice:
    """What the rule decided in one round."""

    winner: int | None
    """Index of the crop that replaces the extent; None to leave it."""
    found: bool
    """Whether the label is the prediction for the extent or for any crop."""


def choose(whole: Scores, crops: Scores, label: int) -> Choice:
    """Apply the document's rule.

    The best crop is the one with the highest score of the label among those *predicted* as the
    label. It replaces the extent when the extent is predicted as something else, or scores lower.

    The document looked the winner up by its score among all crops, so that a crop of another class
    with the same score could be taken; here only crops of the label can win.

    Args:
        whole: scores of the extent, shape ``(classes,)``.
        crops: scores of its crops, shape ``(n, classes)``.
        label: class number of the label.
    """
    right = whole.argmax() == label
    candidates = np.flatnonzero(crops.argmax(axis=1) == label)
    if not len(candidates):
        return Choice(None, bool(right))
    best = int(candidates[crops[candidates, label].argmax()])
    if right and crops[best, label] <= whole[label]:
        return Choice(None, True)
    return Choice(best, True)
