"""Detectors: every object gets a box."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import garim
from garim.cli.options import Flat, Out, Part
from garim.cli.show import Output, finish, table
from garim.dataset import Selection
from garim.evaluation import DetectionReport
from garim.report import detection_report, training_report
from garim.training import DetectTrainSettings


def train_detect(
    data: Path,
    *,
    out: Path,
    boxes: Path | None = None,
    settings: Annotated[DetectTrainSettings, Flat] = DetectTrainSettings(),
    part: Part = Selection(),
    output: Out = Output(),
) -> int:
    """Train a detector on pictures with boxes (train --task detect).

    Parameters
    ----------
    data
        Dataset with boxes; the test split is never looked at.
    out
        Folder for the model. A training that was interrupted there goes on.
    boxes
        File of a plan for this dataset, whose boxes are learned in place of the dataset's own.
    """
    dataset, plan = garim.read(data, part), None if boxes is None else garim.load_plan(boxes)
    trained = garim.train_detector(dataset, settings, out, plan)
    page = training_report(trained, dataset, out)
    figures = [f"{name}: {value}" for name, value in trained.model.card.metrics.items()]
    result = {**trained.to_dict(), "report": str(page)}
    lines = [*figures, f"Model: {out} ({trained.seconds:.0f} s)", f"Report: {page}"]
    return finish(output, result, *lines)


def show_detection(
    judged: DetectionReport, dataset: garim.Dataset, out: Path, output: Output
) -> int:
    """Show how good boxes are."""
    page = detection_report(judged, dataset, out)
    rows = [
        (name, *("–" if value is None else value for value in row.values()))
        for name, row in judged.per_class.items()
    ]
    lines = (
        table(("class", "AP", "AP50"), rows),
        f"AP {judged.ap:.4f}, AP50 {judged.ap50:.4f}, {judged.pictures} pictures, "
        f"{judged.objects} objects",
        f"Report: {page}",
    )
    return finish(output, {**judged.to_dict(), "report": str(page)}, *lines)
