"""Pictures of easily told classes, and settings that train on them in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from garim import dataset
from garim.dataset import Dataset
from garim.models.networks import create
from garim.training.data import Examples
from garim.training.settings import Recipe, TrainSettings, resolve

# Networks this small gain nothing from threads, and lose much on a busy machine.
torch.set_num_threads(1)

COLOURS = {"blue": (30, 40, 220), "green": (30, 200, 60), "red": (220, 40, 30)}
TINY = "mobilenetv3_small_050"


def draw(root: Path, *, each: int = 12, side: int = 40, split: str = "", seed: int = 0) -> Dataset:
    """Draw coloured rectangles on noise, ``each`` of every class."""
    rng = np.random.default_rng(seed)
    for name, colour in COLOURS.items():
        folder = root / split / name
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(each):
            picture = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
            left, top = rng.integers(0, side // 3, 2)
            picture[top : top + side // 2, left : left + side // 2] = colour
            Image.fromarray(picture).save(folder / f"{number}.png")
    return dataset.read(root)


def settings(**given: Any) -> TrainSettings:
    chosen = {"backbone": "small_cnn", "size": 32, "epochs": 3, "batch": 8, "localizer": False}
    return TrainSettings(**{**chosen, **given})


def recipe(**given: Any) -> Recipe:
    return resolve(settings(**given))


def weights(path: Path, name: str = TINY) -> str:
    """Write random weights of a timm network."""
    torch.manual_seed(1)
    save_file(create(name, 7).state_dict(), path)
    return str(path)


def examples(targets: list[int], groups: list[int] | None = None) -> Examples:
    """Examples whose files are never opened."""
    count = len(targets)
    return Examples(
        paths=tuple(Path(f"{i}.png") for i in range(count)),
        targets=np.array(targets, dtype=np.int64),
        digests=tuple(f"{i:032x}" for i in range(count)),
        groups=np.array(groups or range(count), dtype=np.int64),
    )
