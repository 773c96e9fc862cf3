"""How a model is made, and how good it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import garim
from garim import files
from garim.cli.detection import show_detection
from garim.cli.enhancement import show_upscaling
from garim.cli.options import Flat, Out, Part
from garim.cli.segmentation import show_instances, show_segmentation
from garim.cli.show import Output, finish, table
from garim.comparison import COLUMNS, ComparisonSettings, parse_vary
from garim.dataset import Selection
from garim.evaluation import (
    ClassificationReport,
    ComparisonReport,
    DetectionReport,
    InstanceReport,
    SegmentationReport,
    UpscalingReport,
)
from garim.evaluation.intervals import Interval
from garim.report import (
    comparison_report,
    evaluation_report,
    localization_page,
    training_comparison_page,
    training_report,
)
from garim.training import TrainSettings

TASKS = {
    "classify": "train",
    "segment": "train-segment",
    "detect": "train-detect",
    "instances": "train-instances",
    "upscale": "train-upscale",
    "embed": "train-embed",
}
"""The command that trains a model for each task: ``garim train --task T`` is this command."""


def by_task(words: Sequence[str]) -> list[str]:
    """Spell ``train … --task T`` as the command of that task, which has options of its own.

    Raises:
        SettingsError: there is no such task.
    """
    if not words or words[0] != "train":
        return list(words)
    plain = [part for word in words for part in _parted(word)]
    if "--task" not in plain[:-1]:
        return list(words)
    at = plain.index("--task")
    task = plain[at + 1]
    if task not in TASKS:
        known = ", ".join(TASKS)
        raise garim.SettingsError([f"there is no task {task!r}; known: {known}"])
    return [TASKS[task], *plain[1:at], *plain[at + 2 :]]


def _parted(word: str) -> list[str]:
    name, equals, value = word.partition("=")
    return [name, value] if equals and name == "--task" else [word]


def train(
    data: Path,
    *,
    out: Path,
    settings: Annotated[TrainSettings, Flat] = TrainSettings(),
    part: Part = Selection(),
    output: Out = Output(),
) -> int:
    """Train a classifier on the labels of a dataset (--task classify).

    Parameters
    ----------
    data
        Dataset with labels; the test split is never looked at.
    out
        Folder for the model. A training that was interrupted there goes on.
    """
    dataset = garim.read(data, part)
    trained = garim.train(dataset, settings, out)
    page = training_report(trained, dataset, out)
    figures = [f"{name}: {value}" for name, value in trained.classifier.card.metrics.items()]
    result = {**trained.to_dict(), "report": str(page)}
    lines = [
        *trained.chosen,
        *trained.notes,
        *figures,
        f"Model: {out} ({trained.seconds:.0f} s)",
        f"Report: {page}",
    ]
    return finish(output, result, *lines)


def compare_training(
    data: Path,
    *,
    to: Path,
    comparison: Annotated[ComparisonSettings, Flat] = ComparisonSettings(),
    settings: Annotated[TrainSettings, Flat] = TrainSettings(),
    part: Part = Selection(),
    output: Out = Output(),
) -> int:
    """Train the same thing under several settings over several seeds, and say which is better.

    Parameters
    ----------
    data
        Dataset with labels; its test split judges, or a fifth of it where there is none.
    to
        Folder for the figures. Trainings that are finished there are not repeated.
    """
    dataset, vary = garim.read(data, part), parse_vary(comparison.vary)
    found = garim.compare_training(dataset, settings, vary, comparison.seeds, to)
    page = training_comparison_page(found, data.name, to / "report.html")
    result = {**found.to_dict(), "report": str(page)}
    files.write_json(to / "comparison.json", result)
    tables = (
        table(COLUMNS, found.rows()),
        table(("F1", *found.classes), found.rows_per_class()),
    )
    return finish(output, result, *found.notes, *tables, f"Report: {page}")


def evaluate(
    subject: Path,
    data: Path | None = None,
    *,
    truth: Path | None = None,
    against: Path | None = None,
    out: Path | None = None,
    part: Part = Selection(),
    output: Out = Output(),
) -> int:
    """Say how good a model is (evaluate RUN DATA), or a plan's boxes (evaluate PLAN --truth DATA).

    Parameters
    ----------
    subject
        Folder of a model, or file of a plan.
    data
        Dataset with labels, for a model; its test split is used when it has one.
    truth
        Dataset with boxes, for a plan.
    against
        Folder of another model of the same classes, to compare with on the same pictures.
    out
        Folder for the report. Default: beside the subject.
    """
    if subject.suffix.lower() == ".jsonl" and not subject.exists():
        raise garim.PlanError(f"{subject}: there is no such plan; name the file of a plan")
    if not subject.is_file() or subject.suffix.lower() == ".onnx":
        return _evaluate_model(subject, data or truth, against, out, part, output)
    if against is not None:
        raise garim.SettingsError(["--against compares two models; give the folder of a model"])
    return _evaluate_plan(subject, truth or data, out, part, output)


def _needed(path: Path | None, what: str) -> Path:
    if path is None:
        raise garim.SettingsError([f"evaluate needs {what}"])
    return path


def _evaluate_model(
    run: Path,
    data: Path | None,
    against: Path | None,
    out: Path | None,
    part: Selection,
    output: Output,
) -> int:
    dataset = garim.read(_needed(data, "a dataset with labels: evaluate RUN DATA"), part)
    if not part.split and "test" in dataset.splits:
        dataset = dataset.where(split=["test"])
    model: Any = garim.load_model(run)
    other: Any = None if against is None else garim.load_model(against)
    judged = garim.evaluate(model, dataset, other)
    beside = run if run.is_dir() else run.parent
    return SHOWN[type(judged)](judged, dataset, out or beside / "evaluation", output)


def _show_classification(
    judged: ClassificationReport, dataset: garim.Dataset, out: Path, output: Output
) -> int:
    page = evaluation_report(judged, dataset, out)
    sure = judged.intervals
    rows = [
        (name, v["precision"], v["recall"], v["f1"], _span(sure.f1[name]), v["support"])
        for name, v in judged.per_class.items()
    ]
    lines = (
        table(("class", "precision", "recall", "f1", "f1 interval", "support"), rows),
        f"accuracy {judged.accuracy:.4f} ({_span(sure.accuracy)}; majority "
        f"{judged.majority_baseline:.4f}), macro F1 {judged.macro['f1']:.4f} "
        f"({_span(sure.macro_f1)}), calibration error {judged.ece:.3f}, {judged.pictures} pictures",
        f"Report: {page}",
    )
    return finish(output, {**judged.to_dict(), "report": str(page)}, *lines)


def _show_comparison(
    judged: ComparisonReport, dataset: garim.Dataset, out: Path, output: Output
) -> int:
    page = comparison_report(judged, dataset, out)
    first, second = judged.first, judged.second
    rows = [
        ("accuracy", first.accuracy, second.accuracy, judged.accuracy.value,
         _span(judged.accuracy.interval)),
        ("macro F1", first.macro["f1"], second.macro["f1"], judged.macro_f1.value,
         _span(judged.macro_f1.interval)),
    ]  # fmt: skip
    lines = (
        table(("figure", "model", "against", "difference", "interval"), rows),
        f"right only here {judged.only_first}, only there {judged.only_second}: McNemar "
        f"p = {judged.p_value:.3g}, {first.pictures} pictures",
        f"Report: {page}",
    )
    return finish(output, {**judged.to_dict(), "report": str(page)}, *lines)


def _span(interval: Interval) -> str:
    return f"{interval[0]:.3f} to {interval[1]:.3f}"


def _evaluate_plan(
    file: Path, truth: Path | None, out: Path | None, part: Selection, output: Output
) -> int:
    boxed = garim.read(_needed(truth, "a dataset with boxes: evaluate PLAN --truth DATA"), part)
    plan = garim.load_plan(file)
    judged = garim.evaluate(plan, boxed)
    target = (out or file.parent) / f"{file.stem}.evaluation.html"
    page = localization_page(judged, plan, garim.dataset_of(plan), target)
    values = judged.to_dict()
    names = {"all": values, **values["per_class"]}
    rows = [
        (name, v["boxes"], *v["corloc"].values(), v["purity"], v["coverage"])
        for name, v in names.items()
    ]
    head = ("class", "boxes", "CorLoc .3", ".5", ".7", "purity", "coverage")
    return finish(output, {**values, "report": str(page)}, table(head, rows), f"Report: {page}")


SHOWN: dict[type, Callable[[Any, garim.Dataset, Path, Output], int]] = {
    ClassificationReport: _show_classification,
    ComparisonReport: _show_comparison,
    SegmentationReport: show_segmentation,
    DetectionReport: show_detection,
    InstanceReport: show_instances,
    UpscalingReport: show_upscaling,
}
"""What shows how good a model is, by the kind of its report."""
