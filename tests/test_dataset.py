from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import garim
from garim.audit import AuditSettings
from garim.boxes import Box
from garim.dataset import Dataset, Selection, SplitSettings, assign_splits
from garim.errors import DatasetError, SettingsError
from garim.formats.rows import Object, Row


def draw(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((60, 50), Image.Resampling.BICUBIC).save(path)
    return path


def rows_only(*rows: Row) -> Dataset:
    classes = tuple(sorted({row.label for row in rows if row.label}))
    return Dataset(root=Path("x"), rows=rows, classes=classes, origin=Path("x"))


def many(**sizes: int) -> Dataset:
    return rows_only(
        *(
            Row(file_name=f"{label}/{number}.png", label=label)
            for label, size in sizes.items()
            for number in range(size)
        )
    )


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    names = ("train/dog/1.png", "train/dog/2.png", "val/cat/3.png", "test/강아지/4.png")
    for index, name in enumerate(names):
        draw(tmp_path / "DATA" / name, index)
    return garim.read(tmp_path / "DATA")


def test_reads_counts_and_orders(data: Dataset) -> None:
    assert len(data) == 4 == len(list(data))
    assert data.splits == ("train", "validation", "test")
    assert data.classes == ("cat", "dog", "강아지")
    assert data.class_index() == {"cat": 0, "dog": 1, "강아지": 2}
    assert data.counts() == {
        "train": {"cat": 0, "dog": 2, "강아지": 0},
        "validation": {"cat": 1, "dog": 0, "강아지": 0},
        "test": {"cat": 0, "dog": 0, "강아지": 1},
    }
    assert all(data.path(row).is_file() for row in data)
    assert many(dog=2).counts() == {"all": {"dog": 2}}


def test_where_keeps_splits_and_classes(data: Dataset) -> None:
    assert [row.label for row in data.where(split=["val"])] == ["cat"]
    assert data.where(split=["Valid"]).classes == data.classes
    dogs = data.where(split=["train", "test"], classes=["강아지"])
    assert (len(dogs), dogs.classes) == (1, ("강아지",))
    assert data.where() == data


def test_where_is_what_a_plan_reads_again(data: Dataset) -> None:
    part = data.where(split="val").where(classes="cat")
    assert part.selection == Selection(split=("validation",), classes=("cat",))
    assert garim.read(data.origin, part.selection) == part
    assert data.where(split="val", classes="cat") == part


def test_a_dataset_stays_where_it_is(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data.root.parent)
    found = garim.read(data.root.name)
    monkeypatch.chdir("/")
    assert found.path(found.rows[0]).exists() and found.place == str(data.root.resolve())


def test_selections_that_cannot_be_are_refused(data: Dataset) -> None:
    wrong: Any = "x"
    with pytest.raises(SettingsError, match="labels must be folder or all, not 'x'"):
        garim.read(data.origin, Selection(labels=wrong))
    with pytest.raises(SettingsError, match=r"expected garim.Selection\(format=…\)"):
        garim.read(data.origin, wrong)


def test_pictures_that_cannot_be_opened_are_left_out(data: Dataset, tmp_path: Path) -> None:
    folder = Path(data.rows[0].file_name).parent
    (data.root / folder / "link.png").symlink_to("gone.png")
    (data.root / folder / "page.jpg").write_text("<html>")
    (data.root / folder / "phone.HEIC").write_bytes(b"heic")
    found = garim.read(data.origin)
    assert [(f.picture, f.error) for f in found.failures] == [
        (f"{folder}/phone.HEIC", "HEIC pictures are not read; save it as JPEG or PNG")
    ]
    for format in ("folder", "coco"):
        written = garim.write(found, tmp_path / format, format)
        assert len(written) == len(data)
        assert [f.picture for f in written.failures] == [
            f"{folder}/link.png", f"{folder}/page.jpg",
        ]  # fmt: skip
    bad = found.rows[[row.file_name for row in found].index(f"{folder}/page.jpg")]
    with pytest.raises(DatasetError, match="no picture can be read"):
        garim.write(replace(found, rows=(bad,)), tmp_path / "none")


def test_a_copy_inside_the_dataset_is_refused(data: Dataset) -> None:
    with pytest.raises(DatasetError, match="would be read as a part of it"):
        garim.write(data, data.root / "copy")
    assert garim.read(data.origin) == data
    assert len(garim.write(data, data.root / ".copies" / "one")) == len(data)


def test_addresses_of_the_web_are_for_collect() -> None:
    with pytest.raises(DatasetError, match="garim collect"):
        garim.read("http://example.org/pets")


def test_what_cannot_be_written(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is no picture to write"):
        garim.write(replace(data, rows=()), tmp_path / "to")
    assert not (tmp_path / "to").exists()
    with pytest.raises(DatasetError, match="written as a folder"):
        garim.write(data, tmp_path / "to.zip")


def test_where_names_what_exists(data: Dataset) -> None:
    with pytest.raises(SettingsError) as caught:
        data.where(split=["holdout"], classes=["wolf"])
    assert caught.value.problems == (
        "the dataset has no class 'wolf'; it has: cat, dog, 강아지",
        "the dataset has no split 'holdout'; it has: train, validation, test",
    )
    with pytest.raises(SettingsError, match="no split 'train'; it has: none"):
        many(dog=1).where(split=["train"])


def test_select_is_what_read_does(data: Dataset) -> None:
    chosen = Selection(split=("train",), classes=("dog",))
    read = garim.read(data.origin, chosen)
    assert read.rows == data.select(chosen).rows and read.selection == chosen
    with pytest.raises(SettingsError, match="no class 'wolf'"):
        garim.read(data.origin, Selection(classes=("wolf",)))


def test_one_row_per_label() -> None:
    box = Box(0, 0, 1, 1)
    both = tuple(Object(label, box) for label in ("dog", "cat", "dog"))
    whole = rows_only(
        Row(file_name="a", label="dog", objects=both),
        Row(file_name="a", label="cat", objects=both),
        Row(file_name="b", label="cat"),
    )
    found = [(row.file_name, row.label) for row in whole.one_row_per_label()]
    assert found == [("a", "dog"), ("a", "cat"), ("b", "cat")]
    assert whole.select(Selection(labels="all")).rows == whole.one_row_per_label().rows


def test_labelled_leaves_out_rows_without_a_label() -> None:
    whole = rows_only(Row(file_name="a"), Row(file_name="b", label="dog"))
    assert [row.file_name for row in whole.labelled()] == ["b"]


def test_the_fingerprint_names_names_labels_and_splits(data: Dataset) -> None:
    name = data.fingerprint()
    assert garim.read(data.origin).fingerprint() == name
    assert replace(data, rows=data.rows[::-1], origin=Path("y")).fingerprint() == name
    first, *others = data.rows
    for other in (
        replace(first, file_name="x"), replace(first, label="cat"), replace(first, split="train"),
    ):  # fmt: skip
        assert replace(data, rows=(other, *others)).fingerprint() != name
    assert replace(data, classes=data.classes[::-1]).fingerprint() != name


def test_table() -> None:
    row = Row(file_name="a", label="dog", objects=(Object("dog", Box(1, 2, 4, 6)),))
    table = rows_only(row, Row(file_name="b")).table()
    assert table.columns == ["file_name", "split", "label", "objects"]
    assert table["objects"].to_list() == [[{"label": "dog", "bbox": [1, 2, 3, 4]}], []]
    assert table.schema["split"] == pl.String
    assert rows_only().table().schema == table.schema


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is no such file or folder"):
        garim.read(tmp_path / "none")
    with pytest.raises(DatasetError, match=r"holds no picture.*one folder of pictures per class"):
        garim.read(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DatasetError, match=r"only 1 other files such as notes\.txt"):
        garim.read(tmp_path)


def test_write_refuses_what_holds_something(data: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for target in (data.origin, tmp_path / "file"):
        with pytest.raises(DatasetError, match="is not empty; give a new or empty folder"):
            garim.write(data, target)
    (tmp_path / "empty").mkdir()
    written = garim.write(data, tmp_path / "empty")
    assert written.counts() == data.counts() and written.classes == data.classes


@pytest.mark.parametrize("seed", range(3))
def test_split_is_stratified(seed: int) -> None:
    sizes = {"a": 10, "b": 13, "c": 57, "d": 101}
    settings = SplitSettings(test=0.2, validation=0.15, seed=seed, keep_copies_together=False)
    counts = garim.split(many(**sizes), settings).counts()
    for label, size in sizes.items():
        assert abs(counts["test"][label] - 0.2 * size) <= 1
        assert abs(counts["validation"][label] - 0.15 * size) <= 1
        assert sum(counts[split][label] for split in counts) == size


def test_split_is_seeded_and_forgets_the_old_splits(data: Dataset) -> None:
    whole = many(dog=40)
    settings = SplitSettings(keep_copies_together=False)
    first = garim.split(whole, settings)
    assert garim.split(whole, settings) == first
    assert garim.split(first, settings) == first
    assert garim.split(whole, replace(settings, seed=1)) != first
    assert set(garim.split(data, SplitSettings(test=0, validation=0)).splits) == {"train"}


def test_a_class_with_one_picture_stays_in_train() -> None:
    settings = SplitSettings(test=0.5, validation=0.4, keep_copies_together=False)
    counts = garim.split(many(one=1, two=2, ten=10), settings).counts()
    assert counts["train"]["one"] == 1
    assert counts["train"]["two"] == 1
    assert counts["train"]["ten"] == 1


def test_near_copies_stay_on_one_side(tmp_path: Path) -> None:
    for number in range(12):
        first = draw(tmp_path / f"dog/{number}.png", number)
        image = Image.open(first).convert("RGB")
        image.save(tmp_path / f"dog/{number}-again.jpg", quality=60)
        image.resize((90, 75)).save(tmp_path / f"dog/{number}-large.png")
    found = garim.split(garim.read(tmp_path), SplitSettings(test=0.25, validation=0.25))
    sides: dict[str, set[str | None]] = {}
    for row in found:
        number = Path(row.file_name).stem.split("-")[0]
        sides.setdefault(number, set()).add(row.split)
    assert all(len(side) == 1 for side in sides.values())
    assert Counter(row.split for row in found) == {"train": 18, "validation": 9, "test": 9}


def test_rows_of_one_picture_stay_on_one_side() -> None:
    whole = rows_only(
        *(Row(file_name=f"{n}.png", label=label) for n in range(20) for label in ("cat", "dog"))
    )
    found = garim.split(whole, SplitSettings(test=0.5, keep_copies_together=False))
    assert len({(row.file_name, row.split) for row in found}) == 20


@pytest.mark.parametrize(
    ("test", "validation", "words"),
    [
        (-0.1, 0.1, "test must be at least 0"),
        (1, 0.1, "test must be at least 0 and below 1"),
        (0.1, math.nan, "validation must be"),
        (0.6, 0.4, "leave nothing to train on"),
    ],
)
def test_shares_that_cannot_be_are_refused(test: float, validation: float, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        garim.split(many(dog=3), SplitSettings(test=test, validation=validation))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_that_cannot_be_are_refused(seed: int) -> None:
    with pytest.raises(SettingsError, match=f"seed must be from 0 to 4294967295, not {seed}"):
        garim.split(many(dog=3), SplitSettings(seed=seed))
    with pytest.raises(SettingsError, match="seed must be"):
        AuditSettings(seed=seed).check(())


@given(st.lists(st.integers(1, 5), max_size=30), st.integers(0, 9))
def test_groups_come_as_near_to_the_shares_as_they_can(sizes: list[int], seed: int) -> None:
    shares = {"test": 0.3, "validation": 0.2}
    splits = assign_splits(["x"] * len(sizes), sizes, shares, seed)
    assert len(splits) == len(sizes)
    assert not sizes or "train" in splits
    for name, share in shares.items():
        taken = sum(size for size, one in zip(sizes, splits, strict=True) if one == name)
        assert taken <= round(share * sum(sizes)) + max(sizes, default=0) / 2
