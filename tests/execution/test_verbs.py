"""Every verb that has workers gives the same with two processes as in one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import garim
from garim.audit import AuditSettings, audit
from garim.dataset import Dataset, read
from garim.execution import ExecutionSettings
from garim.extraction import ExtractSettings, extract
from garim.models.classifier import Card, Classifier
from garim.models.networks import create
from garim.prediction import predict

TWO = ExecutionSettings(workers=2, shard=3)
ONE = ExecutionSettings(shard=3)


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    rng = np.random.default_rng(0)
    for number in range(8):
        path = tmp_path / "data" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(path)
    (tmp_path / "data" / "a" / "broken.jpg").write_bytes(b"no picture")
    return read(tmp_path / "data")


@pytest.fixture
def classifier() -> Classifier:
    torch.manual_seed(0)
    options = {"width": 8}
    half = (0.5, 0.5, 0.5)
    card = Card(architecture="small_cnn", options=options, classes=("a", "b"), size=32, mean=half,
                std=half)  # fmt: skip
    made = Classifier(create("small_cnn", 2, options), card)
    made.scores(np.zeros((1, 32, 32, 3), np.uint8))  # what it has compiled must not hinder it
    return made


def test_extract(data: Dataset, classifier: Classifier, tmp_path: Path) -> None:
    settings = ExtractSettings(method="windows", grid=3, kernel=2, rounds=1)
    plans = [
        extract(data, classifier, settings, tmp_path / f"{one.workers}.jsonl", one).plan
        for one in (ONE, TWO)
    ]
    assert plans[0].edits == plans[1].edits
    assert [failure.picture for failure in plans[1].failures] == ["a/broken.jpg"]
    assert extract(data, classifier, settings).plan.edits == plans[0].edits


def test_audit(data: Dataset, classifier: Classifier) -> None:
    tables = [audit(data, AuditSettings(), classifier, one) for one in (ONE, TWO)]
    assert tables[0].pictures.equals(tables[1].pictures)
    assert np.array_equal(*(one.evidence.of_network.features for one in tables), equal_nan=True)
    assert [failure.picture for failure in tables[1].failures] == ["a/broken.jpg"]


def test_predict(data: Dataset, classifier: Classifier, tmp_path: Path) -> None:
    one, two = (
        predict(classifier, data, out=tmp_path / f"{how.workers}.csv", execution=how)
        for how in (ONE, TWO)
    )
    assert one.rows == two.rows and len(one.rows) == 8
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.csv", "2.csv", "data"]


def test_what_cannot_travel_is_refused(data: Dataset, classifier: Classifier) -> None:
    classifier.network.hook = lambda: None  # type: ignore[assignment]
    with pytest.raises(garim.ExecutionError, match="do without --workers"):
        predict(classifier, data, execution=TWO)
