"""How a model is made, and how good it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import garim
from garim import report
from garim.cli.options import Flat, Out, Part
from garim.cli.show import Output, finish, table
from garim.dataset import Selection
from garim.evaluation import ClassificationReport
from garim.training import TrainSettings

TASKS = {
    "classify": "train",
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
    page = report.training_report(trained, dataset, out)
    figures = [f"{name}: {value}" for name, value in trained.classifier.card.metrics.items()]
    result = {**trained.to_dict(), "report": str(page)}
    lines = [*trained.notes, *figures, f"Model: {out} ({trained.seconds:.0f} s)", f"Report: {page}"]
    return finish(output, result, *lines)


def evaluate(
    subject: Path,
    data: Path | None = None,
    *,
    truth: Path | None = None,
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
    out
        Folder for the report. Default: beside the subject.
    """
    if subject.is_file():
        return _evaluate_plan(subject, truth or data, out, part, output)
    return _evaluate_model(subject, data or truth, out, part, output)


def _needed(path: Path | None, what: str) -> Path:
    if path is None:
        raise garim.SettingsError([f"evaluate needs {what}"])
    return path


def _evaluate_model(
    run: Path, data: Path | None, out: Path | None, part: Selection, output: Output
) -> int:
    dataset = garim.read(_needed(data, "a dataset with labels: evaluate RUN DATA"), part)
    if not part.split and "test" in dataset.splits:
        dataset = dataset.where(split=["test"])
    model = garim.load_model(run)
    judged = garim.evaluate(model, dataset)
    return SHOWN[type(judged)](judged, dataset, out or run / "evaluation", output)


def _show_classification(
    judged: ClassificationReport, dataset: garim.Dataset, out: Path, output: Output
) -> int:
    page = report.evaluation_report(judged, dataset, out)
    rows = [(name, *row.values()) for name, row in judged.per_class.items()]
    lines = (
        table(("class", "precision", "recall", "f1", "support"), rows),
        f"accuracy {judged.accuracy:.4f} (majority {judged.majority_baseline:.4f}), "
        f"macro F1 {judged.macro['f1']:.4f}, {judged.pictures} pictures",
        f"Report: {page}",
    )
    return finish(output, {**judged.to_dict(), "report": str(page)}, *lines)


def _evaluate_plan(
    file: Path, truth: Path | None, out: Path | None, part: Selection, output: Output
) -> int:
    boxed = garim.read(_needed(truth, "a dataset with boxes: evaluate PLAN --truth DATA"), part)
    plan = garim.load_plan(file)
    judged = garim.evaluate(plan, boxed)
    target = (out or file.parent) / f"{file.stem}.evaluation.html"
    page = report.localization_page(judged, plan, garim.dataset_of(plan), target)
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
}
"""What shows how good a model is, by the kind of its report."""
