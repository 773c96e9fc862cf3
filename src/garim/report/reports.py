"""The reports: what each verb leaves for people to look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from PIL import Image

from garim.dataset import Dataset
from garim.errors import Failure
from garim.evaluation import LocalizationReport
from garim.evaluation.evaluate import proposed_box
from garim.plan import Edit, Plan
from garim.report import charts, parts
from garim.report.page import (
    Cell,
    Chart,
    Figure,
    Figures,
    Gallery,
    Note,
    Page,
    Picture,
    Section,
    Table,
    Tile,
    WidePicture,
    write_page,
)
from garim.report.parts import SHOWN, shown
from garim.report.sheet import LabelledBox, Sheet, contact_sheet
from garim.training import Trained

SHEET_SIDE = 2400
"""Longest side of a contact sheet inside a page; the picture file beside it has all of it."""

_OUTCOMES: tuple[tuple[str, str, Callable[[Edit], bool]], ...] = (
    ("Proposed crops", "Least certain first: look at these.", lambda e: e.edit == "crop"),
    (
        "Label not found",
        "Neither the picture nor a part of it is predicted as its label: wrong labels gather here.",
        lambda e: e.edit == "keep" and e.error is None and e.score_after is None,
    ),
    (
        "Left as they are",
        "No part shows the label better than the whole picture.",
        lambda e: e.edit == "keep" and e.score_after is not None,
    ),
)


def dataset_sheet(dataset: Dataset, *, columns: int, cell: int, boxes: bool) -> Sheet:
    """Draw every picture of a dataset as a thumbnail, with its boxes when asked."""
    number = dataset.class_index()
    drawn: dict[Path, list[LabelledBox]] = {}
    for row in dataset.rows if boxes else ():
        drawn[dataset.path(row)] = [
            LabelledBox(o.box, o.label, number.get(o.label, 0)) for o in row.objects
        ]
    paths = dict.fromkeys(dataset.path(row) for row in dataset.rows)
    return contact_sheet(paths, columns=columns, cell=cell, boxes=drawn)


def dataset_report(
    dataset: Dataset, sheet: Image.Image, failed: Sequence[dict[str, str]], path: Path
) -> Path:
    """Write the page of a dataset: labels and their counts per split, and the contact sheet."""
    counts = dataset.counts()
    rows: list[tuple[Cell, ...]] = [
        (c, *(of[c] for of in counts.values())) for c in dataset.classes
    ]
    figures = [
        Figure("Pictures", len({row.file_name for row in dataset.rows})),
        Figure("Classes", len(dataset.classes)),
        Figure("Boxes", sum(len(row.objects) for row in dataset.rows)),
        Figure("Files that are no pictures", len(dataset.strays)),
    ]
    drawn = Picture.of(sheet, "All pictures", side=min(max(sheet.size), SHEET_SIDE))
    sections = (
        Section("What is in it", (Figures(tuple(figures)),)),
        Section(
            "Labels and their counts", (_counts(dataset), Table(("Class", *counts), tuple(rows)))
        ),
        Section("The pictures", (WidePicture(drawn),)),
        *parts.failed([Failure(**one) for one in failed]),
    )
    write_page(Page(dataset.origin.name, "What this dataset holds.", sections), path)
    return path


def extraction_report(plan: Plan, dataset: Dataset, path: Path) -> Path:
    """Write the page of an extraction: how many, how sure, and what is proposed, as pictures."""
    counts = {name: sum(map(fits, plan.edits)) for name, _, fits in _OUTCOMES}
    figures = [Figure("Pictures", len(plan), "one per picture and label")]
    figures += [Figure(name, number) for name, number in counts.items()]
    figures.append(Figure("Could not be opened", len(plan.failures)))
    sections = [Section("What was found", (Figures(tuple(figures)), _by_class(plan)))]
    for name, lead, fits in _OUTCOMES:
        chosen = sorted(filter(fits, plan.edits), key=_certainty)
        if chosen:
            tiles = tuple(_edit_tile(edit, dataset) for edit in _spread(chosen, SHOWN))
            note = f"{lead} {len(tiles)} of {len(chosen)} shown."
            sections.append(Section(name, (Gallery(tiles),), note))
    sections += parts.failed(plan.failures)
    lead = (
        f"Method {plan.method}, on {dataset.origin.name}. Nothing is changed until it is applied."
    )
    write_page(Page("Self Extraction", lead, tuple(sections)), path)
    return path


def _certainty(edit: Edit) -> float:
    return edit.score_after or edit.score_before or 0.0


def _spread(edits: Sequence[Edit], most: int) -> list[Edit]:
    """The first half of what is shown from the start, the rest evenly over the others."""
    if len(edits) <= most:
        return list(edits)
    first, rest = list(edits[: most // 2]), edits[most // 2 :]
    step = len(rest) / (most - len(first))
    return first + [rest[int(i * step)] for i in range(most - len(first))]


def _by_class(plan: Plan) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for label in sorted({edit.label or "" for edit in plan.edits}):
        mine = [edit for edit in plan.edits if (edit.label or "") == label]
        rows.append((label, len(mine), *(sum(map(fits, mine)) for _, _, fits in _OUTCOMES)))
    return Table(("Class", "Pictures", *(name for name, _, _ in _OUTCOMES)), tuple(rows))


def _edit_tile(edit: Edit, dataset: Dataset) -> Tile:
    path = dataset.root / edit.picture
    details = [("Why", edit.reason), ("File", edit.picture)]
    details += [
        (f"Round {r.round}", f"seen as {r.predicted}, score {r.score:.3f}") for r in edit.history
    ]
    found = edit.score_after is not None
    return Tile(
        shown(path, edit.box, edit.label or ""),
        caption=edit.label or "",
        badge=f"{edit.score_before or 0:.2f} → {edit.score_after:.2f}" if found else "not found",
        tone="good" if found else "bad",
        details=tuple(details),
    )


def localization_page(report: LocalizationReport, plan: Plan, dataset: Dataset, path: Path) -> Path:
    """Write the page of a plan's boxes against true boxes, the worst first."""
    figures = report.figures()
    quality = Figures((
        *(Figure(f"CorLoc at IoU {t}", v, "boxes that fit at least so well")
          for t, v in figures["corloc"].items()),
        Figure("Purity", report.purity, "of the objects inside the box, the labelled share"),
        Figure("Coverage", report.coverage, "of the labelled object, the share inside the box"),
    ))  # fmt: skip
    per_class = report.to_dict()["per_class"]
    rows = tuple(
        (c, v["boxes"], v["corloc"]["0.5"], v["purity"], v["coverage"])
        for c, v in per_class.items()
    )
    table = Table(("Class", "Boxes", "CorLoc at 0.5", "Purity", "Coverage"), rows)
    judged = {(one.picture, one.label): one for one in report.located}
    edits = [e for e in plan.edits if (e.picture, e.label or "") in judged]
    edits.sort(key=lambda e: judged[e.picture, e.label or ""].iou)
    tiles = tuple(
        Tile(
            shown(dataset.root / e.picture, proposed_box(e), e.label or ""),
            caption=e.label or "",
            badge=f"IoU {judged[e.picture, e.label or ''].iou:.2f}",
            tone="good" if judged[e.picture, e.label or ""].iou >= 0.5 else "bad",
        )
        for e in edits[:SHOWN]
    )
    sections = (
        Section("How well the boxes fit", (quality, table)),
        Section("The worst boxes", (Gallery(tiles),), f"{len(tiles)} of {len(edits)} shown."),
    )
    write_page(Page("Boxes against the truth", f"{report.boxes} boxes judged.", sections), path)
    return path


def training_report(trained: Trained, dataset: Dataset, folder: Path) -> Path:
    """Write the page of a training: what was trained, on what, and its curves."""
    card = trained.classifier.card
    figures = [Figure(name.replace("_", " ").capitalize(), v) for name, v in card.metrics.items()]
    figures.append(Figure("Pictures", trained.pictures, "trained on"))
    recipe = tuple((name, str(value)) for name, value in trained.recipe.to_dict().items())
    sections = [
        Section(
            "What came of it",
            (Figures(tuple(figures)), *_notes(trained.notes), *map(Note, trained.chosen)),
        ),
        Section("Pictures per class and split", (_counts(dataset),)),
        *curves(folder / "curves" / "metrics.csv"),
        Section("Settings", (Table(("Setting", "Value"), recipe),)),
        *parts.failed(trained.failures),
    ]
    path = folder / "report.html"
    lead = f"{card.architecture} on {dataset.origin.name}, {trained.seconds:.0f} seconds."
    write_page(Page("Training", lead, tuple(sections)), path)
    return path


def _notes(texts: Sequence[str]) -> list[Note]:
    return [Note(text, "warning") for text in texts]


def _counts(dataset: Dataset) -> Chart:
    by_split = dataset.counts()
    by_class = {c: {s: float(n[c]) for s, n in by_split.items()} for c in dataset.classes}
    return Chart(charts.grouped_bars(by_class, title="Pictures per class and split"))


def curves(path: Path) -> list[Section]:
    """Draw what a training wrote into ``curves/metrics.csv``; nothing where it wrote none."""
    if not path.exists():
        return []
    table = pl.read_csv(path)
    elements = []
    others = [n for n in table.columns if n.startswith("val_") and n != "val_loss"]
    wanted = {"Loss": ["train_loss", "val_loss"]}
    wanted |= {name.removeprefix("val_").replace("_", " ").capitalize(): [name] for name in others}
    for title, names in wanted.items():
        series = {n: table[n].drop_nulls().to_list() for n in names if n in table.columns}
        if series:
            chart = charts.line_chart(series, title=title, x_label="Epoch", y_label=title)
            elements.append(Chart(chart, title))
    return [Section("Curves", tuple(elements))] if elements else []


def demo_report(summary: dict[str, Any], story: Image.Image, path: Path) -> Path:
    """Write the page of the demo: what was done, against the known truth."""
    accuracy, corloc = summary["test_accuracy"], summary["corloc"]
    figures = Figures((
        Figure("CorLoc at IoU .5", corloc["0.5"], "boxes that fit, drawn by nobody"),
        Figure("Purity", summary["purity"], "of the creatures inside a box, the labelled share"),
        Figure("Coverage", summary["coverage"], "of the labelled creature, the share in the box"),
        Figure("Test accuracy before", accuracy["before"], "trained on the messy pictures"),
        Figure("Test accuracy after", accuracy["after"], "trained on them and their crops"),
    ))  # fmt: skip
    names = {"Self Extraction": summary, **summary["baselines"]}
    rows = tuple(
        (name, *v["corloc"].values(), v["purity"], v["coverage"]) for name, v in names.items()
    )
    columns = ("Boxes", "CorLoc .3", "CorLoc .5", "CorLoc .7", "Purity", "Coverage")
    wide = WidePicture(Picture.of(story, "Pictures with their boxes and crops", side=1600))
    seconds = tuple(summary["seconds"].items())
    sections = (
        Section("What came of it", (figures, Table(columns, rows))),
        Section("Before and after", (wide,), "Pictures with several creatures, drawn at random."),
        Section("Seconds", (Table(("Step", "Seconds"), seconds),)),
        *parts.failed([Failure(**one) for one in summary["broken"]]),
    )
    lead = f"{summary['pictures']} messy pictures, drawn on the spot, with known truth."
    write_page(Page("Garim demo", lead, sections), path)
    return path
