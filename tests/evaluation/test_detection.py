"""Average precision of boxes against pycocotools, asked directly."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from garim.boxes import Box
from garim.dataset import Dataset
from garim.errors import DatasetError
from garim.evaluation.detection import judge_boxes
from garim.formats.rows import Object, Row
from garim.models.detections import Detections

CLASSES = ("a", "b", "c")


def drawn(root: Path, count: int = 8) -> Dataset:
    rng, rows = np.random.default_rng(0), []
    for number in range(count):
        Image.new("RGB", (60, 40), (number, 0, 0)).save(root / f"{number}.png")
        objects = [
            Object(CLASSES[int(rng.integers(2))], Box(x, y, x + w, y + h))
            for x, y, w, h in rng.integers(4, 20, (int(rng.integers(1, 5)), 4)).tolist()
        ]
        rows.append(Row(file_name=f"{number}.png", objects=tuple(objects)))
    return Dataset(root=root, rows=tuple(rows), classes=CLASSES, origin=root)


def shaken(data: Dataset, seed: int = 1) -> dict[int, Detections]:
    """The true boxes, moved and mixed up, by the picture's red value."""
    rng, found = np.random.default_rng(seed), {}
    for number, row in enumerate(data.rows):
        boxes = np.array([o.box.xyxy() for o in row.objects] * 2)
        boxes = boxes + rng.uniform(-3, 3, boxes.shape)
        numbers = [CLASSES.index(o.label) for o in row.objects] * 2
        numbers = [n if rng.random() < 0.8 else int(rng.integers(3)) for n in numbers]
        found[number] = Detections(boxes=boxes, numbers=np.array(numbers),
                                   scores=rng.random(len(boxes)))  # fmt: skip
    return found


def by_coco(data: Dataset, found: dict[int, Detections]) -> list[float]:
    truth = [{"image_id": i + 1, "category_id": CLASSES.index(o.label) + 1, "iscrowd": 0,
              "bbox": o.box.xywh(), "area": o.box.area}
             for i, row in enumerate(data.rows) for o in row.objects]  # fmt: skip
    results = [{"image_id": i + 1, "category_id": n + 1, "bbox": box.xywh(), "score": score}
               for i, given in found.items() for n, score, box in given]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": i + 1} for i in range(len(data))],
            "categories": [{"id": i + 1} for i in range(3)],
            "annotations": [{"id": i + 1, **one} for i, one in enumerate(truth)],
        }
        coco.createIndex()
        judging = COCOeval(coco, coco.loadRes(results), "bbox")
        judging.evaluate()
        judging.accumulate()
        judging.summarize()
    return [float(v) for v in judging.stats[:3]]


def test_equals_pycocotools(tmp_path: Path) -> None:
    data = drawn(tmp_path)
    found = shaken(data)
    report = judge_boxes(lambda picture: found[int(picture[0, 0, 0])], data, CLASSES)
    ours = [report.ap, report.ap50, report.ap75]
    assert ours == pytest.approx(by_coco(data, found), abs=1e-4)
    assert 0.1 < report.ap < 0.9 and report.per_class["c"]["ap"] is None
    assert report.worst[0].f1 <= report.worst[-1].f1


def test_perfect_boxes_have_a_precision_of_one(tmp_path: Path) -> None:
    data = drawn(tmp_path)
    right = {
        i: Detections(boxes=np.array([o.box.xyxy() for o in row.objects]),
                      numbers=np.array([CLASSES.index(o.label) for o in row.objects]),
                      scores=np.ones(len(row.objects)))
        for i, row in enumerate(data.rows)
    }  # fmt: skip
    report = judge_boxes(lambda picture: right[int(picture[0, 0, 0])], data, CLASSES)
    assert report.ap == pytest.approx(1) and {one.f1 for one in report.worst} == {1.0}


def test_what_cannot_be_judged_is_listed(tmp_path: Path) -> None:
    data = drawn(tmp_path, 3)
    (tmp_path / "0.png").write_bytes(b"broken")
    nothing = Detections(boxes=np.zeros((0, 4)), numbers=np.zeros(0), scores=np.zeros(0))
    report = judge_boxes(lambda picture: nothing, data, ("a",))
    assert report.ap == 0 and report.failures[0].picture == "0.png"
    assert any("does not know: b" in one.error for one in report.failures)
    bare = Dataset(root=tmp_path, rows=(Row(file_name="1.png"),), classes=(), origin=tmp_path)
    with pytest.raises(DatasetError, match="no boxes"):
        judge_boxes(lambda picture: nothing, bare, CLASSES)
