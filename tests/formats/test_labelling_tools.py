"""CVAT and Label Studio as those tools write them, and broken ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from datasets_on_disk import contents, draw_picture
from defusedxml import ElementTree

from garim import formats
from garim.boxes import Box
from garim.errors import FormatError
from garim.formats.rows import Object, Row

CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><project><name>fruit</name><labels>
    <label><name>pear</name><color>#fff</color><type>any</type><attributes></attributes></label>
    <label><name>apple</name></label>
  </labels></project></meta>
  <image id="0" name="a.png" subset="Train" task_id="3" width="37" height="23">
    <tag label="apple" source="manual"></tag>
    <box label="apple" source="manual" occluded="0" xtl="1.50" ytl="2.00" xbr="11.50" ybr="12.00"
         rotation="90.0" z_order="0"><attribute name="ripe">yes</attribute></box>
    <polygon label="pear" source="auto" occluded="0" points="1.00,2.00;9.00,4.00;5.00,20.50"/>
    <points label="pear" points="3,4"/>
  </image>
  <image id="1" name="gone.png" width="37" height="23"/>
</annotations>
"""


def test_cvat_as_it_exports(tmp_path: Path) -> None:
    draw_picture(tmp_path / "images/Train/a.png")
    (tmp_path / "annotations.xml").write_text(CVAT)
    root, found = formats.read(tmp_path)
    assert root == tmp_path and found.classes == ("pear", "apple")
    (row,) = found.rows
    assert (row.label, row.split) == ("apple", "train")
    (turned, polygon) = row.objects
    assert turned.box.xyxy() == pytest.approx((1.5, 2, 11.5, 12))  # a square, turned by a quarter
    assert polygon == Object("pear", Box(1, 2, 9, 20.5))
    assert {f.picture: f.error for f in found.failures} == {
        "images/Train/a.png: shape 4 (points)": "only boxes and polygons are read",
        "gone.png": "listed in annotations.xml but not on disk",
    }


def test_a_turned_box_of_cvat_is_read_as_the_box_around_it(tmp_path: Path) -> None:
    draw_picture(tmp_path / "a.png")
    shape = '<box label="x" xtl="10" ytl="10" xbr="30" ybr="14" rotation="90"/>'
    (tmp_path / "annotations.xml").write_text(
        f'<annotations><image name="a.png">{shape}</image></annotations>'
    )
    (row,) = formats.read(tmp_path)[1].rows
    assert row.objects[0].box.xyxy() == pytest.approx((18, 2, 22, 22))


def test_entities_in_cvat_are_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "c">]><annotations>&b;</annotations>'
    (tmp_path / "annotations.xml").write_text(bomb)
    with pytest.raises(FormatError, match="can be trusted"):
        formats.read(tmp_path)


def result(kind: str, **value: Any) -> dict[str, Any]:
    return {"type": kind, "original_width": 200, "original_height": 100, "from_name": "label",
            "to_name": "image", "image_rotation": 0, "id": "abc", "value": value}  # fmt: skip


def export(tmp_path: Path, *tasks: dict[str, Any]) -> Path:
    file = tmp_path / "project-1-at-2026-01-01.json"
    file.write_text(json.dumps(list(tasks)))
    return file


def test_label_studio_as_it_exports(tmp_path: Path) -> None:
    draw_picture(tmp_path / "images/사진 1.png")
    box = result("rectanglelabels", x=10.0, y=20.0, width=30.0, height=40.0, rotation=0,
                 rectanglelabels=["apple"])  # fmt: skip
    polygon = result("polygonlabels", points=[[0, 0], [50, 10], [25, 90]], polygonlabels=["pear"])
    task = {
        "id": 7,
        "data": {"image": "/data/upload/1/0a1b2c3d-%EC%82%AC%EC%A7%84%201.png"},
        "annotations": [
            {"was_cancelled": True, "result": [result("choices", choices=["wrong"])]},
            {"result": [result("choices", choices=["apple"]), box, polygon,
                        result("brushlabels", rle=[1], brushlabels=["apple"])]},
        ],
        "predictions": [{"result": [result("choices", choices=["wrong"])]}],
    }  # fmt: skip
    _, found = formats.read(export(tmp_path, task, {"data": {"image": "gone.png"}}))
    (row,) = found.rows
    assert (row.file_name, row.label) == ("images/사진 1.png", "apple")
    assert row.objects == (Object("apple", Box(20, 20, 80, 60)), Object("pear", Box(0, 0, 100, 90)))
    assert [failure.picture for failure in found.failures] == [
        "images/사진 1.png: result 4",
        "gone.png",
    ]


def test_a_box_of_label_studio_turns_about_its_corner(tmp_path: Path) -> None:
    draw_picture(tmp_path / "a.png")
    box = result("rectanglelabels", x=50, y=50, width=10, height=10, rotation=90,
                 rectanglelabels=["x"])  # fmt: skip
    task = {"data": {"image": "a.png"}, "annotations": [{"result": [box]}]}
    (row,) = formats.read(export(tmp_path, task))[1].rows
    # 20 × 10 pixels at (100, 50), turned clockwise: now to the left of the corner, and below it
    assert row.objects[0].box.xyxy() == pytest.approx((90, 50, 100, 70))


def test_what_label_studio_needs_is_written(tmp_path: Path) -> None:
    draw_picture(tmp_path / "source/a b.png")
    row = Row(
        file_name="a b.png",
        label="pear",
        split="test",
        objects=(Object("apple", Box(0, 0, 37, 23)),),
    )
    formats.write(
        contents(row, classes=("pear", "apple")),
        tmp_path / "source",
        tmp_path / "out",
        "labelstudio",
    )
    (task,) = json.loads((tmp_path / "out/tasks.json").read_text())
    assert task["data"] == {"image": "/data/local-files/?d=images/test/a%20b.png", "split": "test"}
    choice, box = task["annotations"][0]["result"]
    assert choice["value"] == {"choices": ["pear"]}
    assert box["value"]["width"] == box["value"]["height"] == 100
    config = ElementTree.parse(tmp_path / "out/label_config.xml")
    assert [one.get("value") for one in config.iter("Label")] == ["pear", "apple"]


def test_boxes_without_a_size_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    row = Row(file_name="a.png", objects=(Object("apple", Box(0, 0, 1, 1)),))
    with pytest.raises(FormatError, match=r"a\.png.*per cent"):
        formats.write(contents(row), tmp_path, tmp_path / "out", "labelstudio")
