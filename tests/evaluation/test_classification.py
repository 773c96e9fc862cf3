from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from sklearn import metrics
from torchmetrics.functional import classification as tm

from garim import dataset
from garim.errors import DatasetError
from garim.evaluation import classification_report, evaluate
from garim.models.classifier import Card, Classifier
from garim.models.networks import create

CLASSES = ("가", "b", "c c", "d")


@st.composite
def judged(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Labels, of which some classes may be absent, and probabilities without ties."""
    count = draw(st.integers(1, 30))
    targets = draw(hnp.arrays(np.int64, count, elements=st.integers(0, draw(st.integers(0, 3)))))
    seed = draw(st.integers(0, 2**32 - 1))
    scores = np.random.default_rng(seed).dirichlet([0.5] * len(CLASSES), count)
    return targets, scores.astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(judged())
def test_figures_are_those_of_scikit_learn(case: tuple[np.ndarray, np.ndarray]) -> None:
    targets, scores = case
    ours = classification_report(targets, scores, CLASSES)
    theirs = metrics.classification_report(
        targets, scores.argmax(1), labels=range(4), target_names=CLASSES, output_dict=True,
        zero_division=0,
    )  # fmt: skip
    for name in CLASSES:
        for figure, value in ours.per_class[name].items():
            assert value == pytest.approx(theirs[name][figure.replace("f1", "f1-score")])
    assert ours.accuracy == pytest.approx(metrics.accuracy_score(targets, scores.argmax(1)))
    present = metrics.classification_report(
        targets, scores.argmax(1), output_dict=True, zero_division=0
    )
    for average, found in (("macro", ours.macro), ("weighted", ours.weighted)):
        expected = present[f"{average} avg"]
        assert found["f1"] == pytest.approx(expected["f1-score"])
        assert found["precision"] == pytest.approx(expected["precision"])
        assert found["recall"] == pytest.approx(expected["recall"])
    assert (
        ours.matrix == metrics.confusion_matrix(targets, scores.argmax(1), labels=range(4))
    ).all()


@settings(max_examples=60, deadline=None)
@given(judged())
def test_figures_are_those_of_torchmetrics(case: tuple[np.ndarray, np.ndarray]) -> None:
    targets, scores = case
    in_bins = scores.max(1) * 15
    assume((np.abs(in_bins - np.round(in_bins)) > 1e-3).all())  # on an edge, rounding decides
    ours = classification_report(targets, scores, CLASSES)
    given_to = torch.from_numpy(scores), torch.from_numpy(targets)
    assert ours.accuracy == pytest.approx(float(tm.multiclass_accuracy(*given_to, 4, "micro")))
    for average, found in (("macro", ours.macro["f1"]), ("weighted", ours.weighted["f1"])):
        assert found == pytest.approx(
            float(tm.multiclass_f1_score(*given_to, 4, average)), abs=1e-6
        )
    assert ours.ece == pytest.approx(_calibration_error(targets, scores), abs=1e-5)


def _calibration_error(targets: np.ndarray, scores: np.ndarray, bins: int = 15) -> float:
    """Guo et al. 2017, equation 3, bin by bin."""
    certain, right = scores.max(1), scores.argmax(1) == targets
    number = np.minimum((certain * bins).astype(int), bins - 1)
    parts = [number == b for b in range(bins)]
    gaps = [abs(right[p].mean() - certain[p].mean()) * p.sum() for p in parts if p.any()]
    return float(sum(gaps) / len(targets))


def test_baseline_and_mistakes() -> None:
    targets = np.array([0, 0, 0, 1, 2])
    scores = np.array([[0.9, 0.1, 0], [0.4, 0.6, 0], [0.2, 0, 0.8], [0.7, 0.3, 0], [0, 0, 1]])
    names = ["a", "b", "c", "d", "e"]
    report = classification_report(targets, scores.astype(np.float32), ("x", "y", "z"), names)
    assert report.majority_baseline == pytest.approx(0.6)
    assert [(m.picture, m.label, m.predicted) for m in report.mistakes] == [
        ("c", "x", "z"), ("d", "y", "x"), ("b", "x", "y"),
    ]  # fmt: skip
    assert [m.score for m in report.mistakes] == pytest.approx([0.8, 0.7, 0.6])


def test_nothing_to_judge() -> None:
    with pytest.raises(DatasetError, match="no picture to judge"):
        classification_report(np.zeros(0, np.int64), np.zeros((0, 2), np.float32), ("a", "b"))


def _classifier() -> Classifier:
    torch.manual_seed(0)
    card = Card(architecture="small_cnn", classes=("cat", "dog"), size=32, mean=(0.5,) * 3,
                std=(0.5,) * 3)  # fmt: skip
    return Classifier(create("small_cnn", 2), card)


def _draw(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), (len(path.name) * 20, 90, 30)).save(path)


def test_pictures_that_cannot_be_judged_are_listed(tmp_path) -> None:
    for name in ("cat/1.png", "dog/22.png", "newt/333.png"):
        _draw(tmp_path / name)
    (tmp_path / "cat" / "broken.png").write_bytes(b"no picture")
    report = evaluate(_classifier(), dataset.read(tmp_path))
    assert report.pictures == 2
    assert {f.picture for f in report.failures} == {"cat/broken.png", "newt/333.png"}
    assert any("'newt' is not one of the model's classes" in f.error for f in report.failures)


def test_a_dataset_with_no_known_label(tmp_path) -> None:
    _draw(tmp_path / "newt" / "1.png")
    with pytest.raises(DatasetError, match="no picture to judge"):
        evaluate(_classifier(), dataset.read(tmp_path))


def test_small_and_large_pictures_are_judged_apart() -> None:
    rng = np.random.default_rng(0)
    targets, sides = rng.integers(0, 3, 200), rng.integers(20, 400, 200)
    said = np.where(sides < 100, 0, targets)
    report = classification_report(
        targets, np.eye(3, dtype=np.float32)[said], ("a", "b", "c"), sides=sides.tolist()
    )
    assert len(report.sizes) == 4
    assert sum(part.pictures for part in report.sizes) == 200
    assert max(part.pictures for part in report.sizes) - min(p.pictures for p in report.sizes) < 12
    small, *_, large = report.sizes
    low, high = (int(one) for one in small.name.removesuffix(" px").split("–"))
    inside = (sides >= low) & (sides <= high)
    assert inside.sum() == small.pictures
    assert small.accuracy == pytest.approx((targets == said)[inside].mean())
    assert small.macro_f1 == pytest.approx(
        metrics.f1_score(targets[inside], said[inside], average="macro", zero_division=0)
    )
    assert large.accuracy == 1
    told = report.to_dict()["sizes"][small.name]
    assert set(told) == {"pictures", "accuracy", "macro_f1"}


@pytest.mark.parametrize(("sides", "names"), [
    ([50] * 6, []),
    ([], []),
    ([32] * 5 + [64], ["32 px", "64 px"]),
    ([32] + [64] * 5, ["32 px", "64 px"]),
    ([10, 20, 30, 40, 50, 60], ["10–20 px", "30 px", "40 px", "50–60 px"]),
])  # fmt: skip
def test_groups_of_sizes(sides: list[int], names: list[str]) -> None:
    report = classification_report(
        np.array([0, 1] * 3), np.eye(2, dtype=np.float32)[[0, 1] * 3], ("a", "b"), sides=sides
    )
    assert [part.name for part in report.sizes] == names


def test_splits_are_judged_apart_where_there_are_several(tmp_path: Path) -> None:
    for name in ("train/cat/1.png", "test/cat/22.png", "test/dog/333.png"):
        _draw(tmp_path / name)
    whole = dataset.read(tmp_path)
    report = evaluate(_classifier(), whole)
    assert {part.name: part.pictures for part in report.splits} == {"train": 1, "test": 2}
    alone = evaluate(_classifier(), whole.where(split=["test"]))
    assert alone.splits == ()
    (test,) = (part for part in report.splits if part.name == "test")
    assert test.accuracy == alone.accuracy
