"""Prediction as a stage: pictures to what a model says, written down and read again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from garim.boxes import Box
from garim.errors import PictureError
from garim.execution import Record, Work
from garim.models.detections import Detections
from garim.prediction.detection import BoxPrediction
from garim.prediction.instances import ObjectsPrediction
from garim.prediction.predictions import LabelPrediction, Prediction
from garim.prediction.segmentation import MaskPrediction
from garim.prediction.settings import PredictSettings

Predictor = Callable[[Any, Sequence[Path], PredictSettings], Iterator[Prediction | PictureError]]
"""Predicts with a model: one result per picture, in order, with bounded memory."""


@dataclass(frozen=True, kw_only=True)
class Predicting:
    """The stage: pictures to predictions."""

    root: Path
    given_in: Path
    """Folder that the pictures are named from: a worker on another machine may stand elsewhere."""
    model: Any
    predictor: Predictor
    settings: PredictSettings
    name: str = "predict"
    schema: ClassVar[dict[str, Any]] = {
        "kind": pl.String, "picture": pl.String, "values": pl.String, "png": pl.Binary,
    }  # fmt: skip
    """A name in `KINDS`, the file as it was given, JSON, and the mask where there is one."""

    def key(self, item: Path) -> str:
        """Name a picture."""
        return str(item)

    def open(self) -> Work[Path]:
        """Make ready to predict."""
        return self._work

    def _work(self, paths: Sequence[Path]) -> Iterator[Record | PictureError]:
        found = self.predictor(self.model, [self.given_in / path for path in paths], self.settings)
        for path, result in zip(paths, found, strict=True):
            if isinstance(result, PictureError):
                yield result
            else:
                yield written(replace(result, picture=str(path)))


def written(one: Prediction) -> Record:
    """Write a prediction down."""
    kind = type(one).__name__
    values = json.dumps(KINDS[kind].plain(one))
    return {"kind": kind, "picture": one.picture, "values": values,
            "png": getattr(one, "png", None)}  # fmt: skip


def prediction_of(record: Record) -> Prediction:
    """Give the prediction that was written down."""
    known = {"picture": record["picture"], "png": record["png"]}
    return KINDS[record["kind"]].made(json.loads(record["values"]), known)


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of prediction is written down."""

    plain: Callable[[Any], dict[str, Any]]
    """What JSON can hold, but for picture and mask."""
    made: Callable[[dict[str, Any], dict[str, Any]], Prediction]
    """A prediction of that, and of picture and mask."""


def _label(one: LabelPrediction) -> dict[str, Any]:
    return {"label": one.label, "confidence": one.confidence, "top": one.top}


def _label_of(values: dict[str, Any], known: dict[str, Any]) -> LabelPrediction:
    top = tuple((name, share) for name, share in values.pop("top"))
    return LabelPrediction(picture=known["picture"], top=top, **values)


def _mask(one: MaskPrediction) -> dict[str, Any]:
    return {"shares": one.shares, "palette": one.palette}


def _mask_of(values: dict[str, Any], known: dict[str, Any]) -> MaskPrediction:
    palette = tuple((red, green, blue) for red, green, blue in values["palette"])
    return MaskPrediction(shares=values["shares"], palette=palette, **known)


def _objects(one: ObjectsPrediction) -> dict[str, Any]:
    return {"objects": [[label, float(score), box.xyxy()] for label, score, box in one.objects]}


def _objects_of(values: dict[str, Any], known: dict[str, Any]) -> ObjectsPrediction:
    objects = tuple((label, score, Box(*corners)) for label, score, corners in values["objects"])
    return ObjectsPrediction(objects=objects, **known)


def _boxes(one: BoxPrediction) -> dict[str, Any]:
    found = one.found
    arrays = {name: getattr(found, name).tolist() for name in ("boxes", "numbers", "scores")}
    return {"size": one.size, "classes": one.classes, "model": one.model, "found": arrays}


def _boxes_of(values: dict[str, Any], known: dict[str, Any]) -> BoxPrediction:
    width, height = values["size"]
    found = Detections(**{name: np.array(rows) for name, rows in values["found"].items()})
    return BoxPrediction(picture=known["picture"], size=(width, height), found=found,
                         classes=tuple(values["classes"]), model=values["model"])  # fmt: skip


KINDS: dict[str, Kind] = {
    LabelPrediction.__name__: Kind(_label, _label_of),
    MaskPrediction.__name__: Kind(_mask, _mask_of),
    ObjectsPrediction.__name__: Kind(_objects, _objects_of),
    BoxPrediction.__name__: Kind(_boxes, _boxes_of),
}
"""Every kind of prediction by the name of its type."""
