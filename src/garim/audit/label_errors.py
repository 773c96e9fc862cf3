"""Wrong labels: out-of-fold predictions against the given labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from garim.audit.evidence import Evidence
from garim.audit.findings import Finding
from garim.audit.label_noise import Noise, estimate, marked, quality
from garim.audit.networks import out_of_fold
from garim.errors import PictureError
from garim.pictures import square
from garim.plan import Edit
from garim.streaming import steps, stream

FEWEST = 5
"""Different pictures that a class needs for its labels to be judged."""

ROUNDS = (0.3, 0.6, 1.0, 2.0, 3.0)
"""Inverse regularization of each round: the first must not learn the errors, the last learns from
labels that are mostly right."""

_COMPONENTS = 256
_CERTAIN = 0.5
"""Probability from which another label is proposed; below, the picture is left out."""

Floats = NDArray[np.float64]


def label_errors(evidence: Evidence) -> Finding:
    """Find labels that contradict what the pictures of the other folds taught.

    The suggested label is the likeliest true class. The score is the probability that the label
    is right.
    """
    judged = _judged(evidence)
    scores = np.full(len(evidence.dataset), np.nan)
    issues = np.zeros(len(evidence.dataset), dtype=bool)
    if len(np.unique(evidence.targets[judged])) < 2:
        return Finding(scores=scores, issues=issues)
    noise, classes = _noise(evidence, judged)
    labels = np.searchsorted(classes, evidence.targets[judged])
    scores[judged] = quality(labels, noise.posterior)
    marks, precision = marked(noise.wrong(labels))
    issues[judged] = marks
    others = noise.posterior.copy()
    others[np.arange(len(labels)), labels] = 0
    names = [evidence.dataset.classes[k] for k in classes[others.argmax(axis=1)]]
    suggested = {
        int(row): (name, float(chance))
        for row, name, chance, mark in zip(judged, names, others.max(axis=1), marks, strict=True)
        if mark
    }
    return Finding(
        scores=scores,
        issues=issues,
        edits=tuple(_edit(evidence, row, *one) for row, one in suggested.items()),
        notes={row: f"{evidence.row(row).label} → {name}?" for row, (name, _) in suggested.items()},
        facts=(f"An estimated {precision:.0%} of the marked labels are wrong.",) * bool(suggested),
        precision=precision if suggested else None,
    )


def _edit(evidence: Evidence, row: int, to: str, chance: float) -> Edit:
    """Relabel where the right label is clear; else leave the picture out."""
    if chance >= _CERTAIN:
        reason = f"is {to!r} with a probability of {chance:.0%}"
        return evidence.edit(row, "relabel", reason, "label_errors", to=to)
    reason = f"its label is probably wrong, and which is right is not clear ({to!r} {chance:.0%})"
    return evidence.edit(row, "drop", reason, "label_errors")


def _judged(evidence: Evidence) -> NDArray[np.int64]:
    """Number the rows whose labels can be judged: enough pictures of the class, and opened."""
    opened = evidence.per_row(evidence.looks.prints.opened)
    groups = evidence.groups[evidence.file_of]
    fit = opened & (evidence.targets >= 0)
    if evidence.of_network.probabilities is not None:
        fit &= np.isin(evidence.targets, _columns(evidence)[0])
    for target in np.unique(evidence.targets):
        mine = fit & (evidence.targets == target)
        if len(np.unique(groups[mine])) < FEWEST:
            fit &= ~mine
    return np.flatnonzero(fit)


def _noise(evidence: Evidence, judged: NDArray[np.int64]) -> tuple[Noise, NDArray[np.int64]]:
    """Estimate the noise of the judged rows; their classes in the order of the columns."""
    seen = evidence.of_network
    classes = np.unique(evidence.targets[judged])
    labels = np.searchsorted(classes, evidence.targets[judged])
    files = evidence.file_of[judged]
    if seen.probabilities is not None:
        known, columns = _columns(evidence)
        kept = columns[np.isin(known, classes)]
        given = _unseen(evidence, seen.probabilities)[files][:, kept].astype(np.float64)
        given /= np.maximum(given.sum(axis=1, keepdims=True), 1e-9)
        return estimate(given, labels), classes
    features = fewer(seen.features[files])
    chosen = evidence.settings
    groups = evidence.groups[files]
    return in_rounds(features, labels, groups, chosen.folds, chosen.seed).noise, classes


def _columns(evidence: Evidence) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Class numbers of the dataset that the model knows, sorted, and the model's columns."""
    model, number = evidence.of_network.classifier, evidence.dataset.class_index()
    names = model.classes if model else ()
    pairs = sorted((number[name], at) for at, name in enumerate(names) if name in number)
    return np.array([a for a, _ in pairs], np.int64), np.array([b for _, b in pairs], np.int64)


def _unseen(evidence: Evidence, given: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities; copies of training pictures are judged by those pictures' folds."""
    model, result = evidence.of_network.classifier, given.copy()
    if model is None:
        return result
    fold_of = model.card.fold_of
    digests = [name.decode() for name in evidence.looks.prints.digests.tolist()]
    trained = {int(evidence.groups[i]): d for i, d in enumerate(digests) if d in fold_of}
    again = [i for i, d in enumerate(digests)
             if d and d not in fold_of and int(evidence.groups[i]) in trained]  # fmt: skip
    paths = [evidence.dataset.root / evidence.names[i] for i in again]
    opened = stream(lambda path: square(path, model.card.size), paths)
    for index, (_, pixels) in zip(again, opened, strict=True):
        if not isinstance(pixels, PictureError):
            result[index] = out_of_fold(model, pixels[None], [trained[int(evidence.groups[index])]])
    return result


@dataclass(frozen=True, slots=True)
class Judged:
    """The last round."""

    noise: Noise
    probabilities: Floats
    """Out-of-fold class probabilities, shape ``(n, classes)``."""


def fewer(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Keep the principal components, at most 256 of them: they do not know the labels."""
    from sklearn.decomposition import PCA  # noqa: PLC0415 - slow to import

    count = min(_COMPONENTS, *features.shape)
    made = PCA(count, svd_solver="randomized", random_state=0).fit_transform(features)
    return np.asarray(made, dtype=np.float32)


def in_rounds(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    folds: int,
    seed: int,
) -> Judged:
    """Train on the other folds, mark what is wrong there, and train again without it.

    Args:
        features: shape ``(n, components)``.
        labels: class numbers, shape ``(n,)``.
        groups: copies share a number, and a fold.
        folds: how many.
        seed: decides the folds.
    """
    kept = np.ones(len(labels), dtype=bool)
    with steps("Judging labels", len(ROUNDS)) as step:
        for strength in ROUNDS:
            given = probabilities(features, labels, groups, kept, folds, seed, strength)
            noise = estimate(given, labels)
            kept = noise.wrong(labels) < 0.5
            step(1)
    return Judged(noise, given)


def probabilities(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    kept: NDArray[np.bool_],
    folds: int,
    seed: int,
    strength: float,
) -> Floats:
    """Give class probabilities by logistic regressions that have not seen the picture or a copy.

    Args:
        features: shape ``(n, components)``.
        labels: class numbers, shape ``(n,)``.
        groups: copies share a number, and a fold.
        kept: which rows may be trained on.
        folds: how many.
        seed: decides the folds.
        strength: inverse of the regularization.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - slow to import
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415

    given = np.zeros((len(labels), labels.max() + 1))
    dealt = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for others, mine in dealt.split(features, labels, groups):
        chosen = others[kept[others]]
        model = LogisticRegression(C=strength, max_iter=300)
        model.fit(features[chosen], labels[chosen])
        given[np.ix_(mine, model.classes_)] = model.predict_proba(features[mine])
    return given
