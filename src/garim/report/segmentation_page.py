"""The page of a segmenter: how good its masks are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from garim import files, pictures
from garim.dataset import Dataset
from garim.evaluation.segmentation import SegmentationReport, ShownMask
from garim.models.palette import Mask, Palette, overlay
from garim.pictures import Pixels
from garim.report import charts
from garim.report.page import (
    Cell,
    Chart,
    Figure,
    Figures,
    Flip,
    Gallery,
    Page,
    Picture,
    Section,
    Table,
    WidePicture,
    write_page,
)
from garim.report.parts import failed
from garim.training.masks import VOID

COLUMNS = 6
"""Worst pictures beside each other in ``worst.png``."""

WIDE = 480
"""Longest side of a picture on the page, in pixels."""

TALL = 320
"""Height of a picture in ``worst.png``, in pixels."""


def segmentation_report(report: SegmentationReport, dataset: Dataset, folder: Path) -> Path:
    """Write ``report.html``, ``report.json`` and ``worst.png``: figures, and the worst masks."""
    found = report.to_dict()
    files.write_json(folder / "report.json", found)
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
    flips = tuple(_flip(one, report.palette) for one in report.worst)
    legend = Chart(charts.legend(report.classes, report.palette))
    pictures.save(worst_sheet(report), folder / "worst.png")
    sections = (
        Section("How good", (figures, Table(columns, tuple(rows)))),
        Section("Worst masks", (legend, Gallery(flips)),
                f"Flip between the picture, the truth and the prediction; {len(flips)} of "
                f"{len(report.judged)} pictures."),
        Section("What is taken for what", (wide,), "Pixels. Rows: the truth."),
        *failed(report.failures),
    )  # fmt: skip
    lead = f"{len(report.judged)} pictures of {dataset.origin.name}, at their full size."
    write_page(Page("Evaluation of masks", lead, sections), folder / "report.html")
    return folder / "report.html"


def _flip(one: ShownMask, palette: Palette) -> Flip:
    sides = (("truth", one.truth), ("prediction", one.predicted))
    laid = [(name, Image.fromarray(_laid(one.pixels, mask, palette))) for name, mask in sides]
    versions = [("picture", Image.fromarray(one.pixels)), *laid]
    judged = one.judged
    return Flip(
        tuple((name, Picture.of(image, name, WIDE)) for name, image in versions),
        caption=Path(judged.picture).name,
        badge=f"mIoU {judged.miou:.2f}",
        tone="bad",
        details=(("File", judged.picture), ("Pixel accuracy", judged.pixel_accuracy)),
    )


def _laid(pixels: Pixels, mask: Mask, palette: Palette) -> Pixels:
    return overlay(pixels, np.where(mask == VOID, 0, mask).astype(np.uint8), palette)


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
