"""A few drawn pictures, one of them broken, and a network that has learned nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from garim.dataset import Dataset, read
from garim.models.classifier import Card, Classifier
from garim.models.networks import create


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
