from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from garim.copies import Copy, candidates, copy_groups, find_copies, fingerprint
from garim.copies.alignment import align, meet
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


def test_many_copies_in_lists_are_one_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "_LIST", 4)
    monkeypatch.setattr(candidates, "_BLOCK", 8)
    monkeypatch.setattr(candidates, "_PROBES", {True: 2, False: 1})
    paths = [
        save(photo(seed), tmp_path / f"{seed}-{quality}.jpg", quality=quality)
        for seed in (1, 2)
        for quality in range(40, 92, 4)
    ]
    groups = copy_groups(paths)
    assert len(set(groups[:13])) == len(set(groups[13:])) == 1
    assert groups[0] != groups[-1]


def crop(image: Image.Image, share: float) -> Image.Image:
    width, height = (round(side * share) for side in image.size)
    return image.crop((0, image.height - height, width, image.height))


def marked(image: Image.Image) -> Image.Image:
    copy = image.copy()
    ImageDraw.Draw(copy).text((20, 200), "(c) example", "white", ImageFont.load_default(24))
    return copy


CHANGES: dict[str, tuple[Callable[[Image.Image], Image.Image], str]] = {
    "smaller": (lambda image: image.resize((160, 120)), "recompressed"),
    "brighter": (lambda image: ImageEnhance.Brightness(image).enhance(1.25), "near"),
    "watermark": (marked, "near"),
    "mirrored": (ImageOps.mirror, "flipped"),
    "upside down": (ImageOps.flip, "flipped"),
    "quarter": (lambda image: image.transpose(Image.Transpose.ROTATE_90), "rotated"),
    "half": (lambda image: image.transpose(Image.Transpose.ROTATE_180), "rotated"),
    "3 degrees": (lambda image: image.rotate(3, Image.Resampling.BICUBIC), "rotated"),
    "crop 90": (lambda image: crop(image, 0.9), "cropped"),
    "crop 80": (lambda image: crop(image, 0.8), "cropped"),
    "border": (lambda image: ImageOps.expand(image, 16, "white"), "cropped"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_kind_of_copy_is_found_and_named(tmp_path: Path, change: str) -> None:
    made, kind = CHANGES[change]
    paths = [save(photo(seed), tmp_path / f"{seed}.jpg") for seed in range(8)]
    paths += [save(made(photo(seed)), tmp_path / f"{seed}-copy.jpg") for seed in range(8)]
    found = find_copies(paths, [fingerprint(path) for path in paths])
    pairs = [(copy.first, copy.second) for copy in found]
    assert pairs == [(seed, seed + 8) for seed in range(8)]
    named = Counter(copy.kind for copy in found)
    assert named[kind] >= 5, named  # type: ignore[index]
    assert all(0.7 < copy.similarity <= 1 for copy in found)


def test_the_same_file_is_an_exact_copy(tmp_path: Path) -> None:
    first = save(photo(1), tmp_path / "a.png")
    paths = [
        first,
        save(photo(2), tmp_path / "b.png"),
        Path(shutil.copy(first, tmp_path / "c.png")),
    ]
    found = find_copies(paths, [fingerprint(path) for path in paths])
    assert found == [Copy(0, 2, "exact", 1.0)]


def test_one_wallpaper_behind_two_things_is_no_copy(tmp_path: Path) -> None:
    paths = []
    for number, (name, place) in enumerate([("disc", 80), ("square", 200), ("ring", 240)]):
        image = Image.new("RGB", (320, 240))
        pixels = np.asarray(image).copy()
        pixels[:] = np.where(np.arange(320) % 40 < 20, 150, 190)[None, :, None]
        image = Image.fromarray(pixels)
        SHAPES[name](ImageDraw.Draw(image), [place - 50, 60, place + 50, 160])
        paths.append(save(image, tmp_path / f"{number}.png"))
    assert len(set(copy_groups(paths))) == 3


def test_one_garment_in_two_colours_is_no_copy(tmp_path: Path) -> None:
    paths = []
    for number, colour in enumerate([(40, 60, 190), (170, 50, 40), (40, 130, 50)]):
        image = Image.new("RGB", (240, 320), "white")
        pen = ImageDraw.Draw(image)
        pen.polygon([(40, 60), (200, 60), (220, 140), (180, 140), (180, 290), (60, 290), (60, 140),
                     (20, 140)], colour)  # fmt: skip
        dark = tuple(v // 2 for v in colour)
        for y in range(80, 280, 24):
            pen.line([(70, y), (170, y)], dark, 5)
        paths.append(save(image, tmp_path / f"{number}.png"))
    assert len(set(copy_groups(paths))) == 3


def test_the_alignment_is_the_one_that_was_made(tmp_path: Path) -> None:
    image = photo(3, (384, 384))
    part = image.crop((48, 20, 48 + 307, 20 + 307))
    thumbnails = [np.asarray(one.convert("L").resize((32, 32), Image.Resampling.BOX))
                  for one in (part, image)]  # fmt: skip
    start = meet(thumbnails[0], thumbnails[1], (0.1, 0.1, 0.9, 0.9))
    assert start is not None
    true = np.array([[307 / 384, 0, 48 / 384], [0, 307 / 384, 20 / 384]])
    assert np.abs(start - true).max() < 0.03
    big = [np.asarray(one.resize((192, 192), Image.Resampling.BOX)) for one in (part, image)]
    aligned = align(big[0], big[1], start, ((307, 307), (384, 384)))
    assert aligned is not None
    assert aligned.share == pytest.approx((307 / 384) ** 2, abs=0.01)
    assert abs(aligned.angle) < 0.5
    assert align(big[0], np.asarray(photo(4, (192, 192))), start, ((1, 1), (1, 1))) is None
