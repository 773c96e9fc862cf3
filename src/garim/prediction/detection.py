"""Boxes of objects in pictures: as a table, as COCO's JSON, drawn, and as a plan."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np
from PIL import Image

from garim import dataset, files, pictures
from garim.boxes import Box
from garim.errors import DatasetError, PictureError
from garim.formats import placing
from garim.formats.rows import Row
from garim.given import place_of
from garim.growing import growing
from garim.models.detections import Detections, FindsBoxes
from garim.pictures import Pixels
from garim.plan import Edit, Plan
from garim.prediction.scoring import batched
from garim.prediction.settings import PredictSettings

SURE = 0.25
"""Least score of a box where the settings name none."""

NOTHING = "nothing"
"""Label of a picture in which nothing was found."""

AT_ONCE = 8
"""Pictures that are held at full size, besides those that wait to be looked at."""

_COLOURS = ((230, 25, 75), (60, 180, 75), (0, 130, 200), (245, 130, 48),
            (145, 30, 180), (70, 240, 240), (240, 50, 230), (170, 110, 40),
            (128, 128, 0), (0, 128, 128))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxPrediction:
    """What a detector found in one picture."""

    picture: str
    """File of the picture."""
    size: tuple[int, int]
    """Width and height of the upright picture in pixels."""
    classes: tuple[str, ...]
    """Class names of the detector."""
    found: Detections
    model: str
    """Digest of the detector."""

    @property
    def label(self) -> str:
        """The class of the surest box."""
        return next((self.classes[number] for number, _, _ in self.found), NOTHING)

    def to_dict(self) -> dict[str, Any]:
        """Give the prediction as it stands in ``--json``."""
        objects = [
            {"label": self.classes[number], "score": round(score, 6), "bbox": box.xywh()}
            for number, score, box in self.found
        ]
        return {"picture": self.picture, "label": self.label, "objects": objects}

    def cells(self) -> dict[str, str | float]:
        """Give the prediction as one line of a table."""
        counts = Counter(self.classes[number] for number, _, _ in self.found)
        surest = float(self.found.scores.max(initial=0.0))
        objects = ", ".join(f"{n} × {name}" for name, n in counts.most_common())
        return {"picture": self.picture, "label": self.label, "confidence": round(surest, 6),
                "objects": objects}  # fmt: skip


def predict_boxes(
    model: FindsBoxes, paths: Sequence[Path], settings: PredictSettings
) -> Iterator[BoxPrediction | PictureError]:
    """Find the objects of each picture, at the picture's full size."""
    least, name = settings.least or SURE, model.digest()

    def opened(path: Path) -> tuple[Path, Pixels]:
        return path, pictures.to_array(pictures.open_picture(path).image)

    def found(pixels: Pixels) -> Detections:
        boxes = model.detect(pixels, least)
        return boxes if settings.nms is None else boxes.apart(settings.nms)

    def judged(some: Sequence[tuple[Path, Pixels]]) -> list[BoxPrediction]:
        return [
            BoxPrediction(picture=str(path), size=(pixels.shape[1], pixels.shape[0]),
                          classes=model.classes, found=found(pixels), model=name)
            for path, pixels in some
        ]  # fmt: skip

    return batched(opened, judged, paths, AT_ONCE, "Detecting")


def write_boxes(rows: Sequence[BoxPrediction], folder: Path | str) -> None:
    """Write ``coco.json``, ``drawn/<picture>.jpg`` and ``plan.jsonl``; nothing is overwritten.

    Raises:
        DatasetError: the folder already holds something.
        PictureError: the disk refuses a drawn picture.
    """
    named = [Row(file_name=place_of(row.picture).as_posix()) for row in rows]
    names = placing.place(named, lambda row: PurePosixPath(row.file_name).stem + ".jpg")
    with growing(Path(folder), files.digest_of(["boxes", names])) as target:
        files.write_json(target / "coco.json", coco(rows))
        for row, name in zip(rows, names, strict=True):
            pixels = pictures.to_array(pictures.open_picture(Path(row.picture)).image)
            pictures.save(Image.fromarray(drawn(pixels, row)), target / "drawn" / name)
        plan(rows).save(target / "plan.jsonl")


def coco(rows: Sequence[BoxPrediction]) -> dict[str, Any]:
    """Give predictions as COCO: a dataset whose annotations have a ``score``.

    Ids start at 1. The annotations alone are what ``COCO.loadRes`` takes.
    """
    classes = rows[0].classes if rows else ()
    images = [
        {"id": index, "file_name": row.picture, "width": row.size[0], "height": row.size[1]}
        for index, row in enumerate(rows, start=1)
    ]
    found = [(index, *one) for index, row in enumerate(rows, start=1) for one in row.found]
    annotations = [
        {"id": place, "image_id": index, "category_id": number + 1, "bbox": box.xywh(),
         "area": round(box.area, 4), "score": round(score, 6), "iscrowd": 0, "segmentation": []}
        for place, (index, number, score, box) in enumerate(found, start=1)
    ]  # fmt: skip
    categories = [{"id": number, "name": name} for number, name in enumerate(classes, start=1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def drawn(picture: Pixels, row: BoxPrediction) -> Pixels:
    """Draw the boxes with their labels and scores on a copy of a picture."""
    canvas = np.ascontiguousarray(picture.copy())
    thick = max(1, round(max(row.size) / 400))
    for number, score, box in reversed(list(row.found)):
        colour = _COLOURS[number % len(_COLOURS)]
        left, top, right, bottom = (round(v) for v in box.xyxy())
        cv2.rectangle(canvas, (left, top), (right, bottom), colour, thick)
        text, scale = f"{row.classes[number]} {score:.2f}", 0.45 * max(1, thick / 2)
        (wide, high), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
        low = max(top, high + 4)
        cv2.rectangle(canvas, (left, low - high - 4), (left + wide + 4, low), colour, -1)
        cv2.putText(canvas, text, (left + 2, low - 3), cv2.FONT_HERSHEY_SIMPLEX, scale,
                    (255, 255, 255), max(1, thick // 2), cv2.LINE_AA)  # fmt: skip
    return canvas


def plan(rows: Sequence[BoxPrediction]) -> Plan:
    """Propose the boxes as crops of the folder that all pictures are in.

    Of a picture in a class folder, those of its label; of one without a label, those of its surest
    class, which also becomes its label.
    """
    paths = [place_of(row.picture) for row in rows]
    root = Path(os.path.commonpath([path.parent for path in paths])) if paths else Path.cwd()
    try:
        known = {files.nfc(one.file_name): one for one in dataset.read(root).rows}
    except DatasetError:
        known = {}
    edits: list[Edit] = []
    for path, row in zip(paths, rows, strict=True):
        one = known.get(files.nfc(path.relative_to(root).as_posix()))
        if one is not None:
            edits += _edits(row, one, files.digest(path))
    model = rows[0].model if rows else None
    return Plan(dataset=root, edits=tuple(edits), method="detector", model=model)


def _edits(row: BoxPrediction, one: Row, digest: str) -> Iterator[Edit]:
    label = one.label or row.label
    common: dict[str, Any] = {
        "picture": one.file_name, "label": one.label, "split": one.split, "digest": digest,
        "size": row.size, "model": row.model,
    }  # fmt: skip
    chosen: list[tuple[float, Box]] = [
        (score, box) for number, score, box in row.found if row.classes[number] == label
    ]
    if not chosen:
        yield Edit(edit="keep", reason=f"the detector finds no {label}", **common)
    elif one.label is None:
        yield Edit(edit="relabel", to=label, reason="the detector's surest class", **common)
    for index, (score, box) in enumerate(chosen, start=1):
        yield Edit(edit="crop", box=box, instance=index, score_after=score,
                   reason=f"found with a score of {score:.2f}", **common)  # fmt: skip
