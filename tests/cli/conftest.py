"""One small drawn dataset, and one small model of it, for all tests of the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import garim
from garim.boxes import Box
from garim.cli import run
from garim.formats.rows import Object, Row
from garim.training import guesses, localizer

COLOURS = {"blue": (30, 40, 220), "green": (30, 200, 60), "빨강": (220, 40, 30)}
EACH, SIDE = 8, 48


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Networks this small gain nothing from threads, and lose much on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass(frozen=True)
class World:
    """What is drawn and trained once; never changed."""

    data: Path
    truth: Path
    model: Path


def draw(root: Path) -> tuple[Row, ...]:
    """Draw coloured rectangles on noise, and tell where they are."""
    rng, rows = np.random.default_rng(0), []
    for label, colour in COLOURS.items():
        (root / label).mkdir(parents=True)
        for number in range(EACH):
            picture = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
            left, top = (int(v) for v in rng.integers(0, SIDE // 2, 2))
            picture[top : top + 20, left : left + 20] = colour
            name = f"{label}/{number}.png"
            Image.fromarray(picture).save(root / name)
            box = Box(left, top, left + 20, top + 20)
            rows.append(Row(file_name=name, label=label, objects=(Object(label, box),)))
    return tuple(rows)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("world")
    rows = draw(root / "data")
    data = garim.read(root / "data")
    garim.write(replace(data, rows=rows), root / "truth")
    settings = garim.TrainSettings(backbone="small_cnn", size=32, epochs=3, batch=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guesses, "STEPS", 25)
        patch.setattr(localizer, "SCENES", 32)
        patch.setattr(localizer, "EPOCHS", 4)
        garim.train(data, settings, root / "model")
    return World(root / "data", root / "truth", root / "model")


@pytest.fixture
def data(world: World, tmp_path: Path) -> Path:
    """A copy of the dataset that may be changed."""
    return Path(shutil.copytree(world.data, tmp_path / "data"))


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on standard output."""
        lines = self.out.splitlines()
        assert len(lines) == 1, self.out + self.err
        found: dict[str, Any] = json.loads(lines[0])
        return found


Command = Callable[..., Ended]


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process, with all that it writes."""

    def call(*arguments: object) -> Ended:
        capfd.readouterr()
        status = run([str(one) for one in arguments])
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return Ended(status, out, err)

    return call
