from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from garim import copies
from garim.copies import MARGIN, are_copies, copy_groups, fingerprint
from garim.errors import PictureError

Draw = Callable[[ImageDraw.ImageDraw, list[int]], None]

SHAPES: dict[str, Draw] = {
    "disc": lambda pen, box: pen.ellipse(box, "navy"),
    "square": lambda pen, box: pen.rectangle(box, "navy"),
    "triangle": lambda pen, box: pen.polygon([box[0], box[3], box[2], box[3], box[2], 0], "navy"),
    "ring": lambda pen, box: pen.ellipse(box, outline="navy", width=6),
}


def photo(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _ in range(5):
        x, y, side = (int(v) for v in rng.integers(10, 200, 3))
        pen.ellipse([x, y, x + side, y + side], tuple(int(v) for v in rng.integers(0, 256, 3)))
    return image


def shape(name: str, radius: int = 40) -> Image.Image:
    image = Image.new("RGB", (320, 240), "white")
    box = [160 - radius, 120 - radius, 160 + radius, 120 + radius]
    SHAPES[name](ImageDraw.Draw(image), box)
    return image


def save(image: Image.Image, path: Path, **options: Any) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("seed", range(4))
def test_pictures_saved_again_are_one_group(tmp_path: Path, seed: int) -> None:
    image = photo(seed)
    first = save(image, tmp_path / "a.png")
    paths = [
        first,
        Path(shutil.copy(first, tmp_path / "b.png")),
        save(image, tmp_path / "c.jpg", quality=30),
        save(image.resize((160, 120)), tmp_path / "d.png"),
        save(image.resize((900, 675)), tmp_path / "e.webp", quality=70),
        save(image.resize((107, 80)), tmp_path / "f.jpg", quality=75),
        save(photo(seed + 100), tmp_path / "other.png"),
    ]
    groups = copy_groups(paths)
    assert groups[:-1] == [groups[0]] * 6
    assert groups[-1] != groups[0]


@pytest.mark.parametrize("radius", [12, 25, 40, 90])
def test_different_shapes_on_white_are_different_pictures(tmp_path: Path, radius: int) -> None:
    paths = [save(shape(name, radius), tmp_path / f"{name}.png") for name in SHAPES]
    assert len(set(copy_groups(paths))) == len(SHAPES)


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_on_white_saved_small_is_a_copy(tmp_path: Path, name: str) -> None:
    paths = [
        save(shape(name), tmp_path / "a.png"),
        save(shape(name), tmp_path / "b.jpg", quality=30),
        save(shape(name).resize((107, 80)), tmp_path / "c.jpg", quality=75),
    ]
    assert len(set(copy_groups(paths))) == 1


def test_plain_pictures_are_told_apart_by_their_tone(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(198, 203, (90, 90, 3), dtype=np.uint8)
    paths = [
        save(Image.new("RGB", (90, 90), "red"), tmp_path / "a.png"),
        save(Image.new("RGB", (90, 90), "red"), tmp_path / "b.jpg", quality=50),
        save(Image.new("RGB", (90, 90), "navy"), tmp_path / "c.png"),
        save(Image.fromarray(noise), tmp_path / "d.png"),
        save(Image.fromarray(noise), tmp_path / "e.jpg", quality=40),
    ]
    a, b, c, d, e = copy_groups(paths)
    assert a == b and d == e and len({a, c, d}) == 3


def test_pictures_that_cannot_be_opened_are_alone(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    same = Path(shutil.copy(broken, tmp_path / "same.png"))
    good = save(photo(1), tmp_path / "good.png")
    groups = copy_groups([broken, good, same, tmp_path / "none.png"])
    assert len(set(groups)) == 4
    with pytest.raises(PictureError):
        fingerprint(broken)
    assert copy_groups([]) == []


def test_a_crowd_of_copies_is_one_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_CROWD", 5)
    paths = [
        save(photo(seed), tmp_path / f"{seed}-{quality}.jpg", quality=quality)
        for seed in (1, 2)
        for quality in range(40, 92, 4)
    ]
    groups = copy_groups(paths)
    assert len(set(groups[:13])) == len(set(groups[13:])) == 1
    assert groups[0] != groups[-1]


def _reference_bits(path: Path) -> list[bool]:
    """dHash by its definition: average cells of the grey picture, compare with the left one."""
    grey = np.asarray(Image.open(path).convert("L"), dtype=np.float64)
    height, width = grey.shape
    rows = np.array([part.mean(axis=0) for part in np.split(grey, 16)])
    cells = np.array([part.mean(axis=1) for part in np.split(rows, 17, axis=1)]).T
    assert (height % 16, width % 17, cells.shape) == (0, 0, (16, 17))
    return [bool(cells[y, x + 1] - cells[y, x] > MARGIN) for y in range(16) for x in range(16)]


@pytest.mark.parametrize("seed", range(6))
def test_the_hash_is_the_difference_hash(tmp_path: Path, seed: int) -> None:
    path = save(photo(seed, (17 * 20, 16 * 15)), tmp_path / "a.png")
    assert fingerprint(path).bits.tolist() == _reference_bits(path)


def test_copies_by_value(tmp_path: Path) -> None:
    first = fingerprint(save(photo(1), tmp_path / "a.png"))
    again = fingerprint(Path(shutil.copy(tmp_path / "a.png", tmp_path / "b.png")))
    assert first.digest == again.digest and are_copies(first, again)
    assert first.bits.shape == (256,) and first.thumbnail.shape == (32, 32)
    assert not are_copies(first, fingerprint(save(photo(2), tmp_path / "c.png")))
