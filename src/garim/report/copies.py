"""The sheet of an augmentation: pictures, and what was made of them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from garim.augmentation import Augmented
from garim.formats.rows import Row
from garim.report.sheet import LabelledBox, Sheet, contact_sheet

ROWS, COLUMNS = 12, 7
"""Pictures that are shown, and how many stand in a row: the picture itself, then its copies."""


def copies_sheet(augmented: Augmented, cell: int = 160) -> Sheet:
    """Draw pictures with copies of theirs beside them, the classes in turn, boxes drawn in."""
    data = augmented.dataset
    copies: dict[str, list[Row]] = defaultdict(list)
    for row in data.rows:
        if row.edits and row.edits[-1].startswith("augment "):
            copies[row.source or ""].append(row)
    originals = [row for row in data.rows if row.source in copies and not _is_copy(row)]
    turn = _by_turns(originals)[:ROWS]
    shown = [[row, *copies[row.source or ""][: COLUMNS - 1]] for row in turn]
    columns = max((len(several) for several in shown), default=1)
    boxes: dict[Path, list[LabelledBox]] = {}
    number = data.class_index()
    paths: list[Path | None] = []
    for several in shown:
        for row in several:
            paths.append(data.path(row))
            marks = [LabelledBox(o.box, "", number.get(o.label, 0)) for o in row.objects]
            boxes[data.path(row)] = marks
        paths += [None] * (columns - len(several))
    return contact_sheet(paths, columns=columns, cell=cell, boxes=boxes)


def _is_copy(row: Row) -> bool:
    return bool(row.edits) and row.edits[-1].startswith("augment ")


def _by_turns(rows: list[Row]) -> list[Row]:
    """Order rows so that the classes take turns."""
    seen: dict[str | None, int] = defaultdict(int)
    turns: list[tuple[int, int, Row]] = []
    for index, row in enumerate(rows):
        turns.append((seen[row.label], index, row))
        seen[row.label] += 1
    return [row for _, _, row in sorted(turns, key=lambda one: one[:2])]
