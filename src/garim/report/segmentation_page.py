"""The pages of segmenters: how they were trained, and how good their masks are."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from garim import pictures
from garim.dataset import Dataset
from garim.evaluation.segmentation import SegmentationReport, ShownMask
from garim.models.palette import Mask, Palette, overlay
from garim.pictures import Pixels
from garim.report import charts
from garim.report.page import (
    Cell,
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
from garim.report.parts import failed
from garim.report.reports import curves
from garim.training.masks import VOID
from garim.training.segmentation import TrainedSegmenter

COLUMNS = 6
"""Worst pictures beside each other in ``worst.png``."""

TALL = 320
"""Height of a picture in ``worst.png``, in pixels."""


def segmentation_report(report: SegmentationReport, dataset: Dataset, folder: Path) -> Path:
    """Write ``report.html`` and ``worst.png``: figures, and the worst masks beside the truth."""
    found = report.to_dict()
    figures = Figures((
        Figure("Mean IoU", report.miou, "overlap with the truth, each class counted the same"),
        Figure("Pixel accuracy", report.pixel_accuracy, "share of pixels that are right"),
        Figure("Boundary F", found["boundary_f"], "boundaries that lie where they should"),
        Figure("Largest class", found["largest_class_baseline"],
               "pixel accuracy of always saying it"),
    ))  # fmt: skip
    columns = ("Class", "IoU", "Accuracy", "Boundary F", "Pixels")
    rows: list[tuple[Cell, ...]] = [(n, *row.values()) for n, row in report.per_class().items()]
    confused = charts.confusion_picture(report.matrix, report.classes)
    wide = WidePicture(Picture.of(confused, "Confusion matrix of pixels", side=900))
    tiles = tuple(_tile(one, report.palette) for one in report.worst)
    pictures.save(worst_sheet(report), folder / "worst.png")
    sections = (
        Section("How good", (figures, Table(columns, tuple(rows)))),
        Section("Worst masks", (_legend(report.classes, report.palette), Gallery(tiles)),
                f"The truth on the left, the prediction on the right; {len(tiles)} of "
                f"{len(report.judged)} pictures."),
        Section("What is taken for what", (wide,), "Pixels. Rows: the truth."),
        *failed(report.failures),
    )  # fmt: skip
    lead = f"{len(report.judged)} pictures of {dataset.origin.name}, at their full size."
    write_page(Page("Evaluation of masks", lead, sections), folder / "report.html")
    return folder / "report.html"


def _tile(one: ShownMask, palette: Palette) -> Tile:
    sides = ((one.truth, "truth"), (one.predicted, "prediction"))
    shown = tuple(
        Picture.of(Image.fromarray(_laid(one.pixels, mask, palette)), what) for mask, what in sides
    )
    judged = one.judged
    details = (("File", judged.picture), ("Pixel accuracy", judged.pixel_accuracy))
    return Tile(shown, caption=Path(judged.picture).name, badge=f"mIoU {judged.miou:.2f}",
                tone="bad", details=details)  # fmt: skip


def _laid(pixels: Pixels, mask: Mask, palette: Palette) -> Pixels:
    return overlay(pixels, np.where(mask == VOID, 0, mask).astype(np.uint8), palette)


def _legend(classes: tuple[str, ...], palette: Palette) -> Table:
    named = ["#" + "".join(f"{value:02x}" for value in colour) for colour in palette]
    return Table(("Class", "Colour"), tuple(zip(classes, named, strict=False)))


def worst_sheet(report: SegmentationReport) -> Image.Image:
    """Draw the worst pictures: each with the truth above and the prediction below."""
    shown = report.worst[: 2 * COLUMNS]
    columns = [_column(one, report.palette) for one in shown] or [pictures.blank(TALL)]
    wide = max(one.width for one in columns)
    lines = -(-len(columns) // COLUMNS)
    sheet = Image.new("RGB", (wide * min(COLUMNS, len(columns)), 2 * TALL * lines), "white")
    for number, one in enumerate(columns):
        sheet.paste(one, (number % COLUMNS * wide, number // COLUMNS * 2 * TALL))
    return sheet


def _column(one: ShownMask, palette: Palette) -> Image.Image:
    both = [Image.fromarray(_laid(one.pixels, m, palette)) for m in (one.truth, one.predicted)]
    scale = TALL / both[0].height
    size = max(1, round(both[0].width * scale)), TALL
    column = Image.new("RGB", (size[0], 2 * TALL))
    for number, image in enumerate(both):
        column.paste(image.resize(size), (0, number * TALL))
    return column


def segmenter_training_report(trained: TrainedSegmenter, dataset: Dataset, folder: Path) -> Path:
    """Write the page of a training: what was trained, on what, and its curves."""
    card = trained.model.card
    figures = [Figure(name.replace("_", " ").capitalize(), v) for name, v in card.metrics.items()]
    figures.append(Figure("Pictures", trained.pictures, "trained on"))
    notes = [Note(text, "warning") for text in trained.notes]
    settings = tuple((name, str(value)) for name, value in asdict(trained.settings).items())
    sections = (
        Section("What came of it", (Figures(tuple(figures)), *notes)),
        Section("Classes", (_legend(card.classes, card.palette),)),
        *curves(folder / "curves" / "metrics.csv"),
        Section("Settings", (Table(("Setting", "Value"), settings),)),
        *failed(trained.failures),
    )
    lead = (
        f"{card.network} on {card.backbone}, {dataset.origin.name}, {trained.seconds:.0f} seconds."
    )
    write_page(Page("Training of a segmenter", lead, sections), folder / "report.html")
    return folder / "report.html"
