"""Plans: where the labelled objects are, carried out, and taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import garim
from garim.cli.options import Execution, Flat, Out, Part
from garim.cli.show import Output, finish, table
from garim.dataset import Selection
from garim.execution import ExecutionSettings
from garim.extraction import ExtractSettings
from garim.models.classifier import load as load_classifier
from garim.plan import ApplySettings
from garim.plan.reading import opened
from garim.remote import told
from garim.report import contour_steps, plan_report


def extract(  # noqa: PLR0913 - every option of the command
    data: Path,
    *,
    model: Path | None = None,
    out: Path = Path("plan.jsonl"),
    sweep: Annotated[bool, Parameter(negative="")] = False,
    truth: Path | None = None,
    show_steps: Path | None = None,
    settings: Annotated[ExtractSettings, Flat] = ExtractSettings(),
    execution: Execution = ExecutionSettings(),
    part: Part = Selection(),
    output: Out = Output(),
) -> int:
    """Find the labelled object in every picture: one proposed crop each, as a plan.

    Parameters
    ----------
    data
        Dataset with labels. With --labels all a picture is searched once per label it holds.
    model
        Folder of a classifier. The methods contour and foreground do without.
    out
        File of the plan. A run that was interrupted goes on.
    sweep
        Instead of a plan, compare grids N and kernels K of the windows or document method.
    truth
        Dataset with boxes, to judge a sweep by.
    show_steps
        Folder for sheets with the steps of the contour crop, of the first pictures.
    """
    dataset = garim.read(data, part)
    classifier = None if model is None else load_classifier(model)
    if sweep:
        return _sweep(dataset, classifier, settings, truth, output)
    if show_steps is not None:
        contour_steps(dataset, settings, show_steps)
    found = garim.extract(dataset, classifier, settings, out, execution)
    kept = opened(out, reviewed=False)
    page = plan_report(kept.plan, dataset, out.with_suffix(".html"), kept)
    result = {**found.to_dict(), "report": told(page)}
    line = (
        f"{result['pictures']} looked at: {result['proposed']} crops proposed, "
        f"{result['unchanged']} left as they are, {result['no_box']} without their label, of which "
        f"{result['relabelled']} show another ({found.seconds:.1f} s)"
    )
    return finish(output, result, line, f"Plan: {told(out)}", f"Report: {told(page)}")


SWEPT = {"proposed": "crops", "no_box": "no box", "corloc_0.5": "CorLoc"}
"""Headings of a sweep's figures that are too long for 80 columns, or no words."""


def _sweep(
    dataset: garim.Dataset,
    model: garim.Classifier | None,
    settings: ExtractSettings,
    truth: Path | None,
    output: Output,
) -> int:
    if model is None:
        raise garim.SettingsError(["a sweep needs a model; give its folder with --model"])
    boxed = None if truth is None else garim.read(truth)
    rows = [one.to_dict() for one in garim.sweep(dataset, model, settings, truth=boxed)]
    for row in rows if truth is not None else ():
        row["corloc_0.5"] = row.pop("corloc")["0.5"]
    columns = [SWEPT.get(name, name) for name in rows[0]]
    lines = table(columns, [tuple(row.values()) for row in rows])
    return finish(output, {"pictures": len(dataset), "sweep": rows, "failed": []}, lines)


def apply(
    plan: Path,
    *,
    to: Path | None = None,
    in_place: Annotated[bool, Parameter(negative="")] = False,
    data: Path | None = None,
    settings: Annotated[ApplySettings, Flat] = ApplySettings(),
    output: Out = Output(),
) -> int:
    """Carry out a plan: into a new dataset (--to), or in place with a way back (garim undo).

    Parameters
    ----------
    plan
        File of the plan.
    to
        New or empty folder for the new dataset; the originals stay as they are.
    in_place
        Change the dataset itself; what is replaced is kept for `garim undo`.
    data
        Where the dataset is now, if it was moved.
    """
    enlarger = garim.enlarger() if settings.enlarge_below else None
    applied = garim.apply(
        garim.load_plan(plan), to=to, in_place=in_place, data=data, settings=settings,
        enlarger=enlarger,
    )  # fmt: skip
    edits = ", ".join(f"{n} × {name}" for name, n in applied.edits.items()) or "no edits"
    return finish(
        output, applied.to_dict(), f"{edits}; {applied.pictures} pictures in {told(applied.to)}"
    )


def undo(data: Path, *, output: Out = Output()) -> int:
    """Take back the last plan that was applied in place, byte for byte.

    Parameters
    ----------
    data
        Folder of the dataset.
    """
    undone = garim.undo(data)
    return finish(
        output, undone.to_dict(), f"{undone.edits['undone']} changes taken back in {data}"
    )
