"""RT-DETR of transformers: trained, judged and kept like every other detector."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import garim
from garim.boxes import Box
from garim.dataset import Dataset
from garim.errors import ModelError, SettingsError
from garim.evaluation.detection import evaluate_detector
from garim.formats.rows import Object, Row
from garim.models.detector import DetectorCard, create_detector
from garim.training import DetectTrainSettings, train_detector

transformers = pytest.importorskip("transformers")
torch.set_num_threads(1)
SIDE = 64
COLOURS = {"blue": (30, 40, 220), "red": (220, 40, 30)}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny RT-DETR for three other classes, written by transformers itself."""
    torch.manual_seed(0)
    backbone = transformers.RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = transformers.RTDetrConfig(
        backbone_config=backbone, d_model=32, encoder_hidden_dim=32, encoder_ffn_dim=32,
        encoder_in_channels=[16, 24, 32], decoder_in_channels=[32, 32, 32], decoder_ffn_dim=32,
        decoder_layers=1, num_queries=20, num_denoising=4, encoder_attention_heads=2,
        decoder_attention_heads=2, num_labels=3,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("rtdetr")
    transformers.RTDetrForObjectDetection(config).save_pretrained(folder)
    return folder


def settings(weights: Path) -> DetectTrainSettings:
    return DetectTrainSettings(network="rtdetr", weights=str(weights), weights_licence="apache-2.0",
                               size=SIDE, epochs=1, batch=4, augment="none")  # fmt: skip


@pytest.fixture
def boxed(tmp_path: Path) -> Dataset:
    """One coloured square on grey in each picture."""
    rng, rows, root = np.random.default_rng(0), [], tmp_path / "in"
    root.mkdir()
    for number in range(8):
        label = ("blue", "red")[number % 2]
        values = rng.integers(90, 130, (64, 80, 3), dtype=np.uint8)
        x, y = (int(v) for v in rng.integers(0, 30, 2))
        values[y : y + 28, x : x + 28] = COLOURS[label]
        Image.fromarray(values).save(root / f"{number}.png")
        box = Object(label, Box(x, y, x + 28, y + 28))
        rows.append(Row(file_name=f"{number}.png", label=label, objects=(box,)))
    return Dataset(root=root, rows=tuple(rows), classes=tuple(COLOURS), origin=root)


def test_it_is_trained_saved_loaded_and_judged(
    weights: Path, tmp_path: Path, boxed: Dataset
) -> None:
    trained = train_detector(boxed, settings(weights), tmp_path / "model")
    card = trained.model.card
    assert card.weights_licence == "apache-2.0" and card.options["d_model"] == 32
    assert card.metrics["validation_loss"] > 0
    loaded = garim.load_model(tmp_path / "model")  # without the folder of starting weights
    assert loaded.digest() == trained.model.digest() and loaded.classes == ("blue", "red")
    picture = np.full((48, 96, 3), 128, np.uint8)
    one, two = trained.model.detect(picture, 0.0), loaded.detect(picture, 0.0)
    assert len(one) and np.array_equal(one.boxes, two.boxes)
    assert one.boxes.min() >= 0 and one.boxes[:, 2].max() <= 96 and one.boxes[:, 3].max() <= 48
    assert 0 <= evaluate_detector(loaded, boxed).ap50 <= 1


def test_it_learns(weights: Path, boxed: Dataset) -> None:
    short = replace(settings(weights), learning_rate=0.002, validation=0.01)
    first, last = (train_detector(boxed, replace(short, epochs=n)).model for n in (1, 12))
    picture = [torch.rand(3, SIDE, SIDE)]
    assert first.network(picture)[0]["scores"].shape == last.network(picture)[0]["scores"].shape
    ap = [evaluate_detector(one, boxed).ap50 for one in (first, last)]
    assert ap[1] >= ap[0]


def test_starting_weights_are_loaded_but_those_of_other_classes(weights: Path) -> None:
    from garim.training.detection import _card, _started

    started = transformers.RTDetrForObjectDetection.from_pretrained(weights).state_dict()
    chosen = settings(weights)
    empty = Dataset(root=weights, rows=(), classes=("a",), origin=weights)
    network, card = _started(_card(chosen, empty, ("a",)), chosen)
    found = network.network.state_dict()  # type: ignore[union-attr, operator]
    new = [name for name, value in found.items() if not torch.equal(value, started[name])]
    assert len(new) == 5  # the class heads and the denoising's classes
    assert card.classes == ("a",)


def test_wrong_use(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                   boxed: Dataset) -> None:  # fmt: skip
    with pytest.raises(ModelError, match="is no folder of rtdetr's weights; download one"):
        train_detector(boxed, settings(tmp_path))
    (tmp_path / "config.json").write_text((weights / "config.json").read_text())
    with pytest.raises(ModelError, match="cannot be read as weights of rtdetr"):
        train_detector(boxed, settings(tmp_path))
    with pytest.raises(ModelError, match="forbids commercial use"):
        train_detector(boxed, replace(settings(weights), weights_licence="cc-by-nc-4.0"))
    monkeypatch.setitem(sys.modules, "transformers", None)
    card = DetectorCard(network="rtdetr", backbone="", classes=("a",), size=SIDE,
                        mean=(0.0,) * 3, std=(1.0,) * 3)  # fmt: skip
    with pytest.raises(SettingsError, match=r"pip install 'garim\[transformers\]'"):
        create_detector(card)
