"""What Garim writes, as the tools of the field read it."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from datasets_on_disk import contents, draw_pictures

from garim import formats
from garim.boxes import Box
from garim.formats.rows import Contents, Object, Row

CAT, DOG = "고양이", "dog"
ROWS = (
    Row(
        file_name="x/1.png",
        label=CAT,
        split="train",
        objects=(Object(CAT, Box(1, 2, 30, 20)), Object(DOG, Box(0.5, 0.25, 7.75, 9))),
    ),
    Row(file_name="y/1.png", label=DOG, split="train", objects=(Object(DOG, Box(3, 3, 9, 9)),)),
    Row(file_name="한글 2.png", label=CAT, split="train"),
    Row(file_name="y/3.png", label=DOG, split="validation"),
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    draw_pictures(tmp_path / "source", ROWS)
    return tmp_path / "source"


@pytest.fixture
def given() -> Contents:
    return contents(*ROWS, classes=(DOG, CAT))


Found = Counter[tuple[str, tuple[float, ...]]]


def expected(*splits: str) -> Found:
    objects = [one for row in ROWS if row.split in splits for one in row.objects]
    return Counter((one.label, one.box.xyxy()) for one in objects)


def test_coco_in_pycocotools(source: Path, given: Contents, tmp_path: Path) -> None:
    coco_module = pytest.importorskip("pycocotools.coco")
    formats.write(given, source, tmp_path / "t", "coco")
    coco = coco_module.COCO(str(tmp_path / "t/annotations/instances_train.json"))
    found: Found = Counter()
    for one in coco.loadAnns(coco.getAnnIds()):
        name = coco.loadCats(one["category_id"])[0]["name"]
        found[name, Box.from_xywh(one["bbox"]).xyxy()] += 1
        assert one["area"] == pytest.approx(one["bbox"][2] * one["bbox"][3])
    assert found == expected("train")
    assert [one["name"] for one in coco.loadCats(coco.getCatIds())] == [DOG, CAT]
    for image in coco.loadImgs(coco.getImgIds()):
        assert (tmp_path / "t/images/train" / image["file_name"]).is_file()
        assert image["height"] == 23


def _detections(dataset: Any) -> Found:
    return Counter(
        (dataset.classes[number], tuple(round(float(v), 4) for v in box))
        for _, _, detections in dataset
        for box, number in zip(detections.xyxy, detections.class_id, strict=True)
    )


@pytest.mark.parametrize("name", ["coco", "yolo", "voc"])
def test_boxes_in_supervision(name: str, source: Path, given: Contents, tmp_path: Path) -> None:
    supervision = pytest.importorskip("supervision")
    target = tmp_path / "t"
    formats.write(given, source, target, name)
    load = supervision.DetectionDataset
    if name == "coco":
        annotations = str(target / "annotations/instances_train.json")
        dataset = load.from_coco(str(target / "images/train"), annotations)
    elif name == "yolo":
        folders = str(target / "images/train"), str(target / "labels/train")
        dataset = load.from_yolo(*folders, str(target / "data.yaml"))
    else:
        dataset = load.from_pascal_voc(str(target / "JPEGImages"), str(target / "Annotations"))
    assert len(dataset) == (4 if name == "voc" else 3)
    assert _detections(dataset) == expected("train")
    assert set(dataset.classes) == {DOG, CAT}


@pytest.mark.parametrize("mixed", [False, True])
def test_imagefolder_in_datasets(
    mixed: bool, source: Path, given: Contents, tmp_path: Path
) -> None:
    """With boxes in one split only (Parquet), and in both (JSON Lines)."""
    datasets = pytest.importorskip("datasets")
    rows = list(given.rows)
    if not mixed:
        rows[3] = Row(file_name="y/3.png", label=DOG, split="validation", objects=ROWS[1].objects)
    formats.write(contents(*rows, classes=(DOG, CAT)), source, tmp_path / "t", "huggingface")
    kind = "parquet" if mixed else "jsonl"
    assert sorted(one.parent.name for one in tmp_path.glob(f"t/*/metadata.{kind}")) == [
        "train", "validation",
    ]  # fmt: skip
    loaded = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path / "t"), cache_dir=str(tmp_path / "cache")
    )
    found = [
        (
            split,
            one["label"],
            one["objects"]["bbox"],
            one["objects"]["category"],
            one["image"].width,
        )
        for split, part in loaded.items()
        for one in part
    ]
    widths = {"x/1.png": 37, "y/1.png": 38, "y/3.png": 39, "한글 2.png": 40}
    wanted = [
        (r.split, r.label, [o.box.xywh() for o in r.objects], [o.label for o in r.objects],
         widths[r.file_name])
        for r in rows
    ]  # fmt: skip
    assert sorted(found, key=str) == sorted(wanted, key=str)


@pytest.mark.parametrize("split", [None, "train"])
def test_imagefolder_with_masks_and_provenance_in_datasets(
    split: str | None, source: Path, tmp_path: Path
) -> None:
    datasets = pytest.importorskip("datasets")
    rows = (
        Row(
            file_name="x/1.png", label=CAT, split=split, mask_file_name="y/1.png", source="a.jpg",
            source_box=Box(0, 0, 5, 5.5), edits=("crop",),
        ),
        Row(file_name="y/3.png", label=DOG, split=split),
    )  # fmt: skip
    formats.write(contents(*rows, classes=(DOG, CAT)), source, tmp_path / "t", "huggingface")
    loaded = datasets.load_dataset(
        "imagefolder",
        data_dir=str(tmp_path / "t"),
        cache_dir=str(tmp_path / "cache"),
        split="train",
    )
    one, other = sorted(loaded, key=lambda row: row["label"] == CAT, reverse=True)
    assert (one["image"].width, one["mask"].width) == (37, 38)
    assert (one["source"], one["source_box"], one["edits"]) == ("a.jpg", [0, 0, 5, 5.5], ["crop"])
    assert (other["label"], other["mask"], other["edits"]) == (DOG, None, [])


def test_metadata_lines_have_the_same_keys(source: Path, given: Contents, tmp_path: Path) -> None:
    formats.write(contents(*ROWS[:3], classes=(DOG, CAT)), source, tmp_path, "huggingface")
    lines = (tmp_path / "train/metadata.jsonl").read_text(encoding="utf-8").splitlines()
    assert {tuple(json.loads(line)) for line in lines} == {("file_name", "label", "objects")}
    assert f"{CAT}/1.png" in lines[0]


@pytest.mark.parametrize("split", ["train", "test"])
def test_imagefolder_loses_no_row_without_a_split(split: str, source: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = (
        Row(file_name="x/1.png", label=DOG, split=split),
        Row(file_name="y/1.png", label=DOG, mask_file_name="y/3.png"),
        Row(file_name="한글 2.png", label=CAT),
    )
    formats.write(contents(*rows), source, tmp_path / "t", "huggingface")
    loaded = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path / "t"), cache_dir=str(tmp_path / "cache")
    )
    found = [(name, one["label"], one["split"]) for name, part in loaded.items() for one in part]
    wanted = [(row.split or "train", row.label, row.split) for row in rows]
    assert sorted(found, key=str) == sorted(wanted, key=str)
    _, back = formats.read(tmp_path / "t")
    assert sorted((row.label, row.split) for row in back.rows if row.split) == [(DOG, split)]
    assert [row.label for row in back.rows if row.split is None] == [DOG, CAT]
    assert sum(row.mask_file_name is not None for row in back.rows) == 1


PAGE = Path(__file__).parents[2] / "docs" / "from-your-tool.md"


def test_the_page_on_hugging_face_runs(
    source: Path, given: Contents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its two blocks one after the other, on what Garim writes."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    formats.write(given, source, tmp_path / "clean", "huggingface")
    part = PAGE.read_text(encoding="utf-8").split("## Hugging Face datasets")[1]
    blocks = re.findall(r"^```python\n(.*?)^```", part, re.MULTILINE | re.DOTALL)
    exec(compile("\n".join(blocks), PAGE.name, "exec"), {})
    assert len(blocks) == 2
    rows = formats.read(tmp_path / "photos")[1].rows
    assert sorted((row.label, row.split) for row in rows) == sorted(
        (row.label, row.split) for row in ROWS if row.split == "train"
    )
