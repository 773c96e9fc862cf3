"""The pages of instance segmentation: how it was trained, and how good its masks are."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from garim.dataset import Dataset
from garim.evaluation.instances import InstanceReport
from garim.report.page import Cell, Figure, Figures, Page, Section, Table, write_page
from garim.report.parts import failed
from garim.report.reports import curves
from garim.training.instance_segmentation import TrainedInstances


def instance_report(report: InstanceReport, dataset: Dataset, folder: Path) -> Path:
    """Write ``report.html``: the average precision of masks."""
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


def instance_training_report(trained: TrainedInstances, dataset: Dataset, folder: Path) -> Path:
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
    lead = f"Mask R-CNN on {card.backbone}, {dataset.origin.name}, {trained.seconds:.0f} seconds."
    write_page(Page("Training of instance segmentation", lead, sections), folder / "report.html")
    return folder / "report.html"
