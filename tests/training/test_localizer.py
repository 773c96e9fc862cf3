"""Learning where classes are, from labels alone, on drawn shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import garim
from garim.boxes import Box
from garim.dataset import Dataset
from garim.errors import ModelError
from garim.evaluation.evaluate import proposed_box
from garim.evaluation.localization import LocalizationReport, localization_report
from garim.formats.rows import Object
from garim.models.localizer import Localizer, load_localizer, save_localizer
from garim.training import guesses, localizer

COLOURS = {"circle": (220, 60, 40), "square": (40, 90, 220), "triangle": (230, 200, 40)}
SIDE = 64


def background(rng: np.random.Generator) -> Image.Image:
    """Greys and greens that change slowly, with a little noise."""
    small = rng.integers(60, 160, (4, 4, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(small).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    noise = rng.integers(-12, 13, smooth.shape)
    return Image.fromarray(np.clip(smooth + noise, 0, 255).astype(np.uint8))


def draw(root: Path, each: int, sides: tuple[int, int]) -> tuple[Dataset, list[tuple[str, Object]]]:
    rng, truth = np.random.default_rng(0), []
    for label, colour in COLOURS.items():
        (root / label).mkdir(parents=True)
        for number in range(each):
            image, side = background(rng), int(rng.integers(*sides))
            x, y = (int(v) for v in rng.integers(0, SIDE - side, 2))
            place = ImageDraw.Draw(image)
            if label == "triangle":
                place.polygon([(x, y + side), (x + side, y + side), (x + side / 2, y)], colour)
            else:
                shape: Any = place.ellipse if label == "circle" else place.rectangle
                shape((x, y, x + side, y + side), colour)
            image.save(root / label / f"{number}.png")
            box = Box(x, y, x + side + 1, y + side + 1)
            truth.append((f"{label}/{number}.png", Object(label, box)))
    return garim.read(root), truth


Truth = list[tuple[str, Object]]
LARGE = (36, 46)
"""Sides of shapes: a third of the picture and more, or a tenth to a fifth of it."""


def judged(boxes: list[Box | None], truth: Truth) -> LocalizationReport:
    named = [(name, one.label, box) for (name, one), box in zip(truth, boxes, strict=True)]
    return localization_report(named, truth)


def found_boxes(root: Path, sides: tuple[int, int]) -> tuple[list[Box | None], Truth]:
    """Train, save, load, extract with the default method."""
    data, truth = draw(root / "data", 30, sides)
    settings = garim.TrainSettings(backbone="small_cnn", size=48, epochs=20, batch=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guesses, "STEPS", 100)
        patch.setattr(localizer, "SCENES", 100)
        trained = garim.train(data, settings, root / "model")
    plan = garim.extract(data, garim.load_model(root / "model")).plan
    assert plan.method == "self"
    again = garim.extract(data, trained.classifier).plan
    assert [e.to_dict() for e in plan] == [e.to_dict() for e in again]
    boxes = {e.picture: proposed_box(e) for e in plan}
    return [boxes[name] for name, _ in truth], truth


@pytest.mark.slow
def test_its_boxes_beat_the_whole_picture_and_the_centre(tmp_path: Path) -> None:
    boxes, truth = found_boxes(tmp_path, LARGE)
    quarter = SIDE / 4
    centre = Box(quarter, quarter, SIDE - quarter, SIDE - quarter)
    others = [judged([one] * len(truth), truth) for one in (centre, Box.whole(SIDE, SIDE))]
    figures = judged(boxes, truth).corloc(0.5), *(one.corloc(0.5) for one in others)
    assert figures[0] > max(figures[1:]) + 0.2, figures


def made() -> Localizer:
    torch.manual_seed(0)
    result = Localizer([8, 16], 3, 6, 48)
    result.fit_basis(0, torch.randn(50, 8))
    result.fit_basis(1, torch.randn(5, 16))
    return result.eval()


def test_it_is_the_same_when_saved(tmp_path: Path) -> None:
    maps = [torch.randn(2, 8, 12, 12), torch.randn(2, 16, 3, 3)]
    before = made()
    save_localizer(before, tmp_path / "l.safetensors")
    after = load_localizer(tmp_path / "l.safetensors")
    assert (after.channels, after.classes, after.grid, after.size) == ((8, 16), 3, 6, 48)
    for given, again in zip(before(maps), after(maps), strict=True):
        assert torch.equal(given, again)
    scores, boxes = after(maps)
    assert scores.shape == boxes.shape == (2, 4, 6, 6)


def test_a_broken_file(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "l.safetensors"
    with pytest.raises(ModelError, match="is no localizer"):
        load_localizer(path)
    save_localizer(made(), path)
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[:40], whole[:-10]):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"l\.safetensors: is no localizer"):
            load_localizer(path)
    for note in (None, {"localizer": "{"}, {"localizer": "[]"}, {"localizer": '{"channels": [1]}'},
                 {"localizer": '{"channels": [9], "classes": 2, "grid": 4, "size": 8}'},
                 {"localizer": '{"channels": [-9], "classes": 2, "grid": 4, "size": 8}'},
                 {"localizer": "3"}):  # fmt: skip
        save_file({"x": torch.zeros(1)}, path, metadata=note)
        with pytest.raises(ModelError):
            load_localizer(path)
