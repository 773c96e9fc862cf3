from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import garim
from garim.errors import DatasetError
from garim.models.palette import voc_palette
from garim.models.segmenter import Segmenter, SegmenterCard


class Reddish(nn.Module):
    """Class 1 where a pixel is red."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(9.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x[:, 1], x[:, 0]], dim=1) * self.factor


@pytest.fixture
def model() -> Segmenter:
    card = SegmenterCard(network="fcn8s", backbone="small_cnn", classes=("nothing", "red"),
                         palette=voc_palette(2), size=64, longest=64, mean=(0.5,) * 3,
                         std=(0.5,) * 3)  # fmt: skip
    return Segmenter(Reddish(), card)


def drawn(path: Path) -> Path:
    pixels = np.full((32, 64, 3), (10, 200, 10), np.uint8)
    pixels[:, :16] = (220, 10, 10)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def test_masks_are_written_beside_overlays(model: Segmenter, tmp_path: Path) -> None:
    paths = [drawn(tmp_path / folder / "사진.png") for folder in ("a", "b")]
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    found = garim.predict(model, [*paths, broken], to=tmp_path / "out", out=tmp_path / "all.csv")
    assert [failure.picture for failure in found.failures] == [str(broken)]
    masks = sorted((tmp_path / "out" / "masks").iterdir())
    assert len(masks) == len(list((tmp_path / "out" / "overlays").iterdir())) == 2
    for path in masks:
        mask = Image.open(path)
        values = np.array(mask)
        assert mask.mode == "P" and mask.getpalette()[3:6] == [128, 0, 0]
        assert values.shape == (32, 64) and values[:, :16].all() and not values[:, 17:].any()
    assert found.rows[0].shares == pytest.approx({"nothing": 0.75, "red": 0.25})
    assert found.rows[0].label == "red" and found.counts() == {"red": 2}
    assert np.array_equal(found.rows[0].mask(), model.predict(np.array(Image.open(paths[0]))))
    assert "share_red" in (tmp_path / "all.csv").read_text()
    with pytest.raises(DatasetError, match="not empty"):
        garim.predict(model, paths, to=tmp_path / "out")


def test_flipped_and_other_runtimes_agree(model: Segmenter, tmp_path: Path) -> None:
    path = drawn(tmp_path / "a.png")
    plain = garim.predict(model, path).rows[0]
    for chosen in (garim.PredictSettings(flip=True), garim.PredictSettings(runtime="torch")):
        assert np.array_equal(garim.predict(model, path, chosen).rows[0].mask(), plain.mask())
