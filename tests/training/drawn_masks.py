"""Pictures of coloured squares with their masks, and settings that train on them in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from garim import dataset
from garim.dataset import Dataset
from garim.training.segment_settings import SegmentTrainSettings

NAMES = ("nothing", "red", "blue")
COLOURS = ((220, 30, 30), (30, 40, 220))


def draw(root: Path, *, train: int = 12, test: int = 4, seed: int = 0) -> Dataset:
    """Draw squares on noise, at odd sizes, with a void line on top of each mask."""
    rng = np.random.default_rng(seed)
    for split, count in (("train", train), ("test", test)):
        for number in range(count):
            picture = rng.integers(0, 256, (49 + number % 3, 61, 3), dtype=np.uint8)
            mask = np.zeros(picture.shape[:2], np.uint8)
            for value, colour in enumerate(COLOURS, start=1):
                y, x = rng.integers(0, 26, 2)
                picture[y : y + 22, x : x + 22], mask[y : y + 22, x : x + 22] = colour, value
            mask[:1] = 255
            save(picture, root / split / "images" / f"{number}.png")
            save(mask, root / split / "masks" / f"{number}.png")
    (root / "classes.txt").write_text("".join(f"{name}\n" for name in NAMES))
    return dataset.read(root)


def save(values: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def settings(**given: Any) -> SegmentTrainSettings:
    chosen = {"network": "fcn8s", "backbone": "small_cnn", "size": 64, "epochs": 8, "batch": 4,
              "learning_rate": 0.004}  # fmt: skip
    return SegmentTrainSettings(**{**chosen, **given})
