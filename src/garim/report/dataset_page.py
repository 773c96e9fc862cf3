"""The page of a dataset: its labels and their counts, its sizes, and its pictures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np

from garim import pictures
from garim.dataset import Dataset
from garim.errors import Failure, PictureError
from garim.formats.rows import Row
from garim.pictures import Header
from garim.report import charts
from garim.report.page import (
    Cell,
    Chart,
    Element,
    Figure,
    Figures,
    Gallery,
    Page,
    Picture,
    Section,
    Table,
    Tile,
    WidePicture,
    write_page,
)
from garim.report.parts import SHOWN, boxed, evenly, failed
from garim.report.sheet import LabelledBox, Sheet, contact_sheet

MEASURED = 2000
"""Pictures whose size and kind are read, evenly chosen; a header is read in a fraction of a ms."""

SHEET_SIDE = 2400
"""Longest side of a contact sheet inside a page; the picture file beside it has all of it."""


def dataset_sheet(dataset: Dataset, *, columns: int, cell: int, boxes: bool) -> Sheet:
    """Draw every picture of a dataset as a thumbnail, with its boxes when asked."""
    drawn = {dataset.path(row): _marks(row, dataset) for row in dataset.rows} if boxes else {}
    paths = dict.fromkeys(dataset.path(row) for row in dataset.rows)
    return contact_sheet(paths, columns=columns, cell=cell, boxes=drawn)


def _marks(row: Row, dataset: Dataset) -> list[LabelledBox]:
    number = dataset.class_index()
    return [LabelledBox(o.box, o.label, number.get(o.label, 0)) for o in row.objects]


def dataset_report(dataset: Dataset, path: Path, sheet: Sheet | None = None) -> Path:
    """Write the page of a dataset, with a sheet of all pictures, or else with examples."""
    files = list(dict.fromkeys(row.file_name for row in dataset.rows))
    headers, broken = _measured(dataset.root, evenly(files, MEASURED))
    failures = [*dataset.failures, *(broken if sheet is None else sheet.failures)]
    boxes = sum(len(row.objects) for row in dataset.rows)
    figures = (
        Figure("Pictures", len(files)),
        Figure("Classes", len(dataset.classes)),
        *((Figure("Boxes", boxes),) if boxes else ()),
        Figure("Files that are no pictures", len(dataset.strays)),
        *((Figure("Empty folders", len(dataset.empty)),) if dataset.empty else ()),
        Figure("Could not be opened", len(failures)),
    )
    sections = (
        Section("What is in it", (Figures(figures),)),
        *_labels(dataset),
        *_sizes(headers, sampled=len(files) > MEASURED),
        *(_examples(dataset) if sheet is None else _whole(sheet)),
        *failed(failures),
    )
    write_page(Page(dataset.origin.name, "What this dataset holds.", sections), path)
    return path


def _measured(root: Path, names: Sequence[str]) -> tuple[list[Header], list[Failure]]:
    headers: list[Header] = []
    failures: list[Failure] = []
    for name in names:
        try:
            headers.append(pictures.header(root / name))
        except PictureError as error:
            failures.append(Failure(name, error.reason))
    return headers, failures


def counts_chart(counts: dict[str, dict[str, int]]) -> Chart:
    """Draw the pictures per class and split; ``counts`` are ``{split: {class: pictures}}``."""
    classes = list(dict.fromkeys(name for of in counts.values() for name in of))
    by_class = {c: {s: float(of.get(c, 0)) for s, of in counts.items()} for c in classes}
    return Chart(charts.grouped_bars(by_class, title="Pictures per class and split"))


def _labels(dataset: Dataset) -> Iterator[Section]:
    counts = dataset.counts()
    if counts:
        yield Section("Labels and their counts", (counts_chart(counts),))
    boxes = Counter(one.label for row in dataset.rows for one in row.objects)
    if boxes:
        ordered = {name: float(n) for name, n in boxes.most_common()}
        yield Section("Boxes", (Chart(charts.bars(ordered, title="Boxes per class")),))


def _sizes(headers: Sequence[Header], *, sampled: bool) -> Iterator[Section]:
    if not headers:
        return
    quantiles = (0, 0.25, 0.5, 0.75, 1)
    sides = {
        "Width": [one.width for one in headers],
        "Height": [one.height for one in headers],
        "Short side": [min(one.width, one.height) for one in headers],
    }
    rows: list[tuple[Cell, ...]] = [
        (name, *(float(v) for v in np.quantile(values, quantiles).round()))
        for name, values in sides.items()
    ]
    columns = ("Pixels", "Smallest", "Lower quarter", "Middle", "Upper quarter", "Largest")
    kinds = Counter(f"{one.format}, {one.mode}" for one in headers)
    elements: list[Element] = [
        Table(columns, tuple(rows)),
        Table(("Kind of file", "Pictures"), tuple(kinds.most_common())),
    ]
    lead = f"Of {len(headers)} pictures, evenly chosen." if sampled else ""
    yield Section("Sizes", tuple(elements), lead)


def _examples(dataset: Dataset) -> Iterator[Section]:
    chosen = _by_turns(dataset)
    tiles = tuple(
        Tile((boxed(dataset.path(row), _marks(row, dataset)),), caption=row.label or "",
             badge=row.split or "", details=(("File", row.file_name),))
        for row in chosen
    )  # fmt: skip
    if tiles:
        lead = f"The classes in turn; {len(tiles)} of {len(dataset)} shown."
        yield Section("Examples", (Gallery(tiles),), lead)


def _by_turns(dataset: Dataset) -> list[Row]:
    """Choose as many pictures of each class, at even distances, and let the classes take turns."""
    by_class: dict[str | None, list[Row]] = defaultdict(list)
    for row in dataset.rows:
        by_class[row.label].append(row)
    each = -(-SHOWN // max(len(by_class), 1))
    turns = zip_longest(*(evenly(rows, each) for rows in by_class.values()))
    return [row for turn in turns for row in turn if row is not None][:SHOWN]


def _whole(sheet: Sheet) -> Iterator[Section]:
    side = min(max(sheet.image.size), SHEET_SIDE)
    yield Section("The pictures", (WidePicture(Picture.of(sheet.image, "All pictures", side)),))
