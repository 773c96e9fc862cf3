"""The temperature is fitted on validation pictures, saved with the model and its folds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_classes import draw, examples, settings

import garim
from garim.models.calibration import calibration_error, fit_temperature, reliability, softmax
from garim.training import calibration
from garim.training.calibration import calibrate


class Certain:
    """A learner that is three times as certain as it should be."""

    def __init__(self, targets: np.ndarray) -> None:
        rng = np.random.default_rng(0)
        honest = rng.normal(0, 2, (len(targets), 3)).astype(np.float32)
        chances = softmax(honest).astype(np.float64).cumsum(axis=1)
        targets[:] = (rng.random((len(targets), 1)) > chances).sum(axis=1).clip(0, 2)
        self.given = softmax(3 * honest)

    def scores(self, examples: Any) -> np.ndarray:
        return self.given


def test_the_temperature_and_the_error_before_and_after() -> None:
    held = examples([0] * 2000)
    learner: Any = Certain(held.targets)
    metrics: dict[str, float] = {}
    temperature = calibrate(learner, held, metrics)
    assert temperature == pytest.approx(3, rel=0.1)
    before = calibration_error(reliability(held.targets, learner.given))
    assert metrics["validation_ece_uncalibrated"] == pytest.approx(before)
    assert metrics["validation_ece"] < before / 3


def test_without_validation_pictures_nothing_is_fitted() -> None:
    metrics: dict[str, float] = {}
    assert calibrate(None, examples([]), metrics) == 1  # type: ignore[arg-type]
    assert metrics == {}


def test_a_trained_model_and_its_folds_keep_the_temperature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "fit_temperature", lambda *given: 2.5)
    data = draw(tmp_path / "data", each=10)
    trained = garim.train(data, settings(epochs=1, folds=2), tmp_path / "model")
    loaded = garim.load_model(tmp_path / "model")
    assert loaded.card.temperature == trained.classifier.card.temperature == 2.5
    assert [fold.card.temperature for fold in loaded.folds] == [2.5, 2.5]
    assert {"validation_ece", "validation_ece_uncalibrated"} <= set(loaded.card.metrics)
    batch = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    plain = garim.Classifier(loaded.network, replace(loaded.card, temperature=1.0)).scores(batch)
    np.testing.assert_allclose(loaded.scores(batch), softmax(np.log(plain), 2.5), atol=1e-5)


def test_the_fit_is_that_of_the_logits() -> None:
    """Logs of probabilities are logits up to a constant per picture, which changes nothing."""
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 5, (200, 4)).astype(np.float32)
    targets = rng.integers(0, 4, 200)
    logs = np.log(softmax(logits))
    assert fit_temperature(logs, targets) == pytest.approx(fit_temperature(logits, targets))
