"""Classifiers that know the answer: they find a red square by its colour, without training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch import nn

from garim import dataset
from garim.dataset import Dataset
from garim.models.classifier import Card, Classifier, Scores
from garim.pictures import Pixels

CLASSES = ("other", "red")
SIDE = 64
RED = (230, 20, 20)


def redness(batch: Pixels) -> Scores:
    """Score a crop the higher the more of it is red, and as ``other`` when a square is cut."""
    values = batch.astype(np.float32)
    red = (values[..., 0] > 150) & (values[..., 1] < 90)
    border = red[:, 0].any(1) | red[:, -1].any(1) | red[:, :, 0].any(1) | red[:, :, -1].any(1)
    share = red.mean(axis=(1, 2), dtype=np.float32)
    score = np.where(border | (share == 0), 0.4 * share, 0.5 + 0.5 * share)
    return np.stack([1 - score, score], axis=1).astype(np.float32)


class Oracle(Classifier):
    """Finds red squares; counts the crops and calls."""

    def __init__(self, name: str = "oracle", parts: Sequence[Oracle] = (), **card: object) -> None:
        fixed = {"architecture": name, "classes": CLASSES, "size": SIDE}
        triple = (0.5, 0.5, 0.5)
        made = Card(**{"mean": triple, "std": triple, **fixed, **card})  # type: ignore[arg-type]
        super().__init__(nn.Identity(), made, parts)
        self.seen: list[int] = []

    def scores(self, batch: Pixels, batch_size: int = 64) -> Scores:
        self.seen.append(len(batch))
        return redness(batch)

    def digest(self) -> str:
        return self.card.architecture


def picture(width: int, height: int, left: int, top: int, side: int) -> Image.Image:
    """Draw a red square on grey noise."""
    noise = np.random.default_rng(left).integers(100, 140, (height, width, 1), dtype=np.uint8)
    image = Image.fromarray(np.repeat(noise, 3, axis=2))
    image.paste(RED, (left, top, left + side, top + side))
    return image


def draw(root: Path, count: int = 6) -> Dataset:
    """Draw pictures with a red square each, and one without under another label."""
    for number in range(count):
        folder = root / ("other" if number % 4 == 3 else "red")
        folder.mkdir(parents=True, exist_ok=True)
        image = picture(120 + 10 * number, 100, 4 + 8 * number, 40, 20 if number % 4 != 3 else 0)
        image.save(folder / f"가 {number}.png")
    return dataset.read(root)
