"""The page of instance segmentation: how good its masks are."""

from __future__ import annotations

from pathlib import Path

from garim import files
from garim.dataset import Dataset
from garim.evaluation.instances import InstanceReport
from garim.report.page import Cell, Figure, Figures, Page, Section, Table, write_page
from garim.report.parts import failed


def instance_report(report: InstanceReport, dataset: Dataset, folder: Path) -> Path:
    """Write ``report.html`` and ``report.json``: the average precision of masks."""
    files.write_json(folder / "report.json", report.to_dict())
    figures = Figures((
        Figure("Mask AP", report.ap, "mean over IoU thresholds from 0.5 to 0.95"),
        Figure("AP50", report.ap50, "masks that overlap by at least a half"),
        Figure("AP75", report.ap75, "masks that overlap by at least three quarters"),
        Figure("Objects", report.objects, "in the truth"),
    ))  # fmt: skip
    rows: list[tuple[Cell, ...]] = [(n, *row.values()) for n, row in report.per_class.items()]
    table = Table(("Class", "AP", "AP50"), tuple(rows))
    sections = (Section("How good", (figures, table)), *failed(report.failures))
    lead = f"{report.pictures} pictures of {dataset.origin.name}."
    write_page(Page("Evaluation of objects", lead, sections), folder / "report.html")
    return folder / "report.html"
