"""How good are masks of single objects? Average precision over the IoU of masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as run_lengths

from garim import pictures
from garim.dataset import Dataset
from garim.errors import DatasetError, Failure, PictureError
from garim.evaluation.average_precision import Entry, PrecisionReport
from garim.models.instance_segmenter import LEAST, FoundObject, InstanceSegmenter
from garim.pictures import Pixels
from garim.streaming import stream, track
from garim.training.instance_masks import Outlined, look_at_outlines

MOST = 500
"""Most objects of one picture that are judged, the surest first."""

FindObjects = Callable[[Pixels], Sequence[FoundObject]]
"""Takes an RGB picture and gives its objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceReport(PrecisionReport):
    """How good masks of single objects are."""


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
    return InstanceReport.measured(
        judged, truth, found, classes, "segm", MOST, failures=tuple(failures)
    )


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
