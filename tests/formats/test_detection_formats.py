"""COCO, YOLO, VOC and Hugging Face as others write them, and broken ones."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import yaml
from datasets_on_disk import draw_picture

from garim import formats
from garim.boxes import Box
from garim.errors import FormatError
from garim.formats.rows import Contents, Object, Row


def put(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def coco(*annotations: dict[str, Any], name: str = "a.png") -> dict[str, Any]:
    return {
        "images": [{"id": 7, "file_name": name, "width": 37, "height": 23}],
        "annotations": list(annotations),
        "categories": [{"id": 9, "name": "cat"}, {"id": 2, "name": "dog"}],
    }


GOOD = {"id": 1, "image_id": 7, "category_id": 9, "bbox": [1, 2, 3, 4]}


@pytest.mark.parametrize("folder", ["train2017", "images/train2017", "images", "data", ""])
def test_coco_finds_pictures(folder: str, tmp_path: Path) -> None:
    name = unicodedata.normalize("NFD", "강.png")
    draw_picture(tmp_path / folder / name)
    listing = coco(GOOD, GOOD | {"id": 2, "iscrowd": 1, "bbox": None}, name="강.png")
    put(tmp_path / "annotations/instances_train2017.json", listing)
    put(tmp_path / "annotations/captions_train2017.json", {"images": []})
    root, found = formats.read(tmp_path)
    assert root == tmp_path
    (row,) = found.rows
    assert row.file_name == f"{folder}/{name}".strip("/")
    assert (row.split, row.label, row.size) == ("train", "cat", (37, 23))
    assert row.objects == (Object("cat", Box(1, 2, 4, 6)),)
    assert found.classes == ("dog", "cat")
    one_file = formats.read(tmp_path / "annotations/instances_train2017.json")
    assert one_file == (root, found)


BAD_ANNOTATIONS = [
    ({"bbox": [1, 2, 3]}, "expected 4"),
    ({"bbox": [1, 2, 3, float("nan")]}, "finite"),
    ({"bbox": None}, "NoneType"),
    ({"bbox": ["a", 2, 3, 4]}, "could not convert"),
    ({"image_id": 8}, "no image has the id 8"),
    ({"category_id": 8}, "no category has the id 8"),
]


@pytest.mark.parametrize(("change", "reason"), BAD_ANNOTATIONS)
def test_bad_coco_annotations(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    draw_picture(tmp_path / "a.png")
    file = put(tmp_path / "c.json", coco(GOOD | change | {"id": 5}, GOOD))
    found = formats.read(file)[1]
    assert [len(row.objects) for row in found.rows] == [1]
    (failure,) = found.failures
    assert failure.picture == "c.json: annotation 5"
    assert reason in failure.error


@pytest.mark.parametrize("name", ["gone.png", "../a.png"])
def test_coco_pictures_that_are_not_there(name: str, tmp_path: Path) -> None:
    found = formats.read(put(tmp_path / "c.json", coco(GOOD, name=name)))[1]
    assert not found.rows
    assert [failure.picture for failure in found.failures] == [name]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"images": [1]}', "[" * 100_000])
def test_files_that_are_not_coco(text: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"c\.json"):
        formats.read(put(tmp_path / "c.json", text))


def yolo(
    folder: Path, lines: str, yaml: str = "names: {1: cat, 0: dog}\ntrain: images\n"
) -> Contents:
    draw_picture(folder / "images/a.png")  # 37 × 23
    put(folder / "labels/a.txt", lines)
    return formats.read(put(folder / "data.yaml", yaml))[1]


def test_yolo_lines(tmp_path: Path) -> None:
    lines = "0 .5 .5 1 1\n\n1 0.5 0.5 1 1 0.9\n1 0 0 1 0 1 1 .5 .5\n1 0 0 1 0 1 1 .5 .5 .9\n"
    found = yolo(tmp_path, lines)
    whole = Box.whole(37, 23)
    assert [one.box for one in found.rows[0].objects] == [whole] * 4
    assert [one.label for one in found.rows[0].objects] == ["dog", "cat", "cat", "cat"]
    assert (found.classes, found.rows[0].split) == (("dog", "cat"), "train")


def test_yolo_key_points_are_passed_over(tmp_path: Path) -> None:
    yaml = "names: [dog]\ntrain: images\nkpt_shape: [2, 3]\n"
    (row,) = yolo(tmp_path, "0 .5 .5 .5 .5 .1 .1 2 .9 .9 2\n", yaml).rows
    assert row.objects[0].box == Box(9.25, 5.75, 27.75, 17.25)


@pytest.mark.parametrize(
    "line", ["0 1 2 3", "x 1 1 1 1", "2 .5 .5 1 1", "0 nan 0 1 1", "0.5 1 1 1 1", "-1 0 0 1 1"]
)
def test_bad_yolo_lines(line: str, tmp_path: Path) -> None:
    found = yolo(tmp_path, f"1 .5 .5 1 1\n{line}\n")
    assert [failure.picture for failure in found.failures] == ["labels/a.txt:2"]
    assert len(found.rows[0].objects) == 1


@pytest.mark.parametrize("place", ["x" * 300, "~nobody-here/y", "a\\0b"])
def test_yolo_folders_that_no_disk_has(place: str, tmp_path: Path) -> None:
    found = yolo(tmp_path, "1 .5 .5 1 1\n", f'names: [a, b]\ntrain: [images, "{place}"]\n')
    assert [row.file_name for row in found.rows] == ["images/a.png"]
    assert len(found.failures) == 1
    found = yolo(tmp_path, "1 .5 .5 1 1\n", f'path: "{place}"\nnames: [a, b]\ntrain: images\n')
    assert [row.file_name for row in found.rows] == ["images/a.png"]


@pytest.mark.parametrize("text", ["names: [", "- a", "names: dog\ntrain: images", "names: [dog]"])
def test_bad_yolo_files(text: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"data\.yaml"):
        yolo(tmp_path, "", text)


def test_yolo_lists_and_paths(tmp_path: Path) -> None:
    for name in ("set/images/a.png", "set/images/b.png", "set/c.png"):
        draw_picture(tmp_path / name)
    put(tmp_path / "set/val.txt", "./images/b.png\nc.png\ngone.png\n../outside.png\n")
    yaml = "path: set\ntrain: [images, nowhere, ../..]\nval: val.txt\nnames: [dog]\n"
    root, found = formats.read(put(tmp_path / "my.yaml", yaml))
    assert root == tmp_path / "set"
    assert [(row.file_name, row.split) for row in found.rows] == [
        ("c.png", "validation"), ("images/a.png", "train"), ("images/b.png", "train"),
    ]  # fmt: skip
    assert {one.picture for one in found.failures} == {
        "nowhere", "../..", "gone.png", "../outside.png",
    }  # fmt: skip


def test_yolo_picture_that_cannot_be_opened(tmp_path: Path) -> None:
    yolo(tmp_path, "0 .5 .5 1 1\n")
    (tmp_path / "images/a.png").write_bytes(b"\x89PNG broken")
    found = formats.read(tmp_path)[1]
    assert [row.objects for row in found.rows] == [()]
    assert found.failures[0].picture == "images/a.png"
    with pytest.raises(FormatError, match=r"a\.png.*drop it first"):
        row = found.rows[0].__class__(
            file_name="images/a.png", objects=(Object("a", Box(0, 0, 1, 1)),)
        )
        formats.write(Contents(rows=(row,), classes=()), tmp_path, tmp_path / "t", "yolo")


def xml(*objects: tuple[str, Any, Any, Any, Any], filename: str = "a.png") -> str:
    def one(name: str, *sides: Any) -> str:
        keys = ("xmin", "ymin", "xmax", "ymax")
        inside = "".join(f"<{k}>{v}</{k}>" for k, v in zip(keys, sides, strict=True))
        return f"<object><name>{name}</name><bndbox>{inside}</bndbox></object>"

    inside = "".join(one(*values) for values in objects)
    return f"<annotation><filename>{filename}</filename>{inside}</annotation>"


def test_voc_counts_from_one(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        draw_picture(tmp_path / "JPEGImages" / name)
    draw_picture(tmp_path / "SegmentationClass/a.png")
    put(tmp_path / "Annotations/a.xml", xml(("dog", 1, 1, 37, 23), ("dog", 5, 5, 4, 5)))
    put(tmp_path / "Annotations/other.xml", xml(filename="C:\\photos\\b.png"))
    put(tmp_path / "ImageSets/Main/trainval.txt", "a\nb\n")
    put(tmp_path / "ImageSets/Main/val.txt", "b\n")
    found = formats.read(tmp_path)[1]
    assert [(row.file_name, row.split, row.label) for row in found.rows] == [
        ("JPEGImages/a.png", "train", "dog"),
        ("JPEGImages/b.png", "validation", None),
        ("JPEGImages/c.png", None, None),
    ]
    assert [one.box for one in found.rows[0].objects] == [Box.whole(37, 23), Box(4, 4, 4, 5)]
    assert not found.failures


BAD_XML = {
    "a.xml: object 1": xml(("dog", "x", 2, 3, 4), ("cat", 1, 2, 3, 4)),
    "a.xml: object 2": xml(("cat", 1, 2, 3, 4), ("dog", "nan", 2, 3, 4)),
    "a.xml: object 3": xml(("cat", 1, 2, 3, 4), ("cat", 1, 2, 3, 4), ("", 1, 2, 3, 4)),
    "a.xml": "<annotation><object>",
    "gone.png": xml(filename="gone.png"),
}


@pytest.mark.parametrize("picture", BAD_XML)
def test_bad_voc(picture: str, tmp_path: Path) -> None:
    draw_picture(tmp_path / ("b.png" if picture == "gone.png" else "a.png"))
    put(tmp_path / "a.xml", BAD_XML[picture])
    found = formats.read(tmp_path, "voc")[1]
    assert [failure.picture for failure in found.failures] == [picture]
    assert len(found.rows) == 1
    assert {one.label for row in found.rows for one in row.objects} <= {"cat"}


def test_voc_entities_are_never_expanded(tmp_path: Path) -> None:
    draw_picture(tmp_path / "a.png")
    text = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + xml(("&e;", 1, 2, 3, 4))
    put(tmp_path / "a.xml", text)
    found = formats.read(tmp_path)[1]
    assert "trusted" in found.failures[0].error
    assert found.classes == ()


def test_huggingface_as_others_write_it(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "dog/c.png"):
        draw_picture(tmp_path / "train" / name)
    lines = [
        {"file_name": "a.png", "objects": {"bbox": [[1, 2, 3, 4]], "categories": [3]}, "more": 1},
        {"file_name": "b.png", "label": 4, "objects": [{"bbox": [1, 2, 3, 4], "category": "x"}]},
    ]
    put(tmp_path / "train/metadata.jsonl", "\n".join(map(json.dumps, lines)))
    found = formats.read(tmp_path)[1]
    box = Box(1, 2, 4, 6)
    assert [(row.file_name, row.label, row.objects) for row in found.rows] == [
        ("train/a.png", None, (Object("3", box),)),
        ("train/b.png", "4", (Object("x", box),)),
        ("train/dog/c.png", "dog", ()),
    ]


BAD_LINES = [
    "{",
    "[]",
    '{"file_name": 3}',
    '{"file_name": "gone.png"}',
    '{"file_name": "../a.png"}',
    '{"file_name": "b.png", "mask_file_name": "gone.png"}',
    '{"file_name": "b.png", "objects": {"bbox": [[1, 2, 3]], "category": ["x"]}}',
    '{"file_name": "b.png", "objects": {"bbox": [[1, 2, 3, 4]], "category": []}}',
    '{"file_name": "b.png", "objects": {"bbox": [[1, 2, 3, NaN]], "category": ["x"]}}',
    '{"file_name": "b.png", "objects": {"bbox": [[1, 2, 3, 4]], "category": [null]}}',
    '{"file_name": "b.png", "objects": 3}',
]


@pytest.mark.parametrize("line", BAD_LINES)
def test_bad_metadata_lines(line: str, tmp_path: Path) -> None:
    draw_picture(tmp_path / "a.png")
    put(tmp_path / "metadata.jsonl", f'{line}\n{{"file_name": "a.png", "label": "dog"}}\n')
    found = formats.read(tmp_path)[1]
    assert [(row.file_name, row.label) for row in found.rows] == [("a.png", "dog")]
    (failure,) = found.failures
    assert "metadata.jsonl:1" in failure.picture + failure.error


def test_bad_parquet(tmp_path: Path) -> None:
    put(tmp_path / "metadata.parquet", "no")
    with pytest.raises(FormatError, match="not a Parquet file"):
        formats.read(tmp_path)


def label_img(root: Path, classes: str = "classes.txt") -> None:
    """What labelImg and Label Studio leave: no YAML."""
    for name in ("a.png", "b.png"):
        draw_picture(root / "images" / name)
    put(root / "labels/a.txt", "1 .5 .5 1 1\n")
    put(root / classes, "dog\ncat\n")


@pytest.mark.parametrize("wrapper", ["", "wrap"])
@pytest.mark.parametrize("classes", ["classes.txt", "labels/classes.txt"])
def test_yolo_without_yaml(wrapper: str, classes: str, tmp_path: Path) -> None:
    label_img(tmp_path / wrapper, classes)
    assert formats.detect(tmp_path).name == "yolo"
    _, found = formats.read(tmp_path)
    assert [(row.file_name, row.label, row.split) for row in found.rows] == [
        ("images/a.png", "cat", None), ("images/b.png", None, None),
    ]  # fmt: skip
    assert found.classes == ("dog", "cat") and not found.failures


def test_yolo_without_yaml_has_the_splits_of_its_folders(tmp_path: Path) -> None:
    for name in ("images/train/a.png", "images/val/b.png"):
        draw_picture(tmp_path / name)
    put(tmp_path / "labels/val/b.txt", "0 .5 .5 1 1\n")
    put(tmp_path / "classes.txt", "dog\n")
    rows = formats.read(tmp_path)[1].rows
    assert [(row.split, row.label) for row in rows] == [("train", None), ("validation", "dog")]


def test_masks_with_class_names_are_no_yolo(tmp_path: Path) -> None:
    for name in ("images/a.png", "labels/a.png"):
        draw_picture(tmp_path / name)
    put(tmp_path / "classes.txt", "dog\n")
    (row,) = formats.read(tmp_path)[1].rows
    assert row.mask_file_name == "labels/a.png"
    with pytest.raises(FormatError, match=r"classes\.txt beside images/ and labels/"):
        formats.read(tmp_path, "yolo")


LISTED = {
    (None,): ("images/all", "images/all"),
    ("train",): ("images/train", "images/train"),
    ("test",): ("images/test", "images/test"),
    ("train", "test"): ("images/train", "images/test"),
    ("train", "validation", "test"): ("images/train", "images/val"),
    ("validation", "test"): ("images/val", "images/val"),
    (None, "train", "test"): (["images/train", "images/all"], "images/test"),
    (None, "validation"): ("images/all", "images/val"),
    (None, "train"): (["images/train", "images/all"], "images/train"),
}


@pytest.mark.parametrize("splits", LISTED)
def test_yolo_names_train_and_val_always(splits: tuple[str | None, ...], tmp_path: Path) -> None:
    rows = tuple(
        Row(file_name=f"{number}.png", label="dog", split=split,
            objects=(Object("dog", Box(1, 2, 3, 4)),))
        for number, split in enumerate(splits)
    )  # fmt: skip
    for row in rows:
        draw_picture(tmp_path / row.file_name)
    formats.write(Contents(rows=rows, classes=("dog",)), tmp_path, tmp_path / "t", "yolo")
    text = (tmp_path / "t/data.yaml").read_text()
    told = yaml.safe_load(text)
    assert (told["train"], told["val"]) == LISTED[splits]
    assert "&id" not in text
    _, found = formats.read(tmp_path / "t")
    assert {Path(row.file_name).name: row.split for row in found.rows} == {
        row.file_name: row.split for row in rows
    }
    assert not found.failures


def test_a_folder_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    yaml_text = "names: [dog]\ntrain: [images, gone]\nval: images\ntest: gone\n"
    found = yolo(tmp_path, "0 .5 .5 1 1\n0 x\n", yaml_text)
    assert [row.split for row in found.rows] == ["train"]
    assert [one.picture for one in found.failures] == ["labels/a.txt:2", "gone"]


@pytest.mark.parametrize(("one", "other"), [(9, "9"), ("9", 9), (9.0, 9), ("9", "9")])
def test_coco_ids_as_numbers_and_as_texts(one: Any, other: Any, tmp_path: Path) -> None:
    draw_picture(tmp_path / "a.png")
    listing = coco(GOOD | {"category_id": one, "image_id": one})
    listing["categories"][0]["id"] = listing["images"][0]["id"] = other
    found = formats.read(put(tmp_path / "c.json", listing))[1]
    assert [row.label for row in found.rows] == ["cat"] and not found.failures


def test_huggingface_metadata_in_csv(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "cat/c.png", "m.png"):
        draw_picture(tmp_path / "train" / name)
    objects = '"{""bbox"": [[1, 2, 3, 4]], ""category"": [""dog""]}"'
    put(
        tmp_path / "train/metadata.csv",
        f"file_name,label,objects,mask_file_name\na.png,dog,{objects},m.png\nb.png,,[,\n"
        "cat/c.png,,,\n",
    )
    assert formats.detect(tmp_path).name == "huggingface"
    _, found = formats.read(tmp_path)
    first, second, third = found.rows
    assert (first.label, first.split, first.mask_file_name) == ("dog", "train", "train/m.png")
    assert first.objects == (Object("dog", Box(1, 2, 4, 6)),)
    assert (second.file_name, third.label) == ("train/b.png", "cat")
    (failure,) = found.failures
    assert failure.picture == "train/metadata.csv:3" and "expected JSON" in failure.error
    assert not found.strays


def test_a_metadata_csv_of_others_stays_a_stray(tmp_path: Path) -> None:
    draw_picture(tmp_path / "dog/a.png")
    put(tmp_path / "metadata.csv", "isic_id,age\na,40\n")
    assert formats.detect(tmp_path).name == "folder"
    assert formats.read(tmp_path)[1].strays == ("metadata.csv",)
    put(tmp_path / "metadata.jsonl", '{"file_name": "dog/a.png", "label": "cat"}\n')
    assert formats.read(tmp_path)[1].strays == ("metadata.csv",)
