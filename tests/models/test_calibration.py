"""Calibration equals torchmetrics' error and an independent search for the best temperature."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.metrics import log_loss
from torchmetrics.functional.classification import multiclass_calibration_error

from garim.errors import ModelError
from garim.models.calibration import (
    FEWEST,
    calibration_error,
    fit_temperature,
    reliability,
    softmax,
)
from garim.models.classifier import Card, Classifier, load
from garim.models.networks import create

CARD = Card(architecture="small_cnn", options={"width": 8}, classes=("가", "나", "다"), size=32,
            mean=(0.5,) * 3, std=(0.5,) * 3)  # fmt: skip
BATCH = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)


def drawn(
    temperature: float, count: int = 4000, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits that are honest once divided by the temperature, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(0, 2, (count, 5)).astype(np.float32)
    chances = softmax(honest).astype(np.float64)
    targets = (rng.random((count, 1)) > chances.cumsum(axis=1)).sum(axis=1).clip(0, 4)
    return honest * np.float32(temperature), targets.astype(np.int64)


@pytest.mark.parametrize("true", [0.5, 1.0, 1.7, 4.0])
def test_the_temperature_is_found_again_and_makes_the_likelihood_best(true: float) -> None:
    logits, targets = drawn(true)
    found = fit_temperature(logits, targets)
    assert found == pytest.approx(true, rel=0.05)
    reference = minimize(
        lambda beta: log_loss(targets, softmax(logits, 1 / beta[0])), [1.0], method="Nelder-Mead",
        options={"xatol": 1e-7, "fatol": 1e-12},
    )  # fmt: skip
    assert found == pytest.approx(1 / reference.x[0], rel=1e-3)


def test_the_temperature_mends_the_calibration_error_and_changes_no_class() -> None:
    logits, targets = drawn(3.0)
    fresh, labels = drawn(3.0, seed=1)
    warm = softmax(fresh, fit_temperature(logits, targets))
    before, after = (calibration_error(reliability(labels, s)) for s in (softmax(fresh), warm))
    assert before > 0.1 and after < 0.03
    assert (warm.argmax(1) == fresh.argmax(1)).all()


def test_nothing_to_learn_a_temperature_from() -> None:
    right = np.eye(3, dtype=np.float32)[np.arange(60) % 3] * 9
    targets = np.arange(60) % 3
    assert fit_temperature(right, targets) == 1  # none is wrong: the colder the better
    wrong = targets.copy()
    wrong[0] = 1
    few = FEWEST - 1
    assert fit_temperature(right[:few], wrong[:few]) == 1
    assert fit_temperature(right[:0], targets[:0]) == 1
    assert fit_temperature(right, wrong) > 1
    assert np.isfinite(fit_temperature(right, (targets + 1) % 3))


@pytest.mark.parametrize("seed", range(5))
def test_the_error_is_that_of_torchmetrics(seed: int) -> None:
    logits, targets = drawn(2.0, count=500, seed=seed)
    scores = softmax(logits)
    expected = multiclass_calibration_error(torch.tensor(scores), torch.tensor(targets), 5, 15)
    assert calibration_error(reliability(targets, scores)) == pytest.approx(
        float(expected), abs=1e-6
    )


def test_bins_hold_every_picture_once_with_the_edges_in_the_upper_bin() -> None:
    scores = np.array([[1.0, 0.0], [0.6, 0.4], [0.5, 0.5], [0.3, 0.7]], np.float32)
    bins = reliability(np.array([0, 1, 0, 1]), scores)
    assert [one.pictures for one in bins if one.pictures] == [1, 1, 1, 1]
    assert bins[9].low == pytest.approx(0.6) and bins[9].pictures == 1
    assert (bins[9].confidence, bins[9].accuracy) == (pytest.approx(0.6), 0)
    assert (bins[14].confidence, bins[14].accuracy) == (1, 1)
    assert calibration_error(reliability(np.zeros(0, np.int64), np.zeros((0, 2), np.float32))) == 0


def made(temperature: float = 1.0) -> Classifier:
    torch.manual_seed(0)
    network = create("small_cnn", 3, {"width": 8})
    return Classifier(network, replace(CARD, temperature=temperature))


def test_the_temperature_is_saved_and_divides_the_logits(tmp_path: Path) -> None:
    plain, warm = made(), made(2.5)
    warm.save(tmp_path)
    found = load(tmp_path).scores(BATCH)
    np.testing.assert_allclose(found, softmax(np.log(plain.scores(BATCH)), 2.5), atol=1e-6)
    assert np.abs(found - plain.scores(BATCH)).max() > 1e-3
    assert warm.digest() != plain.digest()


def test_an_older_folder_without_a_temperature_loads(tmp_path: Path) -> None:
    made(2.5).save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["garim"]["temperature"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert load(tmp_path).card.temperature == 1


@pytest.mark.parametrize("value", [0, -1, "warm", "nan", "inf"])
def test_a_temperature_that_cannot_be(value: object, tmp_path: Path) -> None:
    made().save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["garim"]["temperature"] = value
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError):
        load(tmp_path)
