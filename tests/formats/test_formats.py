"""One contract for every entry of the table, and the round trips."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from datasets_on_disk import LABELS, ODD_STEMS, contents, datasets, draw_picture, draw_pictures
from hypothesis import given, settings

from garim import formats
from garim.boxes import Box
from garim.errors import DatasetError, FormatError
from garim.formats import FORMATS, labels, placing
from garim.formats.rows import Contents, Object, Row

ALL = list(FORMATS)
WHOLE = ["csv", "huggingface", "coco", "webdataset"]
"""Formats that hold labels beside objects, and provenance."""

TAGGED = ["cvat", "labelstudio"]
"""Formats that hold labels beside objects, but no provenance."""

BOXES = (
    Object("고양이", Box(1, 2.5, 10.25, 20)),
    Object("고양이", Box(1, 2.5, 10.25, 20)),
    Object("고양이", Box(5, 5, 5, 4)),
)


def example(root: Path) -> Contents:
    rows = (
        Row(file_name="a/1.png", label="고양이", split="train", objects=BOXES),
        Row(file_name="b/1.png", label="고양이", split="train", objects=BOXES[:1]),
        Row(file_name="b/2 3.png", label=None, split="test"),
    )
    draw_pictures(root, rows)
    return contents(*rows, classes=("zebra", "고양이"))


@pytest.mark.parametrize("name", ALL)
def test_contract(name: str, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    given_contents = example(source)
    formats.write(given_contents, source, target, name)
    assert formats.detect(target).name == name
    root, found = formats.read(target)
    assert formats.read(target, name) == (root, found)
    assert not found.failures
    assert not found.strays
    assert found.classes == ("zebra", "고양이")
    assert [row.split for row in found.rows] == ["test", "train", "train"] or name == "csv"
    assert Counter(row.label for row in found.rows) == {"고양이": 2, None: 1}
    expected = 0 if name == "folder" else 4
    assert sum(len(row.objects) for row in found.rows) == expected
    assert all((root / row.file_name).is_file() for row in found.rows)
    assert len({row.file_name.casefold() for row in found.rows}) == 3


@pytest.mark.parametrize("name", ALL)
def test_an_empty_dataset_can_be_written_and_read(name: str, tmp_path: Path) -> None:
    formats.write(contents(classes=("b", "a")), tmp_path, tmp_path / "target", name)
    try:
        assert formats.read(tmp_path / "target", name)[1].rows == ()
    except FormatError as error:  # nothing to tell the format by
        assert "expected" in str(error)


@pytest.mark.parametrize("name", ALL)
def test_a_missing_picture_is_named(name: str, tmp_path: Path) -> None:
    rows = contents(Row(file_name="dog/gone.jpg", label="dog"))
    with pytest.raises(DatasetError, match=r"dog/gone\.jpg.*No such file"):
        formats.write(rows, tmp_path, tmp_path / "target", name)


@pytest.mark.parametrize("name", [one for one in ALL if one != "csv"])
def test_odd_splits_are_refused(name: str, tmp_path: Path) -> None:
    draw_picture(tmp_path / "a.png")
    rows = contents(Row(file_name="a.png", label="dog", split="fold 3"))
    with pytest.raises(FormatError, match="'fold 3'"):
        formats.write(rows, tmp_path, tmp_path / "target", name)


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=40, deadline=None)
@given(rows=datasets())
def test_round_trip(name: str, rows: tuple[Row, ...]) -> None:
    if name == "folder":
        rows = tuple(row for row in rows if row.label != LABELS[-1])
    with tempfile.TemporaryDirectory() as folder:
        source, first, second = (Path(folder) / part for part in ("0", "1", "2"))
        draw_pictures(source, rows)
        classes = tuple(sorted(labels.in_rows(rows), reverse=True))
        formats.write(contents(*rows, classes=classes), source, first, name)
        root, once = formats.read(first, name)
        assert root == first or name == "webdataset"  # which is unpacked
        formats.write(once, root, second, name)
        assert formats.read(second, name)[1] == once
        assert not once.failures
        assert once.classes == classes
        assert held(root, once.rows) == held(source, expected(name, rows))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("labelled", [True, False])
def test_odd_file_names_come_back(name: str, labelled: bool, tmp_path: Path) -> None:
    names = [*(f"{stem}.png" for stem in ODD_STEMS), "c:/d.png", "no suffix", "x.png ", "\x01"]
    objects = (Object("dog", Box(1, 2, 3, 4)),) if name != "folder" and labelled else ()
    rows = tuple(
        Row(file_name=one, label="dog" if labelled else None, split=split, objects=objects)
        for one, split in zip(names, ["train", "test"] * len(names), strict=False)
    )
    draw_pictures(tmp_path / "0", rows)
    formats.write(contents(*rows), tmp_path / "0", tmp_path / "1", name)
    root, found = formats.read(tmp_path / "1")
    assert not found.failures
    assert held(root, found.rows) == held(tmp_path / "0", rows)


def expected(name: str, rows: tuple[Row, ...]) -> list[Row]:
    """What is left of rows, by what the module's docstring says it holds."""
    if name in WHOLE:
        return list(rows)
    if name == "folder":
        bare = (Row(file_name=r.file_name, label=r.label, split=r.split) for r in rows)
        return list(dict.fromkeys(bare))
    return [
        Row(file_name=row.file_name, label=label, split=row.split, objects=row.objects)
        for row, held in placing.pictures_of(rows)
        for label in (name in TAGGED and list(filter(None, held))) or [labels.shared(row.objects)]
    ]


def held(root: Path, rows: tuple[Row, ...] | list[Row]) -> Counter[tuple[bytes, Row]]:
    """Rows by the content of their picture, without its name and what only some formats state."""
    return Counter(
        ((root / row.file_name).read_bytes(), replace(row, file_name="", size=None)) for row in rows
    )


def test_masks_and_provenance(tmp_path: Path) -> None:
    row = Row(
        file_name="a/1.png",
        label="dog",
        split="train",
        mask_file_name="masks/1.png",
        source="whole/1.jpg",
        source_box=Box(1, 2, 30.5, 40),
        edits=("crop", "relabel"),
    )
    draw_pictures(tmp_path / "0", (row,))
    for name in ("csv", "huggingface", "webdataset"):
        formats.write(contents(row), tmp_path / "0", tmp_path / name, name)
        root, found = formats.read(tmp_path / name)
        (one,) = found.rows
        assert replace(one, file_name="", mask_file_name=None) == replace(
            row, file_name="", mask_file_name=None
        )
        mask = (root / str(one.mask_file_name)).read_bytes()
        assert mask == (tmp_path / "0/masks/1.png").read_bytes()
        assert not found.strays


def test_unknown_format_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="did you mean coco"):
        formats.read(tmp_path, "cocoa")
    with pytest.raises(FormatError, match="'zzz' is no format; the formats are csv, labelstudio"):
        formats.write(contents(), tmp_path, tmp_path, "zzz")


def test_a_file_in_no_format(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(FormatError, match=r"notes\.txt: in no format"):
        formats.read(tmp_path / "notes.txt")


DETECTED = {
    "folder": ["dog/a.jpg", "cat/b.jpg", "labels.csv", "notes.xml", "notes.json"],
    "labelstudio": ["project.json", "images/a.jpg"],
    "cvat": ["annotations.xml", "images/a.jpg"],
    "coco": ["train/_annotations.coco.json", "train/a.jpg"],
    "yolo": ["data.yaml", "train/images/a.jpg"],
    "voc": ["train/a.xml", "train/a.jpg"],
    "huggingface": ["train/metadata.jsonl", "train/a.jpg"],
    "csv": ["pictures.csv", "a.jpg"],
    "webdataset": ["train-000000.tar", "train-000001.tar"],
}
TEXTS = {
    ".xml": "<annotation/>",
    ".json": '{"images": [], "annotations": [], "categories": []}',
    ".yaml": "names: [dog]\ntrain: ../train/images\nval: ../valid/images\n",
    ".jsonl": '{"file_name": "a.jpg", "label": "dog"}\n',
    ".csv": "file,label\na.jpg,dog\n",
    "project.json": '[{"id": 1, "annotations": [], "data": {"image": "/a.jpg"}}]',
    ".tar": "\0" * 1024,
    "annotations.xml": '<annotations><image name="a.jpg"/></annotations>',
    "notes.xml": "<notes/>",
    "notes.json": "{}",
}


@pytest.mark.parametrize("name", DETECTED)
@pytest.mark.parametrize("wrapper", ["", "BCCD/", "one/two/"])
def test_detection(name: str, wrapper: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("")
    for file in DETECTED[name]:
        path = tmp_path / wrapper / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TEXTS.get(path.name, TEXTS.get(path.suffix, "")))
    assert formats.detect(tmp_path).name == name
    _, found = formats.read(tmp_path)
    assert {row.label for row in found.rows} <= {"dog", "cat", "train", None}
