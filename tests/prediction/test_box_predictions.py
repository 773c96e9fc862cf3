"""Predicted boxes: COCO's JSON, drawn pictures, and a plan that applies."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

import garim
from garim.errors import PictureError
from garim.models.detections import LEAST, Detections
from garim.pictures import Pixels
from garim.prediction.detection import BoxPrediction, coco, plan, predict_boxes, write_boxes
from garim.prediction.settings import PredictSettings


class Fixed:
    """Finds the same boxes everywhere."""

    classes = ("cat", "dog")

    def detect(self, picture: Pixels, least: float = LEAST) -> Detections:
        boxes = np.array([[4, 6, 30, 20], [10.5, 2, 38, 28], [0, 0, 8, 8]])
        found = Detections(boxes=boxes, numbers=np.array([0, 1, 0]),
                           scores=np.array([0.9, 0.7, 0.3]))  # fmt: skip
        return found.above(least)

    def digest(self) -> str:
        return "0" * 32


@pytest.fixture
def pictures_in(tmp_path: Path) -> Path:
    for name in ("cat/1.png", "dog/1.png", "3.png"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), (40, 90, 40)).save(tmp_path / "in" / name)
    return tmp_path / "in"


def predicted(root: Path, least: float = 0.0) -> list[BoxPrediction]:
    paths = [root / "cat/1.png", root / "dog/1.png", root / "3.png"]
    found = list(predict_boxes(Fixed(), paths, PredictSettings(least=least)))
    assert not any(isinstance(one, PictureError) for one in found)
    return found  # type: ignore[return-value]


def test_each_picture_has_its_boxes(pictures_in: Path) -> None:
    (one, *_) = predicted(pictures_in)
    assert one.label == "cat" and one.cells()["objects"] == "2 × cat, 1 × dog"
    assert one.to_dict()["objects"][1] == {
        "label": "dog", "score": 0.7, "bbox": [10.5, 2, 27.5, 26]}  # fmt: skip
    assert len(predicted(pictures_in, 0.5)[0].found) == 2


def test_coco_takes_the_json(pictures_in: Path, tmp_path: Path) -> None:
    write_boxes(predicted(pictures_in), tmp_path / "out")
    found = COCO(str(tmp_path / "out" / "coco.json"))
    assert len(found.getAnnIds()) == 9 and found.cats[2]["name"] == "dog"
    results = found.loadRes(json.loads(json.dumps(coco(predicted(pictures_in))["annotations"])))
    assert len(results.getAnnIds()) == 9
    drawn = sorted(path.name for path in (tmp_path / "out" / "drawn").iterdir())
    assert len(drawn) == 3
    picture = garim.pictures.to_array(garim.pictures.open_picture(
        tmp_path / "out" / "drawn" / drawn[0]).image)  # fmt: skip
    assert np.abs(picture.astype(int) - (40, 90, 40)).max() > 100  # something is drawn


def test_the_plan_crops_what_the_folder_says(pictures_in: Path, tmp_path: Path) -> None:
    proposed = plan(predicted(pictures_in))
    proposed.save(tmp_path / "plan.jsonl")
    done = garim.apply(garim.load_plan(tmp_path / "plan.jsonl"), to=tmp_path / "clean")
    assert not done.failures
    made = garim.read(tmp_path / "clean")
    assert made.counts()["all"] == {"cat": 4, "dog": 1}  # the one without a label is a cat now
    sizes = {garim.pictures.header(made.path(row)).width for row in made if row.label == "dog"}
    assert sizes <= {27, 28}
