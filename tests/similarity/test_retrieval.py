from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from torchmetrics.functional.retrieval import retrieval_precision

from garim.errors import DatasetError
from garim.similarity.retrieval import average_precision, retrieval_report


def drawn(queries: int, count: int) -> tuple[np.ndarray, list[str], list[str]]:
    rng = np.random.default_rng(0)
    labels = [str(v) for v in rng.integers(4, size=count)]
    asked = [str(v) for v in rng.integers(4, size=queries)]
    return rng.random((queries, count)).astype(np.float32), asked, labels


def test_average_precision_is_scikit_learns() -> None:
    alike, asked, labels = drawn(20, 60)
    relevant = np.array([[label == one for label in labels] for one in asked])
    order = np.argsort(-alike, axis=1)
    found = average_precision(np.take_along_axis(relevant, order, axis=1))
    each = [average_precision_score(r, s) for r, s in zip(relevant, alike, strict=True)]
    assert np.allclose(found, each, atol=1e-6)


def test_figures_of_queries_from_outside() -> None:
    alike, asked, labels = drawn(20, 60)
    told = retrieval_report(iter([(None, alike[:7]), (None, alike[7:])]), asked, labels)
    precise, bullseye, ap = [], [], []
    for row, label in zip(alike, asked, strict=True):
        target = np.array([one == label for one in labels])
        precise.append(float(retrieval_precision(
            torch.from_numpy(row), torch.from_numpy(target), top_k=10)))  # fmt: skip
        ap.append(average_precision_score(target, row))
        nearest = np.argsort(-row)[: 2 * target.sum()]
        bullseye.append(target[nearest].sum() / target.sum())
    assert told.precision_at_10 == pytest.approx(np.mean(precise), abs=1e-6)
    assert told.map == pytest.approx(np.mean(ap), abs=1e-6)
    assert told.bullseye == pytest.approx(np.mean(bullseye), abs=1e-6)
    assert told.queries == 20 == sum(one["queries"] for one in told.per_class.values())


def test_leaving_one_out() -> None:
    alike, _, labels = drawn(30, 30)
    alike = (alike + alike.T) / 2
    told = retrieval_report(iter([(list(range(30)), alike)]), labels, labels)
    ap, bullseye = [], []
    for i, label in enumerate(labels):
        others = np.delete(np.arange(30), i)
        target = np.array([labels[j] == label for j in others])
        ap.append(average_precision_score(target, alike[i, others]))
        size = target.sum() + 1
        near = others[np.argsort(-alike[i, others])][: 2 * size - 1]
        bullseye.append((1 + sum(labels[j] == label for j in near)) / size)
    assert told.map == pytest.approx(np.mean(ap), abs=1e-6)
    assert told.bullseye == pytest.approx(np.mean(bullseye), abs=1e-6)


def test_who_has_nothing_to_find_is_left_out() -> None:
    labels = ["a", "a", "b", None]
    alike = np.eye(4, dtype=np.float32)
    told = retrieval_report(iter([(list(range(4)), alike)]), labels, labels)
    assert (told.queries, told.without_match) == (2, 2)
    with pytest.raises(DatasetError, match="no query has a label"):
        retrieval_report(iter([(None, alike[:1])]), ["z"], labels)
