from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

import garim
from garim.errors import ModelError
from garim.models import segmenter
from garim.models.networks.segmentation import create_segmenter
from garim.models.palette import overlay, voc_palette
from garim.models.segmenter import Segmenter, SegmenterCard, at_working_size

CARD = SegmenterCard(
    network="fcn8s", backbone="small_cnn", classes=("nothing", "배", "사과"),
    palette=voc_palette(3), size=64, longest=64, mean=(0.5,) * 3, std=(0.5,) * 3,
)  # fmt: skip


def changed(**given: object) -> SegmenterCard:
    from dataclasses import replace

    return replace(CARD, **given)  # type: ignore[arg-type]


def random_segmenter(**given: object) -> Segmenter:
    torch.manual_seed(0)
    network = create_segmenter("fcn8s", "small_cnn", 3)
    for score in network.score:
        nn.init.normal_(score.weight, std=0.3)
    return Segmenter(network, changed(**given))


class Brightness(nn.Module):
    """Class 1 where a pixel's red is bright, 2 where its blue is, else 0."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(20.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        red, blue = x[:, 0], x[:, 2]
        return torch.stack([torch.zeros_like(red), red, blue], dim=1) * self.factor


def picture(height: int, width: int) -> np.ndarray:
    found = np.zeros((height, width, 3), np.uint8)
    found[: height // 2, : width // 3, 0] = 255
    found[height // 3 :, width // 2 :, 2] = 255
    return found


def truth(height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    mask[: height // 2, : width // 3] = 1
    mask[height // 3 :, width // 2 :] = 2
    return mask


@pytest.mark.parametrize("size", [(64, 64), (40, 60), (1, 1), (700, 200), (64, 1500)])
@pytest.mark.parametrize("longest", [64, 0, 100])
def test_masks_have_the_pictures_size_and_lie_where_they_should(
    size: tuple[int, int], longest: int
) -> None:
    model = Segmenter(Brightness(), changed(longest=longest))
    found = model.predict(picture(*size))
    assert found.shape == size and found.dtype == np.uint8
    exact = longest == 0 or longest == max(size)
    assert (found == truth(*size)).mean() > (0.999 if exact else 0.9)


def test_windows_cover_everything_and_agree_with_one_large_window() -> None:
    small, large = (Segmenter(Brightness(), changed(longest=0, size=s)) for s in (32, 128))
    shot = np.random.default_rng(0).integers(0, 256, (100, 128, 3), dtype=np.uint8)
    one, other = small.probabilities(shot), large.probabilities(shot)
    assert np.allclose(one, other, atol=1e-5)
    assert np.allclose(one.sum(axis=0), 1, atol=1e-5)


def test_enlarging_the_probabilities_is_bilinear() -> None:
    model = random_segmenter(longest=48)
    shot = np.random.default_rng(0).integers(0, 256, (600, 400, 3), dtype=np.uint8)
    small = model.probabilities(shot)
    wide = np.stack([cv2.resize(one, (400, 600)) for one in small])
    assert (model.predict(shot) == wide.argmax(axis=0)).mean() > 0.999


def test_flipping_averages_with_the_mirrored_picture() -> None:
    model = random_segmenter()
    shot = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    one, other = model.probabilities(shot), model.probabilities(shot[:, ::-1])[..., ::-1]
    assert np.allclose(model.probabilities(shot, flip=True), (one + other) / 2, atol=1e-6)


def test_at_working_size() -> None:
    shot = np.zeros((832, 550, 3), np.uint8)
    assert at_working_size(shot, 256).shape == (256, 169, 3)
    assert at_working_size(shot, 0) is shot
    assert at_working_size(np.zeros((1, 3000, 3), np.uint8), 100).shape == (1, 100, 3)


def test_a_folder_says_all_it_takes(tmp_path: Path) -> None:
    model = random_segmenter(void=-1, metrics={"validation_miou": 0.5})
    model.save(tmp_path / "model")
    again = garim.load_model(tmp_path / "model")
    assert again.card == model.card
    assert again.digest() == model.digest()
    shot = np.random.default_rng(1).integers(0, 256, (50, 64, 3), dtype=np.uint8)
    assert np.array_equal(again.predict(shot), model.predict(shot))


@pytest.mark.parametrize("key", ["classes", "palette", "size", "mean"])
def test_a_broken_config_is_named(tmp_path: Path, key: str) -> None:
    random_segmenter().save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["garim"][key] = None
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"config\.json: does not describe a Garim segmenter"):
        segmenter.load(tmp_path)


def test_onnx_gives_the_same_masks(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    model = random_segmenter()
    shot = np.random.default_rng(1).integers(0, 256, (50, 64, 3), dtype=np.uint8)
    fast = model.with_runtime("onnx")
    assert np.allclose(fast.probabilities(shot), model.probabilities(shot), atol=1e-4)
    done = garim.export(model, tmp_path / "model.onnx")
    assert done.difference < 1e-4
    assert json.loads(done.notes["classes"]) == list(model.classes)


def test_overlays_show_the_picture_where_nothing_is() -> None:
    shot = np.full((2, 2, 3), 100, np.uint8)
    laid = overlay(shot, np.array([[0, 1], [2, 255]], np.uint8), voc_palette(3))
    assert laid[0, 0].tolist() == laid[1, 1].tolist() == [100, 100, 100]
    assert laid[0, 1, 0] > laid[0, 1, 1]


def test_palette_is_voc_s() -> None:
    # The devkit's VOClabelcolormap, entries 15 (person) and 20 (tvmonitor).
    assert voc_palette(21)[15] == (192, 128, 128)
    assert voc_palette(21)[20] == (0, 64, 128)
