"""What `docs/from-your-tool.md` promises: other tools and Garim read what the other wrote.

The tools' own libraries do the writing where they are installed; the others' files are written here
as those tools lay them out. (CVAT and Label Studio: `tests/formats/test_labelling_tools.py`.)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import garim
from garim.boxes import Box
from garim.dataset import Dataset

BOX = Box(4, 6, 20, 18)
"""A box of every picture, in whole pixels."""

SIZE = (40, 32)


def draw(path: Path, number: int) -> None:
    rng = np.random.default_rng(number)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)).save(path)


def boxes(data: Dataset) -> set[tuple[str, str | None, str, tuple[float, ...]]]:
    return {
        (Path(row.file_name).name, row.split, one.label, one.box.xyxy())
        for row in data for one in row.objects
    }  # fmt: skip


def coco(names: list[str]) -> dict[str, Any]:
    pictures = [{"id": at, "file_name": name, "width": 40, "height": 32}
                for at, name in enumerate(names)]  # fmt: skip
    marks = [{"id": at, "image_id": at, "category_id": 1, "bbox": BOX.xywh(), "area": 192,
              "iscrowd": 0, "segmentation": []} for at in range(len(names))]  # fmt: skip
    kinds = [{"id": 0, "name": "fruits", "supercategory": "none"},
             {"id": 1, "name": "apple", "supercategory": "fruits"}]  # fmt: skip
    return {"info": {}, "licenses": [], "categories": kinds, "images": pictures,
            "annotations": marks}  # fmt: skip


WANTED = {("a.jpg", "train", "apple"), ("b.jpg", "validation", "apple"), ("c.jpg", "test", "apple")}
FOLDERS = {"train": "a.jpg", "valid": "b.jpg", "test": "c.jpg"}


def test_roboflow_coco(tmp_path: Path) -> None:
    for number, (folder, name) in enumerate(FOLDERS.items()):
        draw(tmp_path / folder / name, number)
        text = json.dumps(coco([name]))
        (tmp_path / folder / "_annotations.coco.json").write_text(text)
    found = boxes(garim.read(tmp_path))
    assert {one[:3] for one in found} == WANTED and {one[3] for one in found} == {BOX.xyxy()}


def test_roboflow_yolov8(tmp_path: Path) -> None:
    for number, (folder, name) in enumerate(FOLDERS.items()):
        draw(tmp_path / folder / "images" / name, number)
        labels = tmp_path / folder / "labels" / Path(name).with_suffix(".txt")
        labels.parent.mkdir()
        labels.write_text("1 0.3 0.375 0.4 0.375\n")
    (tmp_path / "data.yaml").write_text(
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\n"
        "nc: 2\nnames: ['pear', 'apple']\n\nroboflow:\n  workspace: w\n  project: p\n  version: 1\n"
    )
    found = boxes(garim.read(tmp_path))
    assert {one[:3] for one in found} == WANTED
    assert all(one[3] == pytest.approx(BOX.xyxy()) for one in found)


def test_roboflow_voc(tmp_path: Path) -> None:
    for number, (folder, name) in enumerate(FOLDERS.items()):
        draw(tmp_path / folder / name, number)
        (tmp_path / folder / Path(name).with_suffix(".xml")).write_text(
            f"<annotation><folder></folder><filename>{name}</filename><path>{name}</path>"
            "<source><database>roboflow.com</database></source>"
            "<size><width>40</width><height>32</height><depth>3</depth></size>"
            "<object><name>apple</name><bndbox><xmin>5</xmin><xmax>20</xmax><ymin>7</ymin>"
            "<ymax>18</ymax></bndbox></object></annotation>"
        )
    assert {one[:3] for one in boxes(garim.read(tmp_path))} == WANTED


def test_fiftyone_there_and_back(tmp_path: Path) -> None:
    """``COCODetectionDataset``: pictures in ``data/``, boxes in ``labels.json``."""
    draw(tmp_path / "export/data/a.jpg", 1)
    (tmp_path / "export/labels.json").write_text(json.dumps(coco(["a.jpg"])))
    data = garim.read(tmp_path / "export")
    assert boxes(data) == {("a.jpg", None, "apple", BOX.xyxy())}
    garim.write(data, tmp_path / "coco", "coco")
    told = json.loads((tmp_path / "coco/annotations/instances_all.json").read_text())
    assert [one["bbox"] for one in told["annotations"]] == [list(BOX.xywh())]
    assert (tmp_path / "coco/images/all" / told["images"][0]["file_name"]).is_file()


def test_supervision_there_and_back(tmp_path: Path) -> None:
    supervision = pytest.importorskip("supervision")
    draw(tmp_path / "export/data/a.jpg", 1)
    draw(tmp_path / "export/data/b.jpg", 2)
    (tmp_path / "export/labels.json").write_text(json.dumps(coco(["a.jpg", "b.jpg"])))
    parted = garim.split(
        garim.read(tmp_path / "export"), garim.SplitSettings(validation=0.5, test=0)
    )
    garim.write(parted, tmp_path / "yolo", "yolo")
    yolo = tmp_path / "yolo"
    theirs = supervision.DetectionDataset.from_yolo(
        str(yolo / "images/train"), str(yolo / "labels/train"), str(yolo / "data.yaml")
    )
    back = tmp_path / "back"
    theirs.as_coco(str(back / "images"), str(back / "annotations.json"))
    (found,) = boxes(garim.read(back))
    assert found[2] == "apple" and found[3] == pytest.approx(BOX.xyxy(), abs=0.01)
    theirs.as_pascal_voc(str(back / "voc/JPEGImages"), str(back / "voc/Annotations"))
    (found,) = boxes(garim.read(back / "voc"))
    assert found[2] == "apple" and found[3] == pytest.approx(BOX.xyxy(), abs=1)


def test_huggingface_there_and_back(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    for number, name in enumerate(("train/apple/1.png", "train/pear/2.png", "test/apple/3.png")):
        draw(tmp_path / "photos" / name, number)
    garim.write(garim.read(tmp_path / "photos"), tmp_path / "clean")
    theirs = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "clean"),
                                   cache_dir=str(tmp_path / "cache"))  # fmt: skip
    back = tmp_path / "back"
    for split, rows in theirs.items():
        for number, row in enumerate(rows):
            label = row["label"]
            name = label if isinstance(label, str) else rows.features["label"].names[label]
            path = back / split / name / f"{number:06}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            row["image"].convert("RGB").save(path)
    assert garim.read(back).counts() == garim.read(tmp_path / "photos").counts()


def test_keras_folders(tmp_path: Path) -> None:
    """``flow_from_directory``: a folder per class, numbered by the alphabet, one per split."""
    for number, name in enumerate(("pear/1.jpg", "apple/1.jpg", "apple/2.jpg", "zoo/1.jpg")):
        for split in ("train", "validation"):
            draw(tmp_path / "photos" / split / name, number + 10 * len(split))
    data = garim.read(tmp_path / "photos")
    assert data.class_index() == {"apple": 0, "pear": 1, "zoo": 2}
    written = garim.write(data, tmp_path / "out", "folder")
    assert sorted(p.name for p in (tmp_path / "out/train").iterdir()) == ["apple", "pear", "zoo"]
    assert written.counts() == data.counts()
    pictures = {p.suffix for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert pictures == {".jpg"}
