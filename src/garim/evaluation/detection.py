"""How good are boxes? Average precision as COCO counts it, by pycocotools.

``ap`` is the mean over the classes and over IoU thresholds from 0.5 to 0.95 in steps of 0.05, with
at most 100 boxes a picture; ``ap50`` and ``ap75`` are at one threshold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import nsmallest

import numpy as np

from garim import pictures
from garim.boxes import iou, to_array
from garim.dataset import Dataset
from garim.errors import DatasetError, Failure, PictureError
from garim.evaluation.average_precision import Entry, PrecisionReport
from garim.formats.rows import Object
from garim.models.detections import LEAST, Detections, FindsBoxes
from garim.pictures import Pixels
from garim.streaming import stream, track

MOST = 100
"""Most boxes of one picture that are judged, the surest first; COCO's own number."""

SURE = 0.3
"""Least score of a box that counts when the worst pictures are chosen, and that is drawn."""

SHOWN = 24
"""Worst pictures that are kept for the report."""

FindBoxes = Callable[[Pixels], Detections]
"""Takes an RGB picture and gives its objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedBoxes:
    """What was found in one picture, beside the truth."""

    picture: str
    f1: float
    """Of boxes of at least `SURE` that overlap a true one of their class by a half, 0 to 1."""
    truth: tuple[Object, ...]
    found: tuple[tuple[Object, float], ...]
    """Boxes of at least `SURE`, with their scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionReport(PrecisionReport):
    """How good a detector is on a dataset."""

    worst: tuple[JudgedBoxes, ...] = ()


def evaluate_detector(model: FindsBoxes, data: Dataset) -> DetectionReport:
    """Judge a detector on a dataset with boxes.

    Raises:
        DatasetError: no picture can be judged.
    """
    return judge_boxes(lambda picture: model.detect(picture, LEAST), data, model.classes)


def judge_boxes(find: FindBoxes, data: Dataset, classes: Sequence[str]) -> DetectionReport:
    """Judge anything that finds boxes.

    Args:
        find: gives the objects of a picture.
        data: pictures with boxes; one without any is judged too: whatever is found there is wrong.
            Objects of classes that are not known, and boxes without area, are left out and listed.
        classes: class names by their numbers.

    Raises:
        DatasetError: no picture can be judged.
    """
    truths = _truths(data)
    if not any(truths.values()):
        raise DatasetError(f"{data.origin}: has no boxes to compare with")
    number = {name: index for index, name in enumerate(classes, start=1)}
    failures: list[Failure] = []
    judged: list[JudgedBoxes] = []
    truth, found = list[Entry](), list[Entry]()
    opened = stream(lambda name: pictures.open_picture(data.root / name), list(truths))
    for name, picture in track(opened, "Evaluating", len(truths)):
        if isinstance(picture, PictureError):
            failures.append(Failure(name, picture.reason))
            continue
        good = _usable(name, truths[name], picture.size, number, failures)
        given = find(pictures.to_array(picture.image))
        truth += _true(good, len(judged) + 1, number, len(truth))
        found += _found(given, len(judged) + 1)
        judged.append(_judged(name, good, given, classes))
    if not truth:
        first = f"; first: {failures[0].picture}: {failures[0].error}" if failures else ""
        raise DatasetError(f"{data.origin}: has no box of {', '.join(classes)}{first}")
    images = [{"id": index} for index in range(1, len(judged) + 1)]
    worst = tuple(nsmallest(SHOWN, judged, key=lambda one: one.f1))
    return DetectionReport.measured(
        images, truth, found, classes, "bbox", MOST, worst=worst, failures=tuple(failures)
    )


def _truths(data: Dataset) -> dict[str, dict[Object, None]]:
    """Give the objects of each picture, each once, however many rows it has."""
    truths: dict[str, dict[Object, None]] = defaultdict(dict)
    for row in data.rows:
        truths[row.file_name] |= dict.fromkeys(row.objects)
    return truths


def _usable(
    name: str, objects: dict[Object, None], size: tuple[int, int], known: dict[str, int],
    failures: list[Failure],
) -> list[Object]:  # fmt: skip
    strange = sorted({one.label for one in objects} - set(known))
    if strange:
        why = f"has boxes of classes that the model does not know: {', '.join(strange)}"
        failures.append(Failure(name, why))
    clipped = [Object(o.label, o.box.clip(*size)) for o in objects if o.label in known]
    good = [one for one in clipped if not one.box.is_degenerate]
    if len(good) < len(clipped):
        failures.append(Failure(name, f"{len(clipped) - len(good)} boxes have no area"))
    return good


def _true(
    objects: Sequence[Object], picture: int, number: dict[str, int], before: int
) -> list[Entry]:
    return [
        {"id": before + index, "image_id": picture, "category_id": number[one.label],
         "bbox": one.box.xywh(), "area": one.box.area, "iscrowd": 0}
        for index, one in enumerate(objects, start=1)
    ]  # fmt: skip


def _found(given: Detections, picture: int) -> list[Entry]:
    return [
        {"image_id": picture, "category_id": number + 1, "bbox": box.xywh(), "score": score}
        for number, score, box in given
    ]


def _judged(
    name: str, truth: Sequence[Object], given: Detections, classes: Sequence[str]
) -> JudgedBoxes:
    found = [(Object(classes[n], box), score) for n, score, box in given.above(SURE)]
    overlaps = iou(to_array(o.box for o, _ in found), to_array(o.box for o in truth))
    same = [one.label == other.label for one, _ in found for other in truth]
    fits = (overlaps >= 0.5) & np.array(same, dtype=bool).reshape(overlaps.shape)
    free, right = set(range(len(truth))), 0
    for row in fits:  # the surest first takes the best that is left
        options = [j for j in free if row[j]]
        if options:
            free.remove(options[0])
            right += 1
    total = len(found) + len(truth)
    return JudgedBoxes(picture=name, f1=2 * right / total if total else 1.0,
                       truth=tuple(truth), found=tuple(found))  # fmt: skip
