"""``garim predict``: a trained model on pictures that nobody has labelled."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from garim.errors import Failure, ModelError, PictureError, SettingsError
from garim.execution import ExecutionSettings, Results, executed
from garim.execution.shards import ERROR
from garim.given import Source, given_pictures
from garim.growing import check_target
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
from garim.prediction.stage import Predicting, Predictor, prediction_of


def predict(
    model: Model,
    given: Source | Sequence[Source],
    settings: PredictSettings | None = None,
    *,
    out: Path | str | None = None,
    to: Path | str | None = None,
    execution: ExecutionSettings | None = None,
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
        execution: where it runs.

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
    named = given_pictures(given, "predict")
    paths, failures = list(named.names), list(named.failures)
    stage = _stage(model, chosen, paths)
    about = {"settings": asdict(stage.settings), "model": stage.model.digest()}
    with executed(stage, paths, execution, about=about, beside=None if out is None else Path(out),
                  description="Predicting") as done:  # fmt: skip
        rows = tuple(_gathered(done, failures))
        seconds = time.perf_counter() - started
        found = Predictions(rows=rows, failures=tuple(failures), seconds=seconds)
        if out is not None:
            found.save(out)
    if to is not None and rows:
        found.write_to(to)
    return found


def _stage(model: Model, settings: PredictSettings, paths: Sequence[Path]) -> Predicting:
    """Choose the runtime for so many pictures, if one is asked for."""
    if settings.runtime is not None and isinstance(model, Classifier | Segmenter):
        runtime = resolve(settings.runtime, model.device, len(paths))
        settings, model = replace(settings, runtime=runtime), model.with_runtime(runtime)
    folders = [path.absolute().parent for path in paths] or [Path.cwd()]
    return Predicting(root=Path(os.path.commonpath(folders)), given_in=Path.cwd(), model=model,
                      settings=settings, predictor=PREDICTORS[type(model)])  # fmt: skip


def _gathered(done: Results[Path], failures: list[Failure]) -> Iterator[Prediction]:
    """Give what was predicted, and note what could not be opened."""
    for path, record in done:
        if record[ERROR] is not None:
            failures.append(Failure(str(path), record[ERROR]))
        else:
            yield prediction_of(record)


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
        check_target(Path(to))


PREDICTORS: dict[type, Predictor] = {
    Classifier: predict_labels,
    Segmenter: predict_masks,
    InstanceSegmenter: predict_objects,
    Detector: predict_boxes,
    YoloOnnx: predict_boxes,
}
"""What predicts with each kind of model."""
