"""Sweeping grids and kernels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import garim
from garim.boxes import Box
from garim.dataset import Dataset
from garim.errors import SettingsError
from garim.extraction.sweep import parse_pairs, sweep
from garim.formats.rows import Object, Row
from garim.models.classifier import Card, Classifier
from garim.models.networks import create


class _Red(Classifier):
    """Scores how red a crop is."""

    def scores(self, batch, batch_size=64):
        red = (batch[..., 0] > 200) & (batch[..., 1] < 60)
        share = np.clip(red.mean(axis=(1, 2)), 0.01, 0.99).astype(np.float32)
        return np.stack([share, 1 - share], axis=1)


@pytest.fixture
def red_squares(tmp_path: Path) -> Dataset:
    rows = []
    for number, left in enumerate((0, 30, 54)):
        pixels = np.full((90, 90, 3), 255, np.uint8)
        pixels[left : left + 30, left : left + 30] = (255, 0, 0)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        box = Object("red", Box(left, left, left + 30, left + 30))
        rows.append(Row(file_name=f"{number}.png", label="red", objects=(box,)))
    return Dataset(root=tmp_path, rows=tuple(rows), classes=("red", "white"), origin=tmp_path)


def _classifier() -> Classifier:
    card = Card(
        architecture="small_cnn", classes=("red", "white"), size=18, mean=(0,) * 3, std=(1,) * 3
    )
    return _Red(create("small_cnn", 2), card)


def test_each_pair_gives_the_figures_of_its_own_extraction(red_squares: Dataset) -> None:
    rows = sweep(red_squares, _classifier(), pairs=((9, 3), (9, 7)), truth=red_squares)
    assert [(row.grid, row.kernel) for row in rows] == [(9, 3), (9, 7)]
    for row in rows:
        settings = garim.ExtractSettings(method="windows", grid=row.grid, kernel=row.kernel)
        plan = garim.extract(red_squares, _classifier(), settings).plan
        assert row.boxes is not None
        assert row.boxes.figures() == garim.evaluate(plan, red_squares).figures()
        assert row.proposed == plan.counts().get("crop", 0)
    assert rows[0].area < rows[1].area


def test_pairs_are_read_from_text_and_bad_ones_named_together() -> None:
    assert parse_pairs(["9:5", "7:3"]) == ((9, 5), (7, 3))
    with pytest.raises(SettingsError, match=r"(?s)'9-5'.*'x:1'"):
        parse_pairs(["9-5", "x:1", "7:3"])
