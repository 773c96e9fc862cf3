"""Two classifiers on the same pictures: who is better, and is it luck?"""

from __future__ import annotations

from math import comb
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import stats

from garim import dataset
from garim.errors import DatasetError, ModelError, SettingsError
from garim.evaluation import comparison_report, evaluate
from garim.evaluation import intervals as bootstrap
from garim.evaluation.comparison import mcnemar
from garim.models.classifier import Card, Classifier
from garim.models.networks import create
from garim.plan import Plan

CLASSES = ("a", "b", "c")


def scores(said: list[int], certain: list[float]) -> NDArray[np.float32]:
    rest = [(1 - p) / 2 for p in certain]
    made = np.array([[r] * 3 for r in rest], np.float32)
    made[np.arange(len(said)), said] = certain
    return made


@pytest.mark.parametrize(("b", "c"), [(0, 0), (5, 5), (1, 8), (8, 1), (12, 3), (0, 7), (40, 20)])
def test_the_p_value_is_the_binomial_one(b: int, c: int) -> None:
    n = b + c
    tail = sum(comb(n, k) for k in range(min(b, c) + 1)) / 2**n
    assert mcnemar(b, c) == pytest.approx(min(1.0, 2 * tail))


def test_the_paired_interval_is_that_of_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 150)
    said = [np.where(rng.random(150) < p, targets, rng.integers(0, 3, 150)) for p in (0.9, 0.7)]
    monkeypatch.setattr(bootstrap, "RESAMPLES", 20_000)
    pair = tuple(scores(one.tolist(), [0.9] * 150) for one in said)
    found = comparison_report(targets, (pair[0], pair[1]), CLASSES)
    right = [(one == targets).astype(float) for one in said]
    theirs = stats.bootstrap(
        (right[0] - right[1],), np.mean, n_resamples=20_000, method="percentile",
        rng=np.random.default_rng(1),
    )  # fmt: skip
    assert found.accuracy.value == pytest.approx(right[0].mean() - right[1].mean())
    assert found.accuracy.interval == pytest.approx(tuple(theirs.confidence_interval), abs=0.008)
    assert found.only_first - found.only_second == (right[0] - right[1]).sum()
    told = found.to_dict()
    assert told["accuracy"] == found.first.to_dict()["accuracy"]
    assert told["against"] == found.second.to_dict()
    assert told["difference"]["accuracy"]["value"] == round(found.accuracy.value, 4)


def test_pictures_seen_differently_the_most_certain_mistakes_first() -> None:
    targets = np.array([0, 0, 0, 0, 1])
    first = scores([0, 1, 0, 1, 1], [0.9, 0.6, 0.9, 0.99, 0.9])
    second = scores([1, 0, 1, 2, 1], [0.7, 0.9, 0.95, 0.98, 0.9])
    found = comparison_report(targets, (first, second), CLASSES, ["p", "q", "r", "s", "t"])
    assert [one.picture for one in found.disagreements] == ["r", "p", "q", "s"]
    (r, *_) = found.disagreements
    assert (r.label, r.first, r.second) == ("a", "a", "b")
    assert (r.first_score, r.second_score) == pytest.approx((0.9, 0.95))
    assert (found.only_first, found.only_second) == (2, 1)


def classifier(size: int, classes: tuple[str, ...], seed: int = 0) -> Classifier:
    torch.manual_seed(seed)
    card = Card(architecture="small_cnn", classes=classes, size=size, mean=(0.5,) * 3,
                std=(0.5,) * 3)  # fmt: skip
    return Classifier(create("small_cnn", len(classes)), card)


@pytest.fixture
def data(tmp_path: Path) -> dataset.Dataset:
    rng = np.random.default_rng(0)
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for number in range(6):
            pixels = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / label / f"{number}.png")
    (tmp_path / "a" / "broken.png").write_text("no picture")
    return dataset.read(tmp_path)


def test_models_of_other_sizes_and_orders_of_classes(data: dataset.Dataset) -> None:
    one, other = classifier(32, ("a", "b")), classifier(48, ("b", "a"), seed=1)
    found = evaluate(one, data, other)
    alone = evaluate(other, data)
    assert found.first.to_dict() == evaluate(one, data).to_dict()
    for name in ("a", "b"):
        assert found.second.per_class[name] == alone.per_class[name]
    assert found.second.accuracy == alone.accuracy
    assert [f.picture for f in found.first.failures] == ["a/broken.png"]


def test_a_model_against_itself(data: dataset.Dataset) -> None:
    one = classifier(32, ("a", "b"))
    found = evaluate(one, data, one)
    assert (found.accuracy.value, found.accuracy.interval, found.p_value) == (0, (0, 0), 1)
    assert found.disagreements == ()


def test_what_cannot_be_compared(data: dataset.Dataset) -> None:
    one = classifier(32, ("a", "b"))
    with pytest.raises(ModelError, match=r"different classes: a, b; and a, c\. Compare"):
        evaluate(one, data, classifier(32, ("a", "c")))
    with pytest.raises(SettingsError, match=r"models of one kind.*Classifier and Plan"):
        evaluate(one, data, Plan(dataset=Path("x"), edits=()))  # type: ignore[call-overload]
    with pytest.raises(SettingsError, match="a str cannot be judged; what can: Classifier"):
        evaluate("model", data)  # type: ignore[call-overload]
    stranger = classifier(32, ("c", "d"))
    with pytest.raises(DatasetError, match="no picture to judge"):
        evaluate(stranger, data, stranger)
