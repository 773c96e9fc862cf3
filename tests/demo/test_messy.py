"""The demo dataset: what is drawn, where its boxes are, and which faults it has."""

import csv
import unicodedata
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from garim import boxes, files
from garim.boxes import Box
from garim.demo import messy, scenes
from garim.demo.creatures import CREATURES
from garim.demo.messy import BROKEN, Truth, draw_dataset, write_truth
from garim.demo.scenes import Scene, draw_scene
from garim.errors import DatasetError, PictureError
from garim.formats.rows import Object
from garim.pictures import header, open_picture

PER_CLASS, PER_TEST_CLASS = 6, 2
GREEN = (0, 255, 0)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("demo") / "creatures"
    counts = {"pictures_per_class": PER_CLASS, "test_per_class": PER_TEST_CLASS}
    return folder, draw_dataset(folder, **counts)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    """Give the truth of a dataset of the default size, with tiny pictures of nothing."""

    def tiny(name: str, others: list[str], rng: np.random.Generator) -> Scene:
        found = tuple(Object(label, Box(0, 0, 4, 4)) for label in (name, *others))
        return Scene(Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)), found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(messy, "draw_scene", tiny)
        return draw_dataset(tmp_path_factory.mktemp("full") / "creatures")


def digests(folder: Path) -> dict[str, str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): files.digest(path) for path in found}


def fault_names(truth: Truth, split: str) -> Counter[str]:
    faults = [fault for p in truth.pictures if p.split == split for fault in p.faults]
    return Counter(fault.partition(":")[0] for fault in faults)


def test_the_same_seed_gives_the_same_bytes(drawn: tuple[Path, Truth], tmp_path: Path) -> None:
    folder, truth = drawn
    again = draw_dataset(
        tmp_path / "creatures", pictures_per_class=PER_CLASS, test_per_class=PER_TEST_CLASS
    )
    assert again == truth
    assert digests(tmp_path / "creatures") == digests(folder)


def test_another_seed_gives_other_pictures(drawn: tuple[Path, Truth], tmp_path: Path) -> None:
    draw_dataset(tmp_path / "other", pictures_per_class=1, test_per_class=1, seed=1)
    before = set(digests(drawn[0]).values())
    same = [name for name, digest in digests(tmp_path / "other").items() if digest in before]
    made = {f"train/{label}/{name}" for label in messy.CLASSES for name in BROKEN}
    assert set(same) <= made | {"README.txt", f"train/{messy.CLASSES[0]}/.DS_Store"}


def test_a_larger_dataset_starts_with_the_smaller_one(
    drawn: tuple[Path, Truth], tmp_path: Path
) -> None:
    small = draw_dataset(tmp_path / "small", pictures_per_class=3, test_per_class=1)
    assert set(small.pictures) <= set(drawn[1].pictures)
    assert digests(tmp_path / "small").items() <= digests(drawn[0]).items()


def test_every_file_is_in_the_truth_once(drawn: tuple[Path, Truth]) -> None:
    folder, truth = drawn
    names = [picture.file_name for picture in truth.pictures] + list(truth.strays)
    assert sorted(names) == sorted(digests(folder))
    assert len({files.nfc(name) for name in names}) == len(names)
    assert all(p.file_name.startswith(f"{p.split}/{p.label}/") for p in truth.pictures)


def test_only_broken_files_fail_to_open(drawn: tuple[Path, Truth]) -> None:
    folder, truth = drawn
    for picture in truth.pictures:
        if "broken" in picture.faults:
            with pytest.raises(PictureError):
                open_picture(folder / picture.file_name)
        else:
            width, height = open_picture(folder / picture.file_name).size
            whole = Box.whole(width, height)
            assert picture.objects
            assert all(item.box.clip(width, height) == item.box for item in picture.objects)
            assert all(0 < item.box.area < whole.area for item in picture.objects)


def test_rare_encodings_and_korean_names_are_there(drawn: tuple[Path, Truth]) -> None:
    folder, truth = drawn
    sound = [p.file_name for p in truth.pictures if "broken" not in p.faults]
    modes = Counter(header(folder / name).mode for name in sound)
    assert {"CMYK", "P", "I;16", "RGBA", "RGB"} == set(modes)
    korean = [name for name in sound if not name.isascii()]
    assert sorted(unicodedata.is_normalized("NFC", name) for name in korean) == [False, True]
    turned = [name for name in sound if _orientation(folder / name) != 1]
    assert turned


def _orientation(path: Path) -> int:
    with Image.open(path) as image:
        return int(image.getexif().get(0x0112, 1))


def test_a_turned_picture_comes_out_upright(tmp_path: Path) -> None:
    upright = Image.new("RGB", (48, 32), "blue")
    upright.paste("red", (0, 0, 16, 32))
    for seed in range(12):
        path = tmp_path / f"{seed}.jpg"
        messy._save_turned(upright, path, 95, np.random.default_rng(seed))
        opened = open_picture(path)
        assert opened.size == (48, 32)
        assert np.abs(np.asarray(opened.image, int) - np.asarray(upright, int)).mean() < 3


@pytest.mark.parametrize("name", CREATURES)
def test_the_box_is_tight(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw on plain green, with nothing else: what is not green is the creature."""

    def green(_rng: np.random.Generator) -> np.ndarray:
        return np.full((240, 300, 3), GREEN, dtype=np.uint8)

    monkeypatch.setattr(scenes, "draw_background", green)
    nothing = np.zeros((1, 1, 4), dtype=np.float32)
    monkeypatch.setattr(scenes, "draw_thing", lambda canvas, rng: (nothing, 0, 0))
    monkeypatch.setattr(scenes, "_put_shadow", lambda *_: None)
    monkeypatch.setattr(scenes, "_photographed", lambda canvas, rng: canvas)
    for seed in range(4):
        scene = draw_scene(name, [], np.random.default_rng(seed))
        painted = np.abs(np.asarray(scene.image, int) - GREEN).sum(axis=2) > 0
        (found,) = scene.objects
        left, top, right, bottom = scenes.visible_box(painted) or (0, 0, 0, 0)
        assert found.label == name
        assert np.abs(np.subtract(found.box.xyxy(), (left, top, right, bottom))).max() <= 2


def test_creatures_do_not_hide_each_other() -> None:
    for seed in range(25):
        rng = np.random.default_rng(seed)
        scene = draw_scene("shellby", ["morelle", "pipwing", "inkaboo"], rng)
        corners = boxes.to_array(item.box for item in scene.objects)
        overlaps = boxes.iou(corners, corners) - np.eye(len(corners))
        assert scene.objects[0].label == "shellby"
        assert len(scene.objects) >= 2
        assert overlaps.max() < 0.15


def test_fault_counts(full: Truth) -> None:
    counts, train = fault_names(full, "train"), 110 * len(full.classes)
    assert counts["wrong_label"] == pytest.approx(0.04 * train, abs=4)
    assert counts["duplicate_of"] == pytest.approx(0.03 * train, abs=4)
    assert counts["broken"] == len(BROKEN) == 6
    assert len(full.strays) == 2
    assert not fault_names(full, "test")


def test_faults_are_what_they_say(full: Truth) -> None:
    by_name = {picture.file_name: picture for picture in full.pictures}
    for picture in full.pictures:
        shown = {item.label for item in picture.objects}
        if "wrong_label" in picture.faults:
            assert shown == {picture.shows} != {picture.label}
        elif "broken" not in picture.faults:
            assert picture.objects[0].label == picture.shows == picture.label
        for fault in picture.faults:
            if fault.startswith("duplicate_of:"):
                original = by_name[fault.partition(":")[2]]
                assert not original.faults
                assert original.label == picture.label


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_quarter_of_the_pictures_is_mixed(full: Truth, split: str) -> None:
    sound = [p for p in full.pictures if p.split == split and not p.faults]
    mixed = [p for p in sound if len(p.objects) > 1]
    assert len(mixed) / len(sound) == pytest.approx(0.25, abs=0.02)
    assert all(item.label != p.label for p in mixed for item in p.objects[1:])


def test_no_test_picture_is_a_copy(drawn: tuple[Path, Truth]) -> None:
    folder, _ = drawn
    train, test = (set(digests(folder / split).values()) for split in ("train", "test"))
    assert len(test) == PER_TEST_CLASS * len(CREATURES)
    assert not train & test


def test_the_truth_as_csv(drawn: tuple[Path, Truth], tmp_path: Path) -> None:
    _, truth = drawn
    write_truth(truth, tmp_path / "truth.csv")
    with (tmp_path / "truth.csv").open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert tuple(lines[0]) == messy.COLUMNS
    assert len(lines) == sum(len(picture.objects) for picture in truth.pictures)
    first = replace(truth.pictures[0], objects=truth.pictures[0].objects[:1])
    line, box = lines[0], first.objects[0].box
    assert line["file"] == f"creatures/{first.file_name}"
    assert [line[key] for key in ("split", "label", "object")] == [
        "train",
        first.label,
        first.shows,
    ]
    assert tuple(float(line[key]) for key in messy.COLUMNS[4:]) == box.xyxy()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DatasetError, match="not empty"):
        draw_dataset(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
