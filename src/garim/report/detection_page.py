"""The page of a detector: how good its boxes are."""

from __future__ import annotations

from pathlib import Path

from garim import files
from garim.dataset import Dataset
from garim.evaluation.detection import DetectionReport, JudgedBoxes
from garim.report.page import (
    Cell,
    Figure,
    Figures,
    Flip,
    Gallery,
    Page,
    Section,
    Table,
    write_page,
)
from garim.report.parts import boxed, failed
from garim.report.sheet import LabelledBox


def detection_report(report: DetectionReport, dataset: Dataset, folder: Path) -> Path:
    """Write ``report.html`` and ``report.json``: average precision, and the worst pictures."""
    files.write_json(folder / "report.json", report.to_dict())
    figures = Figures((
        Figure("AP", report.ap, "mean over overlaps of .5 to .95, as COCO counts it"),
        Figure("AP50", report.ap50, "boxes that overlap by at least a half"),
        Figure("AP75", report.ap75, "boxes that overlap by at least three quarters"),
        Figure("Objects", report.objects, "in the truth"),
    ))  # fmt: skip
    rows: list[tuple[Cell, ...]] = [(n, *row.values()) for n, row in report.per_class.items()]
    tiles = tuple(_flip(one, dataset, report.classes) for one in report.worst)
    sections = (
        Section("How good", (figures, Table(("Class", "AP", "AP50"), tuple(rows)))),
        Section("Worst pictures", (Gallery(tiles),),
                f"Flip between the truth and what was found; {len(tiles)} of "
                f"{report.pictures} pictures."),
        *failed(report.failures),
    )  # fmt: skip
    lead = f"{report.pictures} pictures of {dataset.origin.name}."
    write_page(Page("Evaluation of a detector", lead, sections), folder / "report.html")
    return folder / "report.html"


def _flip(one: JudgedBoxes, dataset: Dataset, classes: tuple[str, ...]) -> Flip:
    number = {name: index for index, name in enumerate(classes)}
    truth = [LabelledBox(o.box, o.label, number.get(o.label, 0)) for o in one.truth]
    found = [
        LabelledBox(o.box, f"{o.label} {score:.2f}", number.get(o.label, 0))
        for o, score in one.found
    ]
    path = dataset.root / one.picture
    versions = tuple((name, boxed(path, marks, name)) for name, marks in
                     (("truth", truth), ("found", found)))  # fmt: skip
    details = (("File", one.picture), ("Objects", len(truth)), ("Found", len(found)))
    return Flip(versions, caption=Path(one.picture).name, badge=f"F1 {one.f1:.2f}", tone="bad",
                details=details)  # fmt: skip
