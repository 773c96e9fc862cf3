from __future__ import annotations

from pathlib import Path

import pytest
from datasets_on_disk import draw_picture

from garim import dataset, formats


def touch(root: Path, *names: str) -> None:
    for index, name in enumerate(names):
        draw_picture(root / name, index)


def pairs(root: Path) -> dict[str, str | None]:
    return {row.file_name: row.mask_file_name for row in formats.read(root)[1].rows}


@pytest.mark.parametrize(
    ("pictures", "masks"),
    [
        ("images", "masks"),
        ("train/images", "train/masks"),
        ("JPEGImages", "SegmentationClass"),
        ("photos", "labels"),
        ("val", "valannot"),
    ],
)
def test_masks_beside_pictures(pictures: str, masks: str, tmp_path: Path) -> None:
    touch(tmp_path, f"{pictures}/1.jpg", f"{masks}/1.png", f"{pictures}/사진.jpg",
          f"{masks}/사진.png", f"{pictures}/bare.jpg", f"{masks}/left over.png")  # fmt: skip
    assert pairs(tmp_path) == {
        f"{pictures}/1.jpg": f"{masks}/1.png",
        f"{pictures}/bare.jpg": None,
        f"{pictures}/사진.jpg": f"{masks}/사진.png",
    }
    found = dataset.read(tmp_path)
    assert [failure.picture for failure in found.failures] == [f"{masks}/left over.png"]
    expected = {"t": ("train",), "v": ("validation",)}.get(pictures[0], ())
    assert found.splits == expected


def test_one_mask_per_object(tmp_path: Path) -> None:
    touch(tmp_path, "ab/images/ab.png", "ab/masks/x.png", "ab/masks/y.png",
          "cd/images/cd.png", "cd/masks/z.png")  # fmt: skip
    rows = formats.read(tmp_path)[1].rows
    assert [(row.file_name, row.instance_mask_names) for row in rows] == [
        ("ab/images/ab.png", ("ab/masks/x.png", "ab/masks/y.png")),
        ("cd/images/cd.png", ("cd/masks/z.png",)),
    ]


def test_class_folders_stay_class_folders(tmp_path: Path) -> None:
    touch(tmp_path, "masks/1.jpg", "hats/1.jpg", "train/images/1.jpg")
    assert {row.label for row in formats.read(tmp_path)[1].rows} == {"masks", "hats", "images"}


def test_voc_masks_are_read(tmp_path: Path) -> None:
    touch(tmp_path, "JPEGImages/1.jpg", "JPEGImages/2.jpg", "SegmentationClass/1.png")
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations" / "1.xml").write_text("<annotation/>")
    assert formats.detect(tmp_path).name == "voc"
    assert pairs(tmp_path) == {
        "JPEGImages/1.jpg": "SegmentationClass/1.png",
        "JPEGImages/2.jpg": None,
    }
