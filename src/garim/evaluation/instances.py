"""How good are masks of single objects? Average precision, by pycocotools.

``ap`` is COCO's: the mean over the classes and over IoU thresholds of masks from 0.5 to 0.95, in
steps of 0.05; ``ap50`` and ``ap75`` are at one threshold.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as run_lengths
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from garim import pictures
from garim.dataset import Dataset
from garim.errors import DatasetError, Failure, PictureError
from garim.models.instance_segmenter import LEAST, FoundObject, InstanceSegmenter
from garim.pictures import Pixels
from garim.streaming import stream, track
from garim.training.instance_masks import Outlined, look_at_outlines

MOST = 500
"""Most objects of one picture that are judged, the surest first."""

FindObjects = Callable[[Pixels], Sequence[FoundObject]]
"""Takes an RGB picture and gives its objects."""

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceReport:
    """How good masks of single objects are."""

    classes: tuple[str, ...]
    pictures: int
    objects: int
    """True objects."""
    ap: float
    ap50: float
    ap75: float
    per_class: dict[str, dict[str, float | None]]
    """``{label: {ap, ap50}}``; None for a class that the truth lacks."""
    failures: tuple[Failure, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Give the report as it stands in ``--json``."""
        return {
            "pictures": self.pictures,
            "objects": self.objects,
            "ap": round(self.ap, 4),
            "ap50": round(self.ap50, 4),
            "ap75": round(self.ap75, 4),
            "per_class": self.per_class,
            "failed": [failure.to_dict() for failure in self.failures],
        }


def evaluate_instances(model: InstanceSegmenter, data: Dataset) -> InstanceReport:
    """Judge instance segmentation on a dataset whose objects have masks of their own.

    Raises:
        DatasetError: no picture can be judged.
    """
    return judge_objects(lambda picture: model.predict(picture, LEAST), data, model.classes)


def judge_objects(find: FindObjects, data: Dataset, classes: Sequence[str]) -> InstanceReport:
    """Judge anything that finds objects with masks.

    Args:
        find: gives the objects of a picture.
        data: pictures whose objects have masks; those with other classes are left out and listed.
        classes: labels that are known.

    Raises:
        DatasetError: no picture can be judged.
    """
    seen, failures = look_at_outlines(data)
    number = {name: index for index, name in enumerate(classes, start=1)}
    judged, truth, found = list[Entry](), list[Entry](), list[Entry]()
    opened = stream(lambda one: pictures.to_array(pictures.open_picture(one.path).image), seen)
    for one, result in track(opened, "Evaluating", len(seen)):
        strange = sorted(set(one.labels) - set(classes))
        if isinstance(result, PictureError) or strange:
            reason = result.reason if isinstance(result, PictureError) else _unknown(strange)
            failures.append(Failure(one.name, reason))
            continue
        image = len(judged) + 1
        judged.append({"id": image, "width": one.size[0], "height": one.size[1]})
        truth += _true(one, image, number, len(truth))
        for each in find(result):
            found.append({"image_id": image, "category_id": number[each.label],
                          "segmentation": _coded(each.mask), "score": each.score})  # fmt: skip
    if not truth:
        first = f"; first: {failures[0].picture}: {failures[0].error}" if failures else ""
        raise DatasetError(f"{data.origin}: has no masks of single objects to judge{first}")
    return _report(judged, truth, found, tuple(classes), tuple(failures))


def _unknown(labels: Sequence[str]) -> str:
    return f"its objects are of classes that the model does not know: {', '.join(labels)}"


def _true(one: Outlined, picture: int, number: dict[str, int], before: int) -> list[Entry]:
    entries = []
    for index, label in enumerate(one.labels):
        coded = _coded(one.mask(index))
        box, area = run_lengths.toBbox(coded).tolist(), float(run_lengths.area(coded))
        entry = {"id": before + index + 1, "image_id": picture, "category_id": number[label],
                 "segmentation": coded, "bbox": box, "area": area, "iscrowd": 0}  # fmt: skip
        entries.append(entry)
    return entries


def _coded(mask: NDArray[np.bool_]) -> Entry:
    coded: Entry = run_lengths.encode(np.asfortranarray(mask.astype(np.uint8)))
    return coded


def _report(
    judged: list[Entry], truth: list[Entry], found: list[Entry], classes: tuple[str, ...],
    failures: tuple[Failure, ...],
) -> InstanceReport:  # fmt: skip
    precision = precision_of(judged, truth, found, len(classes), "segm", MOST)
    per_class = {
        name: {"ap": mean_of(precision[..., i]), "ap50": mean_of(precision[0, ..., i])}
        for i, name in enumerate(classes)
    }
    return InstanceReport(
        classes=classes, pictures=len(judged), objects=len(truth), ap=mean_of(precision) or 0.0,
        ap50=mean_of(precision[0]) or 0.0, ap75=mean_of(precision[5]) or 0.0, per_class=per_class,
        failures=failures,
    )  # fmt: skip


def precision_of(
    judged: list[Entry], truth: list[Entry], found: list[Entry], classes: int, kind: str, most: int
) -> NDArray[np.float64]:
    """Give precision by IoU threshold, recall and class ``(10, 101, classes)``; −1 without truth.

    Args:
        judged: COCO's images.
        truth: COCO's annotations; category ids count from 1.
        found: COCO's results.
        classes: how many classes.
        kind: pycocotools' ``segm`` for masks, ``bbox`` for boxes.
        most: objects of one picture that are judged, the surest first.
    """
    if not found:
        present = {one["category_id"] for one in truth}
        absent = np.array([number not in present for number in range(1, classes + 1)])
        return np.where(absent, -1.0, np.zeros((10, 101, classes)))
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints what it does
        coco = COCO()
        coco.dataset = {
            "images": judged,
            "categories": [{"id": number} for number in range(1, classes + 1)],
            "annotations": truth,
        }
        coco.createIndex()
        judging = COCOeval(coco, coco.loadRes(found), kind)
        judging.params.maxDets = [1, 10, most]
        judging.evaluate()
        judging.accumulate()
    return np.asarray(judging.eval["precision"][:, :, :, 0, -1])


def mean_of(precision: NDArray[np.float64]) -> float | None:
    """Average over all that the truth has; None if it has nothing."""
    known = precision[precision > -1]
    return round(float(known.mean()), 4) if known.size else None
