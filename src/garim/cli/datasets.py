"""What is in a dataset, what is wrong with it, and how it is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import garim
from garim.audit import AuditSettings
from garim.cli.options import Execution, Flat, Out, Part
from garim.cli.show import Output, finish, table
from garim.dataset import Selection, SplitSettings
from garim.execution import ExecutionSettings
from garim.models.classifier import load as load_classifier
from garim.plan.reading import check_undecided
from garim.remote import address_of, told
from garim.report import audit_report, dataset_report, dataset_sheet


def sheet(
    data: Path,
    *,
    out: Path = Path("sheet.png"),
    columns: int = 10,
    cell: int = 100,
    boxes: bool = False,
    part: Part = Selection(),
    output: Out = Output(),
) -> int:
    """Draw a contact sheet: every picture as a thumbnail.

    Parameters
    ----------
    data
        Dataset: class folders, a .zip, CSV, COCO, YOLO, VOC, Hugging Face ImageFolder, CVAT,
        Label Studio.
    out
        Picture file to write.
    columns
        Thumbnails per row.
    cell
        Side of a thumbnail in pixels.
    boxes
        Draw the boxes that the dataset has.
    """
    dataset = garim.read(data, part)
    drawn = dataset_sheet(dataset, columns=columns, cell=cell, boxes=boxes)
    garim.pictures.save(drawn.image, out)
    failed = [f.to_dict() for f in (*dataset.failures, *drawn.failures)]
    counts = dataset.counts()
    page = dataset_report(dataset, out.with_suffix(".html"), drawn)
    result = {"pictures": len(dataset), "labels": counts, "sheet": told(out), "report": told(page)}
    rows = [(name, *(of[name] for of in counts.values())) for name in dataset.classes]
    lines = (table(("class", *counts), rows), f"Sheet: {told(out)}", f"Report: {told(page)}")
    return finish(output, {**result, "failed": failed}, *lines)


def audit(
    data: Path,
    *,
    out: Path = Path("audit"),
    model: Path | None = None,
    settings: Annotated[AuditSettings, Flat] = AuditSettings(),
    execution: Execution = ExecutionSettings(),
    part: Part = Selection(),
    output: Out = Output(),
) -> int:
    """Say what is wrong with a dataset, and propose what to do, as a plan; nothing is changed.

    Parameters
    ----------
    data
        Dataset to look at.
    out
        Folder for report.html, report.json and plan.jsonl.
    model
        Folder of a classifier that was trained on this dataset with --folds.
    """
    check_undecided(out / "plan.jsonl")
    dataset = garim.read(data, part)
    classifier = None if model is None else load_classifier(model)
    beside = None if address_of(out) else out / "unfinished"
    spread = replace(execution, work=execution.work or beside)
    found = garim.audit(dataset, settings, classifier, spread)
    found.plan.save(out / "plan.jsonl")
    page = audit_report(found, out)
    result = {**found.to_dict(), "plan": told(out / "plan.jsonl"), "report": told(page)}
    rows = [(name, "" if n is None else n, why or "") for name, n, why in found.summary.iter_rows()]
    edits = ", ".join(f"{n} × {kind}" for kind, n in found.plan.counts().items()) or "no edits"
    lines = (table(("check", "pictures", "skipped"), rows), f"Plan: {result['plan']} ({edits})")
    return finish(output, result, *lines, f"Report: {result['report']}", issues=bool(found.fails))


def convert(
    data: Path, out: Path, *, to: str, part: Part = Selection(), output: Out = Output()
) -> int:
    """Write a dataset in another format; pictures are copied.

    Parameters
    ----------
    data
        Dataset to read.
    out
        New or empty folder to write to. A run that was interrupted goes on.
    to
        coco, yolo, voc, csv, folder, huggingface, cvat, labelstudio or webdataset.
    """
    dataset = garim.read(data, part)
    written = garim.write(dataset, out, to)
    failed = [f.to_dict() for f in (*dataset.failures, *written.failures)]
    objects = sum(len(row.objects) for row in written)
    result = {"pictures": len(written), "objects": objects, "to": told(out), "failed": failed}
    line = f"{len(written)} pictures, {objects} boxes → {told(out)} ({to})"
    if lost := sum(len(row.objects) for row in dataset) - objects:
        line += f"\n{lost} boxes are left out: this format holds none"
    return finish(output, result, line)


def split(
    data: Path,
    *,
    to: Path,
    settings: Annotated[SplitSettings, Flat] = SplitSettings(),
    part: Part = Selection(),
    output: Out = Output(),
) -> int:
    """Divide a dataset into train, validation and test, and write it to a new folder.

    Parameters
    ----------
    data
        Dataset to read.
    to
        New or empty folder to write to. A run that was interrupted goes on.
    """
    dataset = garim.read(data, part)
    written = garim.write(garim.split(dataset, settings), to)
    counts = written.counts()
    failed = [f.to_dict() for f in (*dataset.failures, *written.failures)]
    rows = [(name, *(of[name] for of in counts.values())) for name in written.classes]
    result = {"pictures": len(written), "labels": counts, "to": told(to), "failed": failed}
    return finish(output, result, table(("class", *counts), rows), f"Written to {told(to)}")
