"""Each check on pictures drawn with a planted problem, and on the clean ones beside them."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import audited, clean, found, photo, proposed, save
from PIL import Image, ImageEnhance, ImageFilter, ImageOps, PngImagePlugin
from skimage.measure import blur_effect as reference

import garim
from garim.audit import CHECKS, AuditSettings
from garim.audit.checks import Check
from garim.audit.look import blur_effect, look
from garim.boxes import Box
from garim.formats.rows import Object

Make = Callable[[Path], object]


def _noise_around(tone: int) -> Image.Image:
    noise = np.random.default_rng(0).integers(tone, tone + 3, (180, 240, 3), dtype=np.uint8)
    return Image.fromarray(noise)


PIXELS: dict[str, Make] = {
    "broken": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n"),
    "odd_size": lambda path: photo(50, (1600, 1200)).save(path),
    "odd_aspect": lambda path: photo(51, (600, 150)).save(path),
    "odd_mode": lambda path: photo(52).quantize(64).save(path),
    "dark": lambda path: ImageEnhance.Brightness(photo(53)).enhance(0.1).save(path),
    "bright": lambda path: _noise_around(250).save(path),
    "blurry": lambda path: photo(54).filter(ImageFilter.GaussianBlur(9)).save(path),
    "low_information": lambda path: Image.new("RGB", (240, 180), "gray").save(path),
}


@pytest.mark.parametrize("check", PIXELS)
def test_a_planted_picture_is_found_and_no_other(tmp_path: Path, check: str) -> None:
    data = clean(tmp_path, 24)
    PIXELS[check](data / "thing" / "planted.png")
    audit = audited(data, only=(check,))
    assert found(audit, check) == {"thing/planted.png"}
    scores = dict(audit.pictures.select("file_name", f"{check}_score").iter_rows())
    assert all(0 <= score <= 1 for score in scores.values())
    assert min(scores, key=lambda name: scores[name]) == "thing/planted.png"
    assert audit.summary.rows() == [(check, 1, None)]


def test_a_grey_picture_among_colour_is_odd(tmp_path: Path) -> None:
    data = clean(tmp_path, 24)
    save(photo(60).convert("L").convert("RGB"), data / "thing" / "grey.png")
    assert found(audited(data, only=("odd_mode",)), "odd_mode") == {"thing/grey.png"}


def test_what_all_pictures_are_like_is_no_issue(tmp_path: Path) -> None:
    for seed in range(8):
        dim = ImageEnhance.Brightness(photo(seed)).enhance(0.15)
        save(dim, tmp_path / "thing" / f"{seed}.png")
    assert found(audited(tmp_path, only=("dark",)), "dark") == set()
    assert found(audited(clean(tmp_path / "other"), only=("dark",), dark=1.0), "dark") == set()


@pytest.mark.parametrize("radius", [0, 1, 4])
def test_sharpness_is_the_blur_effect_of_scikit_image(radius: int) -> None:
    grey = np.asarray(photo(1).filter(ImageFilter.GaussianBlur(radius)).convert("L"))
    expected = reference(grey.astype(np.float64), h_size=11)
    assert blur_effect(grey) == pytest.approx(expected, abs=1e-4)


def test_a_look_measures_the_whole_picture(tmp_path: Path) -> None:
    path = save(photo(3, (900, 700)), tmp_path / "a.jpg", quality=92)
    one = look(path, square=64)
    assert one.fingerprint.size == (900, 700)
    assert one.bytes == path.stat().st_size and one.mode == "RGB"
    assert one.square is not None and one.square.shape == (64, 64, 3)
    grey = np.asarray(photo(3, (900, 700)).convert("L")) / 255
    assert one.bright_end == pytest.approx(np.quantile(grey, 0.99), abs=0.03)
    assert one.dark_end == pytest.approx(np.quantile(grey, 0.01), abs=0.03)


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "recompressed": lambda image: image.resize((120, 90)),
    "near": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "flipped": ImageOps.mirror,
    "rotated": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "cropped": lambda image: image.crop((0, 0, 204, 153)),
}


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_found_by_the_check_of_its_kind(tmp_path: Path, kind: str) -> None:
    data = clean(tmp_path)
    save(COPIES[kind](photo(4)), data / "thing" / "copy.png")
    audit = audited(data)
    both = {"thing/04.png", "thing/copy.png"}
    assert found(audit, f"{kind}_duplicates") == both
    others = [name for name in CHECKS if name.endswith("_duplicates") and not name.startswith(kind)]
    assert not [name for name in others if found(audit, name)]
    assert audit.pairs.select("check", "kind", "from", "to").rows() == [
        (f"{kind}_duplicates", kind, "thing/04.png", "thing/copy.png")
    ]
    dropped = set(proposed(audit))
    assert len(dropped) == (kind in {"recompressed", "near"}) and dropped <= both
    assert kind != "recompressed" or dropped == {"thing/copy.png"}  # the smaller


def test_of_the_same_file_twice_the_first_stays(tmp_path: Path) -> None:
    data = clean(tmp_path)
    shutil.copy(data / "thing" / "04.png", data / "thing" / "99.png")
    audit = audited(data)
    assert found(audit, "exact_duplicates") == {"thing/04.png", "thing/99.png"}
    assert proposed(audit) == {"thing/99.png": ("drop", None)}


def test_copies_across_splits(tmp_path: Path) -> None:
    for split, seeds in (("train", range(6)), ("test", range(6, 10))):
        for seed in seeds:
            save(photo(seed), tmp_path / split / "thing" / f"{seed}.png")
    shutil.copy(tmp_path / "test/thing/7.png", tmp_path / "train/thing/same.png")
    save(ImageOps.mirror(photo(2)), tmp_path / "test/thing/mirrored.png")
    audit = audited(tmp_path)
    assert found(audit, "across_splits") == {
        "test/thing/7.png", "train/thing/same.png", "train/thing/2.png", "test/thing/mirrored.png"
    }  # fmt: skip
    assert proposed(audit) == {
        "train/thing/same.png": ("drop", None), "test/thing/mirrored.png": ("move", "train"),
    }  # fmt: skip


def test_copies_with_different_labels_are_both_kept(tmp_path: Path) -> None:
    data = clean(tmp_path, 6)
    save(photo(2), data / "other" / "a.png")
    audit = audited(data)
    assert found(audit, "across_classes") == {"thing/02.png", "other/a.png"}
    assert proposed(audit) == {}


def test_the_check_of_the_docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
    code = page.split("## Add a check")[1].split("```python\n")[1].split("```")[0]
    known: dict[str, Any] = {}
    exec(code, known)
    monkeypatch.setitem(CHECKS, "wasteful", Check(known["wasteful"], "Large files"))
    data = clean(tmp_path, 3)
    photo(70).resize((30, 20)).save(data / "thing" / "large.png", pnginfo=_padding(9000))
    (data / "thing" / "broken.png").write_bytes(b"no")
    assert found(audited(data, only=("wasteful",)), "wasteful") == {"thing/large.png"}


def _padding(size: int) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add(b"prVt", bytes(size))
    return info


def test_imbalance(tmp_path: Path) -> None:
    data = clean(tmp_path, 24)
    save(photo(70), data / "rare" / "a.png")
    (data / "none").mkdir()
    audit = audited(data)
    assert found(audit, "imbalance") == {"rare/a.png"}
    assert audit.findings["imbalance"].facts == (
        "'rare' has 1 pictures, the largest class 24.",
        "The folder none/ is empty.",
    )
    assert not audit.failures


def test_class_names_that_mean_the_same(tmp_path: Path) -> None:
    data = clean(tmp_path, 4, "hot dog")
    for seed, name in enumerate(("Hot_Dog", "ＨＯＴ DOG", "dog")):
        save(photo(80 + seed), data / name / "a.png")
    audit = audited(data)
    assert proposed(audit) == {
        "Hot_Dog/a.png": ("relabel", "hot dog"), "ＨＯＴ DOG/a.png": ("relabel", "hot dog")
    }  # fmt: skip


def test_one_name_in_two_unicode_forms_is_told(tmp_path: Path) -> None:
    for seed, form in enumerate(("NFC", "NFD")):
        save(photo(seed), tmp_path / unicodedata.normalize(form, "고양이") / f"{seed}.png")  # type: ignore[arg-type]
    audit = audited(tmp_path)
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this file system knows one form only")
    assert audit.findings["class_names"].facts == ("'고양이' is spelled in 2 Unicode forms.",)


def test_boxes(tmp_path: Path) -> None:
    data = garim.read(clean(tmp_path, 4))
    boxes = [Box(10, 10, 80, 90), Box(20, 20, 20, 60), Box(200, 100, 300, 170),
             Box(-0.6, 0, 240.6, 180)]  # fmt: skip
    rows = [replace(row, objects=(Object("thing", box),))
            for row, box in zip(data.rows, boxes, strict=True)]  # fmt: skip
    audit = garim.audit(replace(data, rows=tuple(rows)), AuditSettings())
    assert found(audit, "tiny_boxes") == {"thing/01.png"}
    assert found(audit, "boxes_outside") == {"thing/02.png"}
    assert audit.pictures["boxes_outside_score"].to_list() == pytest.approx([1, 1, 0.4, 1])
