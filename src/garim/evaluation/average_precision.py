"""Average precision of boxes and of masks, as COCO counts it, by pycocotools.

``ap`` is the mean over the classes and over IoU thresholds from 0.5 to 0.95 in steps of 0.05;
``ap50`` and ``ap75`` are at one threshold.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from garim.errors import Failure

Entry = dict[str, Any]
"""One image, annotation or result as COCO has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionReport:
    """How good what was found is."""

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

    @classmethod
    def measured(
        cls,
        images: Sequence[Entry],
        truth: Sequence[Entry],
        found: Sequence[Entry],
        classes: Sequence[str],
        kind: Literal["segm", "bbox"],
        most: int,
        **more: Any,
    ) -> Self:
        """Measure what was found.

        Args:
            images: COCO's images.
            truth: COCO's annotations; category ids count from 1.
            found: COCO's results.
            classes: class names, in the order of the category ids.
            kind: masks or boxes.
            most: objects of one picture that are judged, the surest first.
            more: other fields of the report.
        """
        precision = precision_of(list(images), list(truth), list(found), len(classes), kind, most)
        per_class = {
            name: {"ap": mean_of(precision[..., i]), "ap50": mean_of(precision[0, ..., i])}
            for i, name in enumerate(classes)
        }
        return cls(
            classes=tuple(classes), pictures=len(images), objects=len(truth), per_class=per_class,
            ap=mean_of(precision) or 0.0, ap50=mean_of(precision[0]) or 0.0,
            ap75=mean_of(precision[5]) or 0.0, **more,
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
