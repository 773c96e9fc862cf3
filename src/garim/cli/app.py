"""The commands: parse, call one function, show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

import garim
from garim import report
from garim.audit import AuditSettings
from garim.cli.show import Output, finish, table
from garim.dataset import Selection, SplitSettings
from garim.extraction import ExtractSettings
from garim.formats import FORMATS
from garim.plan import ApplySettings
from garim.training import TrainSettings

Flat = Parameter(name="*")
Out = Annotated[Output, Flat]
Part = Annotated[Selection, Flat]

app = App(
    name="garim",
    help="Folder labels in; clean crops, boxes and models out.",
    version=garim.__version__,
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # `run` says how to go on
)


@app.command
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
        Dataset: class folders, a .zip, CSV, COCO, YOLO, VOC or Hugging Face ImageFolder.
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
    drawn = report.dataset_sheet(dataset, columns=columns, cell=cell, boxes=boxes)
    garim.pictures.save(drawn.image, out)
    failed = [f.to_dict() for f in (*dataset.failures, *drawn.failures)]
    counts = dataset.counts()
    page = report.dataset_report(dataset, drawn.image, failed, out.with_suffix(".html"))
    result = {"pictures": len(dataset), "labels": counts, "sheet": str(out), "report": str(page)}
    rows = [(name, *(of[name] for of in counts.values())) for name in dataset.classes]
    lines = (table(("class", *counts), rows), f"Sheet: {out}", f"Report: {page}")
    return finish(output, {**result, "failed": failed}, *lines)


@app.command
def audit(
    data: Path,
    *,
    out: Path = Path("audit"),
    model: Path | None = None,
    settings: Annotated[AuditSettings, Flat] = AuditSettings(),
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
    dataset = garim.read(data, part)
    classifier = None if model is None else garim.load_model(model)
    found = garim.audit(dataset, settings, classifier)
    found.plan.save(out / "plan.jsonl")
    page = report.audit_report(found, out)
    result = {**found.to_dict(), "plan": str(out / "plan.jsonl"), "report": str(page)}
    rows = [(name, "" if n is None else n, why or "") for name, n, why in found.summary.iter_rows()]
    edits = ", ".join(f"{n} × {kind}" for kind, n in found.plan.counts().items()) or "no edits"
    lines = (table(("check", "pictures", "skipped"), rows), f"Plan: {out / 'plan.jsonl'} ({edits})")
    return finish(output, result, *lines, f"Report: {page}", issues=bool(found.fails))


@app.command
def convert(
    data: Path, out: Path, *, to: str, part: Part = Selection(), output: Out = Output()
) -> int:
    """Write a dataset in another format; pictures are copied.

    Parameters
    ----------
    data
        Dataset to read.
    out
        New or empty folder to write to.
    to
        coco, yolo, voc, csv, folder or huggingface.
    """
    dataset = garim.read(data, part)
    written = garim.write(dataset, out, to)
    failed = [f.to_dict() for f in dataset.failures]
    objects = sum(len(row.objects) for row in written)
    result = {"pictures": len(written), "objects": objects, "to": str(out), "failed": failed}
    return finish(output, result, f"{len(written)} pictures, {objects} boxes → {out} ({to})")


@app.command
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
        New or empty folder to write to.
    """
    dataset = garim.read(data, part)
    written = garim.write(garim.split(dataset, settings), to)
    counts = written.counts()
    failed = [f.to_dict() for f in dataset.failures]
    rows = [(name, *(of[name] for of in counts.values())) for name in written.classes]
    result = {"pictures": len(written), "labels": counts, "to": str(to), "failed": failed}
    return finish(output, result, table(("class", *counts), rows), f"Written to {to}")


@app.command
def train(
    data: Path,
    *,
    out: Path,
    settings: Annotated[TrainSettings, Flat] = TrainSettings(),
    part: Part = Selection(),
    output: Out = Output(),
) -> int:
    """Train a classifier on the labels of a dataset.

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


@app.command
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
    judged = garim.evaluate(garim.load_model(run), dataset)
    page = report.evaluation_report(judged, dataset, out or run / "evaluation")
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


@app.command
def extract(
    data: Path,
    *,
    model: Path,
    out: Path = Path("plan.jsonl"),
    sweep: Annotated[bool, Parameter(negative="")] = False,
    truth: Path | None = None,
    settings: Annotated[ExtractSettings, Flat] = ExtractSettings(),
    part: Part = Selection(),
    output: Out = Output(),
) -> int:
    """Find the labelled object in every picture: one proposed crop each, as a plan.

    Parameters
    ----------
    data
        Dataset with labels. With --labels all a picture is searched once per label it holds.
    model
        Folder of a classifier.
    out
        File of the plan. A run that was interrupted goes on.
    sweep
        Instead of a plan, compare grids N and kernels K of the windows or document method.
    truth
        Dataset with boxes, to judge a sweep by.
    """
    dataset = garim.read(data, part)
    if sweep:
        return _sweep(dataset, garim.load_model(model), settings, truth, output)
    found = garim.extract(dataset, garim.load_model(model), settings, out)
    page = report.extraction_report(found.plan, dataset, out.with_suffix(".html"))
    result = {**found.to_dict(), "report": str(page)}
    line = (
        f"{result['pictures']} looked at: {result['proposed']} crops proposed, "
        f"{result['unchanged']} left as they are, {result['no_box']} without their label, of which "
        f"{result['relabelled']} show another ({found.seconds:.1f} s)"
    )
    return finish(output, result, line, f"Plan: {out}", f"Report: {page}")


def _sweep(
    dataset: garim.Dataset,
    model: garim.Classifier,
    settings: ExtractSettings,
    truth: Path | None,
    output: Output,
) -> int:
    boxed = None if truth is None else garim.read(truth)
    rows = [one.to_dict() for one in garim.sweep(dataset, model, settings, truth=boxed)]
    for row in rows if truth is not None else ():
        row["corloc_0.5"] = row.pop("corloc")["0.5"]
    columns = list(rows[0])
    lines = table(columns, [tuple(row.values()) for row in rows])
    return finish(output, {"pictures": len(dataset), "sweep": rows, "failed": []}, lines)


@app.command
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
    applied = garim.apply(
        garim.load_plan(plan), to=to, in_place=in_place, data=data, settings=settings
    )
    edits = ", ".join(f"{n} × {name}" for name, n in applied.edits.items()) or "no edits"
    return finish(
        output, applied.to_dict(), f"{edits}; {applied.pictures} pictures in {applied.to}"
    )


@app.command
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


@app.command
def demo(
    folder: Path = Path("garim-demo"),
    *,
    seed: int = 0,
    output: Out = Output(),
) -> int:
    """Draw a messy dataset, and do the whole main job on it: train, extract, apply, compare.

    Parameters
    ----------
    folder
        New or empty folder for everything.
    seed
        Another seed, other pictures.
    """
    from garim.demo import run_demo  # noqa: PLC0415 - most commands never draw

    summary = run_demo(folder, seed=seed)
    return finish(output, summary.to_dict(), *summary.lines())


@app.command
def doctor(
    *, networks: Annotated[bool, Parameter(negative="")] = False, output: Out = Output()
) -> int:
    """Show versions, devices, and where weights would come from.

    Parameters
    ----------
    networks
        List the names of all networks too.
    """
    found = garim.doctor(networks=networks)
    libraries = [(name, version or "not installed") for name, version in found["libraries"].items()]
    lines = [
        f"Python {found['python']} on {found['system']}, {found['processors']} processors",
        f"Devices: {', '.join(found['devices'])}",
        f"Weights: --weights FILE, or timm's own from the cache {found['weights_cache']}, "
        "or --weights none",
        f"Formats: {', '.join(FORMATS)}",
    ]
    return finish(output, found, table(("library", "version"), libraries), *lines,
                  *found.get("networks", []))  # fmt: skip
