"""The ONNX file gives what the model gives, for any number of pictures, and says what it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from garim.errors import ModelError, SettingsError
from garim.models import export as exporting
from garim.models.classifier import Card, Classifier
from garim.models.export import export
from garim.models.networks import create

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    torch.manual_seed(0)
    card = Card(architecture="small_cnn", options={"width": 8}, classes=("고양이", "dog", "c"),
                size=32, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4), temperature=0.1)  # fmt: skip
    return Classifier(create("small_cnn", 3, {"width": 8}), card)


def test_the_file_gives_what_the_model_gives(classifier: Classifier, tmp_path: Path) -> None:
    done = export(classifier, tmp_path / "new" / "model.onnx")
    session = onnxruntime.InferenceSession(done.path)
    for count in (1, 2, 7):
        shape = (count, 32, 32, 3)
        batch = np.random.default_rng(count).integers(0, 256, shape, dtype=np.uint8)
        (found,) = session.run(["probabilities"], {"pictures": batch})
        expected = classifier.scores(batch)
        assert expected.std(axis=0).max() > 1e-3 or count == 1  # pictures are told apart
        np.testing.assert_allclose(found, expected, atol=1e-5)
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert done.difference < 1e-5
    assert [p.name for p in done.path.parent.iterdir()] == ["model.onnx"]


def test_the_file_says_what_it_is(classifier: Classifier, tmp_path: Path) -> None:
    done = export(classifier, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(done.path)
    notes = session.get_modelmeta().custom_metadata_map
    assert notes == done.notes
    assert json.loads(notes["classes"]) == ["고양이", "dog", "c"]
    assert (notes["size"], notes["temperature"]) == ("32", "0.1")
    assert json.loads(notes["mean"]) == [0.4, 0.5, 0.6]
    (given,) = session.get_inputs()
    assert (given.type, given.shape[1:]) == ("tensor(uint8)", [32, 32, 3])


def test_what_cannot_be_exported(
    classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match=r"exported as \.onnx"):
        export(classifier, tmp_path / "model.pt")
    with pytest.raises(ModelError, match="str cannot be exported; what can: Classifier"):
        export("model", tmp_path / "model.onnx")  # type: ignore[arg-type]
    monkeypatch.setattr(exporting, "TOLERANCE", -1.0)
    with pytest.raises(ModelError, match="not written, as it differs"):
        export(classifier, tmp_path / "model.onnx")
    monkeypatch.setattr(exporting, "to_onnx", lambda *given: 1 / 0)
    with pytest.raises(ModelError, match="cannot be exported: ZeroDivisionError"):
        export(classifier, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
