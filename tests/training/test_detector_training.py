"""Training a detector on drawn boxes: it learns, keeps its folder, and knows a plan's boxes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import garim
from garim.boxes import Box, iou, to_array
from garim.dataset import Dataset
from garim.errors import DatasetError, ModelError, PlanError, SettingsError
from garim.evaluation.detection import evaluate_detector
from garim.formats.rows import Object, Row
from garim.models.detector import NETWORKS, Detector, DetectorCard, create_detector
from garim.plan import Edit, Plan
from garim.training import DetectTrainSettings, train_detector
from garim.training.detection import with_boxes

torch.set_num_threads(1)
COLOURS = {"blue": (30, 40, 220), "red": (220, 40, 30)}
TINY = DetectTrainSettings(backbone="mobilenetv3_small_050", weights="none", size=64, epochs=1,
                           batch=4, augment="none")  # fmt: skip


def drawn(root: Path, count: int = 8) -> Dataset:
    """Draw one rectangle on grey, the classes in turn."""
    rng, rows = np.random.default_rng(0), []
    root.mkdir(parents=True)
    for number in range(count):
        label = list(COLOURS)[number % 2]
        values = rng.integers(90, 130, (64, 80, 3), dtype=np.uint8)
        x, y = (int(v) for v in rng.integers(0, 30, 2))
        values[y : y + 28, x : x + 28] = COLOURS[label]
        Image.fromarray(values).save(root / f"{number}.png")
        box = Object(label, Box(x, y, x + 28, y + 28))
        rows.append(Row(file_name=f"{number}.png", label=label, objects=(box,)))
    return Dataset(root=root, rows=tuple(rows), classes=tuple(COLOURS), origin=root)


@pytest.mark.parametrize("network", [n for n, one in NETWORKS.items() if not one.own_backbone])
def test_every_network_trains_saves_and_loads(tmp_path: Path, network: str) -> None:
    data = drawn(tmp_path / "in")
    trained = train_detector(data, replace(TINY, network=network), tmp_path / "model")
    assert trained.model.classes == ("blue", "red") and trained.pictures == 7
    assert "validation_loss" in trained.model.card.metrics
    loaded = garim.load_model(tmp_path / "model")
    assert isinstance(loaded, Detector) and loaded.digest() == trained.model.digest()
    picture = garim.pictures.to_array(garim.pictures.open_picture(tmp_path / "in/0.png").image)
    one, two = trained.model.detect(picture, 0.0), loaded.detect(picture, 0.0)
    assert np.array_equal(one.boxes, two.boxes) and np.array_equal(one.numbers, two.numbers)
    assert set(one.numbers.tolist()) <= {0, 1}
    assert json.loads((tmp_path / "model/config.json").read_text())["garim"]["task"] == "detect"
    with pytest.raises(ModelError, match="already holds a model"):
        train_detector(data, TINY, tmp_path / "model")


def test_it_learns_where_things_are(tmp_path: Path) -> None:
    data = drawn(tmp_path / "in", 8)
    settings = replace(TINY, epochs=30, learning_rate=0.005, validation=0.01)
    trained = train_detector(data, settings)
    assert evaluate_detector(trained.model, data).ap50 > 0.6


def test_boxes_follow_into_the_square(tmp_path: Path) -> None:
    from garim.augmentation.policies import POLICIES
    from garim.training.detection import BoxedSquares, _opened

    data = drawn(tmp_path / "in")
    boxed = [one for one, _ in _opened(data, TINY)[0]]
    card = DetectorCard(network="fcos", backbone="x", classes=tuple(COLOURS), size=64,
                        mean=(0.5,) * 3, std=(0.5,) * 3)  # fmt: skip
    squares = BoxedSquares(boxed, card, POLICIES["boxes"], 0)
    seen = 0
    for number in range(3 * len(squares)):
        pixels, targets = squares[number]
        assert pixels.shape == (3, 64, 64)
        red, _, blue = pixels
        ys, xs = np.nonzero((red - blue).abs().numpy() > 0.35)
        tight = Box(xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
        found = [Box(*box) for box in targets["boxes"].tolist()]
        if not found:  # most of it has left the square
            continue
        seen += 1
        assert iou(to_array(found), to_array([tight]))[0, 0] > 0.8
    assert seen > 18


def test_boxes_of_a_plan_take_the_place_of_the_truth(tmp_path: Path) -> None:
    data = drawn(tmp_path / "in", 4)
    edits = (
        Edit(picture="0.png", edit="crop", label="blue", box=Box(1, 2, 30, 40)),
        Edit(picture="1.png", edit="keep", label="red", score_after=0.9, size=(80, 64)),
        Edit(picture="2.png", edit="crop", label="blue", box=Box(0, 0, 9, 9), state="rejected"),
        Edit(picture="3.png", edit="keep", label="red", reason="no box"),
    )
    found = with_boxes(data, Plan(dataset=data.root, edits=edits))
    assert {row.file_name: [o.box for o in row.objects] for row in found} == {
        "0.png": [Box(1, 2, 30, 40)], "1.png": [Box(0, 0, 80, 64)]}  # fmt: skip
    with pytest.raises(PlanError, match="no box for any"):
        with_boxes(data, Plan(dataset=data.root, edits=edits[2:]))


def test_no_weights_are_ever_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetched(*given: object, **more: object) -> None:
        raise AssertionError("weights were asked for")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", fetched)
    card = DetectorCard(network="fcos", backbone="mobilenetv3_small_050", classes=("a",), size=64,
                        mean=(0.5,) * 3, std=(0.5,) * 3)  # fmt: skip
    create_detector(card)
    with pytest.raises(ModelError, match="no network 'yolo'"):
        create_detector(replace(card, network="yolo"))


def test_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"size must(.|\n)*no network 'x'(.|\n)*no augment"):
        DetectTrainSettings(size=8, network="x", augment="y").check()
    data = drawn(tmp_path / "in", 2)
    bare = replace(data, rows=tuple(replace(row, objects=()) for row in data.rows))
    with pytest.raises(DatasetError, match="no boxes to train on"):
        train_detector(bare, TINY)
