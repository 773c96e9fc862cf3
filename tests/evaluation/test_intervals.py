"""Intervals equal SciPy's bootstrap, up to the luck of the draws."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics

from garim.evaluation import intervals as ours
from garim.evaluation.intervals import interval, intervals, resampled

Numbers = NDArray[np.int64]


def judged(count: int = 300, classes: int = 3, seed: int = 0) -> tuple[Numbers, Numbers]:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, classes, count)
    return targets, np.where(rng.random(count) < 0.8, targets, rng.integers(0, classes, count))


FIGURES = {
    "accuracy": metrics.accuracy_score,
    "macro_f1": lambda t, p: metrics.f1_score(t, p, average="macro", zero_division=0),
    "second": lambda t, p: metrics.f1_score(t, p, labels=[1], average="macro", zero_division=0),
}


@pytest.mark.parametrize("name", FIGURES)
def test_intervals_are_those_of_scipy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    targets, predicted = judged(120)
    monkeypatch.setattr(ours, "RESAMPLES", 20_000)
    found = intervals(targets, predicted, ("a", "b", "c"))
    mine = {"accuracy": found.accuracy, "macro_f1": found.macro_f1, "second": found.f1["b"]}[name]
    theirs = stats.bootstrap(
        (targets, predicted), FIGURES[name], paired=True, vectorized=False, n_resamples=400,
        method="percentile", rng=np.random.default_rng(1),
    )  # fmt: skip
    assert mine == pytest.approx(tuple(theirs.confidence_interval), abs=0.02)


def test_the_figures_of_a_draw_are_those_of_scikit_learn() -> None:
    """Each cell of the table of labels and predictions, drawn twice, once, and not at all."""
    targets, predicted = np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 0, 2])
    cells = np.unique(np.stack([targets, predicted], 1), axis=0)
    drawn = np.array([[1, 1, 1, 1, 1], [2, 0, 3, 0, 0], [0, 2, 1, 0, 2]])
    accuracy, macro, f1 = ours._figures(drawn, cells[:, 0], cells[:, 1], 4)
    for i, times in enumerate(drawn):
        labels, said = np.repeat(cells, times, axis=0).T
        assert accuracy[i] == pytest.approx(metrics.accuracy_score(labels, said))
        assert macro[i] == pytest.approx(FIGURES["macro_f1"](labels, said))
        expected = metrics.f1_score(labels, said, labels=range(4), average=None, zero_division=0)
        assert f1[i] == pytest.approx(expected)


def test_the_same_pictures_give_the_same_intervals_in_any_order_and_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    targets, predicted = judged()
    first = intervals(targets, predicted, "abc")
    order = np.random.default_rng(3).permutation(len(targets))
    assert intervals(targets[order], predicted[order], "abc") == first
    low, high = first.accuracy
    assert low < (targets == predicted).mean() < high
    monkeypatch.setattr(ours, "_AT_ONCE", 50)
    parts = intervals(targets, predicted, "abc")
    assert parts.accuracy == pytest.approx(first.accuracy, abs=0.01)


def test_classifiers_are_judged_on_the_same_draws() -> None:
    targets, predicted = judged()
    one, same = resampled(targets, [predicted, predicted], 3)
    assert (one.accuracy == same.accuracy).all() and (one.f1 == same.f1).all()
    assert interval(one.accuracy - same.accuracy) == (0, 0)


def test_one_picture() -> None:
    found = intervals(np.array([1]), np.array([1]), ("a", "b"))
    assert (found.accuracy, found.macro_f1, found.f1["a"]) == ((1, 1), (1, 1), (0, 0))
