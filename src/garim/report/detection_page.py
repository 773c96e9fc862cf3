"""The pages of detectors: how they were trained, and how good their boxes are."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from garim import pictures
from garim.dataset import Dataset
from garim.errors import PictureError
from garim.evaluation.detection import DetectionReport, JudgedBoxes
from garim.report.page import (
    Cell,
    Figure,
    Figures,
    Gallery,
    Page,
    Picture,
    Section,
    Table,
    Tile,
    write_page,
)
from garim.report.parts import SIDE, failed
from garim.report.reports import curves
from garim.report.sheet import LabelledBox, draw_boxes
from garim.training.detection import TrainedDetector


def detection_report(report: DetectionReport, dataset: Dataset, folder: Path) -> Path:
    """Write ``report.html``: average precision, and the worst pictures beside the truth."""
    figures = Figures((
        Figure("AP", report.ap, "mean over overlaps of .5 to .95, as COCO counts it"),
        Figure("AP50", report.ap50, "boxes that overlap by at least a half"),
        Figure("AP75", report.ap75, "boxes that overlap by at least three quarters"),
        Figure("Objects", report.objects, "in the truth"),
    ))  # fmt: skip
    rows: list[tuple[Cell, ...]] = [(n, *row.values()) for n, row in report.per_class.items()]
    tiles = tuple(_tile(one, dataset, report.classes) for one in report.worst)
    sections = (
        Section("How good", (figures, Table(("Class", "AP", "AP50"), tuple(rows)))),
        Section("Worst pictures", (Gallery(tiles),),
                f"The truth on the left, what was found on the right; {len(tiles)} of "
                f"{report.pictures} pictures."),
        *failed(report.failures),
    )  # fmt: skip
    lead = f"{report.pictures} pictures of {dataset.origin.name}."
    write_page(Page("Evaluation of a detector", lead, sections), folder / "report.html")
    return folder / "report.html"


def _tile(one: JudgedBoxes, dataset: Dataset, classes: tuple[str, ...]) -> Tile:
    number = {name: index for index, name in enumerate(classes)}
    truth = [LabelledBox(o.box, o.label, number.get(o.label, 0)) for o in one.truth]
    found = [
        LabelledBox(o.box, f"{o.label} {score:.2f}", number.get(o.label, 0))
        for o, score in one.found
    ]
    sides = ((truth, "truth"), (found, "found"))
    shown = tuple(_drawn(dataset.root / one.picture, marks, what) for marks, what in sides)
    details = (("File", one.picture), ("Objects", len(truth)), ("Found", len(found)))
    return Tile(shown, caption=Path(one.picture).name, badge=f"F1 {one.f1:.2f}", tone="bad",
                details=details)  # fmt: skip


def _drawn(path: Path, marks: list[LabelledBox], what: str) -> Picture:
    try:
        opened = pictures.open_picture(path, at_least=2 * SIDE)
    except PictureError:
        return Picture.of(pictures.blank(SIDE), f"{path.name} cannot be opened")
    small = opened.image.copy()
    small.thumbnail((2 * SIDE, 2 * SIDE))
    scale = small.width / opened.size[0], small.height / opened.size[1]
    return Picture.of(draw_boxes(small, marks, scale), f"{path.name}, {what}")


def detector_training_report(trained: TrainedDetector, dataset: Dataset, folder: Path) -> Path:
    """Write the page of a training: what was trained, on what, and its curves."""
    card = trained.model.card
    figures = [Figure(name.replace("_", " ").capitalize(), v) for name, v in card.metrics.items()]
    figures.append(Figure("Pictures", trained.pictures, "trained on"))
    settings = tuple((name, str(value)) for name, value in asdict(trained.settings).items())
    sections = (
        Section("What came of it", (Figures(tuple(figures)),)),
        *curves(folder / "curves" / "metrics.csv"),
        Section("Settings", (Table(("Setting", "Value"), settings),)),
        *failed(trained.failures),
    )
    lead = (
        f"{card.network} on {card.backbone}, {dataset.origin.name}, {trained.seconds:.0f} seconds."
    )
    write_page(Page("Training of a detector", lead, sections), folder / "report.html")
    return folder / "report.html"
