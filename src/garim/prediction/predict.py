"""``garim predict``: a trained model on pictures that nobody has labelled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from garim import dataset, pictures
from garim.dataset import Dataset
from garim.errors import DatasetError, Failure, ModelError, PictureError, SettingsError
from garim.models.classifier import Classifier, Scores
from garim.models.detector import Detector
from garim.models.instance_segmenter import InstanceSegmenter
from garim.models.runtime import resolve
from garim.models.saved import Model
from garim.models.segmenter import Segmenter
from garim.models.yolo_onnx import YoloOnnx
from garim.prediction.detection import predict_boxes
from garim.prediction.instances import predict_objects
from garim.prediction.predictions import (
    UNSURE,
    LabelPrediction,
    Prediction,
    Predictions,
    check_file,
)
from garim.prediction.scoring import scored
from garim.prediction.segmentation import predict_masks
from garim.prediction.settings import PredictSettings

Source = Path | str | Dataset
"""A picture, a folder or other dataset, or a dataset that was read."""

Predictor = Callable[[Any, Sequence[Path], PredictSettings], Iterator[Prediction | PictureError]]
"""Predicts with a model: one result per picture, in order, with bounded memory."""


def predict(
    model: Model,
    given: Source | Sequence[Source],
    settings: PredictSettings | None = None,
    *,
    out: Path | str | None = None,
    to: Path | str | None = None,
) -> Predictions:
    """Say what is in pictures.

    A picture that cannot be opened is listed with its error, and the rest goes on.

    Args:
        model: a trained model.
        given: pictures, folders, other datasets, or several of them; a label that they have is
            not looked at.
        settings: least confidence, how many labels, runtime.
        out: file for the predictions, ``.csv`` or ``.json``.
        to: new or empty folder, into which the pictures are copied, sorted by their labels; or
            where a segmenter's masks and overlays go.

    Raises:
        SettingsError: settings that cannot work, or a runtime that is not installed.
        ModelError: a model that does not predict.
        DatasetError: nothing where a folder or dataset was named, or ``to`` holds something.
    """
    started = time.perf_counter()
    chosen = settings or PredictSettings()
    chosen.check()
    _check_targets(out, to)
    if type(model) not in PREDICTORS:
        known = ", ".join(one.__name__ for one in PREDICTORS)
        raise ModelError(f"a {type(model).__name__} does not predict; what does: {known}")
    paths, failures = _listed([given] if isinstance(given, Source) else given)
    rows: list[Prediction] = []
    results = PREDICTORS[type(model)](model, paths, chosen)
    for path, result in zip(paths, results, strict=True):
        if isinstance(result, PictureError):
            failures.append(Failure(str(path), result.reason))
        else:
            rows.append(result)
    seconds = time.perf_counter() - started
    found = Predictions(rows=tuple(rows), failures=tuple(failures), seconds=seconds)
    if out is not None:
        found.save(out)
    if to is not None and rows:
        found.write_to(to)
    return found


def predict_labels(
    classifier: Classifier, paths: Sequence[Path], settings: PredictSettings
) -> Iterator[LabelPrediction | PictureError]:
    """Give each picture its likeliest labels.

    Raises:
        SettingsError: the model has a class that is named like what is unsure, or the runtime is
            not installed.
    """
    if settings.least and UNSURE in classifier.classes:
        raise SettingsError([f"the model has a class named {UNSURE!r}; do without --least"])
    if settings.runtime is not None:
        runtime = resolve(settings.runtime, classifier.device, len(paths))
        classifier = classifier.with_runtime(runtime)
    results = scored(classifier, paths, "Predicting", settings.batch)
    for path, result in zip(paths, results, strict=True):
        if isinstance(result, PictureError):
            yield result
        else:
            yield _labelled(path, result.scores, classifier.classes, settings)


def _labelled(
    path: Path, scores: Scores, classes: Sequence[str], settings: PredictSettings
) -> LabelPrediction:
    order = (-scores).argsort(kind="stable")[: settings.top]
    top = tuple((classes[i], float(scores[i])) for i in order)
    label, confidence = top[0]
    sure = confidence >= settings.least
    return LabelPrediction(
        picture=str(path), label=label if sure else UNSURE, confidence=confidence, top=top
    )


def _check_targets(out: Path | str | None, to: Path | str | None) -> None:
    """Refuse, before the work, what could not be written after it."""
    if out is not None:
        check_file(Path(out))
    if to is not None:
        dataset.check_target(Path(to))


def _listed(given: Sequence[Source]) -> tuple[list[Path], list[Failure]]:
    """List the pictures, each once, and what could not be read on the way."""
    paths: dict[Path, None] = {}
    failures: list[Failure] = []
    for one in given:
        if not isinstance(one, Dataset) and pictures.is_picture(path := Path(one).expanduser()):
            if (name := _printable(path)) == str(path):
                paths[path] = None
            else:
                failures.append(Failure(name, "its name is not valid UTF-8; rename it"))
            continue
        found = one if isinstance(one, Dataset) else dataset.read(one)
        paths.update(dict.fromkeys(found.path(row) for row in found.rows))
        failures += found.failures
    if not paths and not failures:
        raise DatasetError("there is no picture to predict; name pictures, folders or a dataset")
    return list(paths), failures


def _printable(path: Path) -> str:
    return str(path).encode("utf-8", "backslashreplace").decode()


PREDICTORS: dict[type, Predictor] = {
    Classifier: predict_labels,
    Segmenter: predict_masks,
    InstanceSegmenter: predict_objects,
    Detector: predict_boxes,
    YoloOnnx: predict_boxes,
}
"""What predicts with each kind of model."""
