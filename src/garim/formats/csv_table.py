"""CSV (RFC 4180; also with ``;`` or tabs): one line per picture and label, or per box.

Columns, in any order and case: the file (``file``, ``file_name``, ``filename``, ``path``,
``image``), its label (``label``, ``class``, ``category``, ``folder_label``, ``dominant_label``),
``split``, a box in pixels (``xmin ymin xmax ymax``, ``x_min y_min x_max y_max``, ``x1 y1 x2 y2``
or ``left top right bottom``; or ``x y width height``, also ``w h`` and with the first two of those
names), the picture's size (``image_width image_height``, or ``width height`` where they are not the
box's), and ``object``: with it, ``object`` is the label of the box and
``label`` that of the picture; without it, ``label`` is both. Lines of one picture (under one
label, where ``object`` is given) are one row. Files are named relative to the table. An exact
repeat of a line without a box counts once.

Written tables hold everything in a row, with ``mask_file_name``, ``source``, ``source_box`` and
``edits`` as columns (the last two as JSON) where a row needs them.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from garim import files
from garim.boxes import Box
from garim.errors import Failure, FormatError
from garim.formats import labels, placing
from garim.formats.rows import SPLITS, Contents, Object, Row
from garim.formats.tree import Finder, files_in, split_and_label

TABLE = "pictures.csv"
"""Name of the table in a folder that Garim writes."""

SUFFIXES = frozenset({".csv", ".tsv"})

COLUMNS = {
    "file": ("file", "file_name", "filename", "path", "image"),
    "label": ("label", "class", "category", "folder_label", "dominant_label"),
}
"""Names of the columns that a table must have, most telling first."""

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_BY_CORNERS = (
    _CORNERS,
    ("x_min", "y_min", "x_max", "y_max"),
    ("x1", "y1", "x2", "y2"),
    ("left", "top", "right", "bottom"),
)
_BY_EXTENTS = tuple(
    (*start, *extents)
    for start in (("x", "y"), *(corners[:2] for corners in _BY_CORNERS))
    for extents in (("w", "h"), ("width", "height"))
)
_ENDS = frozenset(name for corners in _BY_CORNERS for name in corners[2:])
_CENTRES = frozenset({"cx", "cy", "xc", "yc", "x_center", "y_center", "xcenter", "ycenter"})
_OF_BOXES = _ENDS.union(_CENTRES, {"bbox"}, *(names[:2] for names in _BY_EXTENTS))
"""Columns that speak of boxes; widths and heights by themselves are the pictures'."""

Cells = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which column is which; None where the table has none."""

    file: str
    label: str | None
    object: str | None
    split: str | None
    box: tuple[str, ...]
    make_box: Callable[..., Box]
    size: tuple[str, ...]


@dataclass(slots=True)
class _Gathered:
    """One row in the making."""

    row: Row
    labels: list[str] = field(default_factory=list)
    objects: list[Object] = field(default_factory=list)


def detect(path: Path) -> bool:
    """Accept a ``.csv`` or ``.tsv`` file, or a folder that Garim wrote with ``pictures.csv``."""
    return path.suffix.lower() in SUFFIXES if path.is_file() else (path / TABLE).is_file()


def read(path: Path) -> tuple[Path, Contents]:
    """Read a table; bad lines become failures that name the line.

    Raises:
        FormatError: no table there, no text, or columns are missing.
    """
    table = path if path.is_file() else _table_in(path)
    cells = lines(table)
    layout = _layout(table, next(cells)[1])
    finder, failures = Finder(table.parent), list[Failure]()
    gathered: dict[object, _Gathered] = {}
    for number, line in cells:
        try:
            problem = _gather(line, layout, f"{table.name}:{number}", finder, gathered)
        except (ValueError, TypeError, RecursionError) as error:
            problem = Failure(f"{table.name}:{number}", str(error))
        if problem:
            failures.append(problem)
    rows = tuple(_finished(one, layout) for one in gathered.values())
    classes = labels.read_order(table.parent, labels.in_rows(rows))
    return table.parent, Contents(rows=rows, classes=classes, failures=tuple(failures))


def _table_in(folder: Path) -> Path:
    found = files_in(folder, SUFFIXES)
    if (folder / TABLE).is_file() or len(found) == 1:
        return folder / TABLE if (folder / TABLE).is_file() else found[0]
    listed = ", ".join(one.name for one in found) or "none"
    raise FormatError(f"{folder}: expected one table, found {listed}; name the .csv file itself")


def lines(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Give line numbers and cells by lower-case column; the first item is the header."""
    text = labels.read_text(table)
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header: list[str] | None = None
    try:
        for cells in reader:
            if header is None:
                header = [name.strip().lower() for name in cells]
                yield reader.line_num, dict.fromkeys(header, "")
            elif any(cell.strip() for cell in cells):
                padded = [*cells, *[""] * (len(header) - len(cells))]
                yield reader.line_num, dict(zip(header, padded, strict=False))
    except csv.Error as error:
        raise FormatError(f"{table}:{reader.line_num}: is not CSV: {error}") from error
    if header is None:
        raise FormatError(f"{table}: is empty; expected {_expected()}")


def _layout(table: Path, header: Iterable[str]) -> _Layout:
    columns = list(header)

    def named(*names: str) -> str | None:
        return next((name for name in names if name in columns), None)

    file, label, boxed = named(*COLUMNS["file"]), named(*COLUMNS["label"]), named("object")
    if file is None or (label or boxed) is None:
        found = ", ".join(columns)
        raise FormatError(f"{table}: expected {_expected()}; found the columns {found}")
    box = _box_columns(table, columns)
    own = ("image_width", "image_height") if named("image_width") else ("width", "height")
    size = own if set(own) <= set(columns) - set(box) else ()
    make_box = _box_from_xywh if box in _BY_EXTENTS else Box
    if not box:
        label, boxed = label or boxed, None
    return _Layout(file, label, boxed, named("split"), box, make_box, size)


def _box_columns(table: Path, columns: Sequence[str]) -> tuple[str, ...]:
    """Give the four columns of a box; none where no column speaks of boxes.

    Raises:
        FormatError: some do, but not four that belong together.
    """
    there = set(columns)
    known = _BY_CORNERS if there & _ENDS else _BY_EXTENTS
    whole = next((names for names in known if there.issuperset(names)), ())
    odd = [name for name in columns if name in _OF_BOXES]
    if not whole and (len(odd) > 1 or "bbox" in odd):  # a single x or top may be anything
        sets = ", or ".join(" ".join(names) for names in (*_BY_CORNERS, *_BY_EXTENTS[:2]))
        raise FormatError(
            f"{table}: the columns {', '.join(odd)} speak of boxes, but not as Garim knows them: "
            f"{sets}, in pixels; rename them, or leave them out to read the pictures alone"
        )
    return whole


def _box_from_xywh(*xywh: float) -> Box:
    return Box.from_xywh(xywh)


def _expected() -> str:
    return " and ".join(f"a column for the {k} ({', '.join(v)})" for k, v in COLUMNS.items())


def _gather(
    line: Cells, layout: _Layout, place: str, finder: Finder, gathered: dict[object, _Gathered]
) -> Failure | None:
    """Add one line to the row it belongs to, or say why it cannot be.

    Raises:
        ValueError: a cell says something it must not say.
    """
    listed = line[layout.file]
    if not listed.strip():
        raise ValueError(f"the cell {layout.file!r} is empty")
    name = finder.find(listed, place)
    if isinstance(name, Failure):
        return name
    label = labels.clean(line[layout.label]) if layout.label else None
    boxed = _object(line, layout, label)
    row = replace(_row(line, layout, name), label=label)
    one = gathered.setdefault(_key(row, layout), _Gathered(row))
    one.labels += [label] if label else []
    one.objects += [boxed] if boxed else []
    return None


def _key(row: Row, layout: _Layout) -> tuple[str | None, ...]:
    by_box = layout.box and not layout.object
    return (row.file_name, row.split, None if by_box else row.label)


def _row(line: Cells, layout: _Layout, name: str) -> Row:
    split = split_and_label(name)[0]
    if layout.split:
        told = line[layout.split].strip()
        split = SPLITS.get(told.lower(), told) or None
    mask, source_box = line.get("mask_file_name"), line.get("source_box")
    return Row(
        file_name=name,
        split=split,
        size=_size([line[column].strip() for column in layout.size]),
        mask_file_name=mask or None,
        source=line.get("source") or None,
        source_box=Box.from_xywh(json.loads(source_box)) if source_box else None,
        edits=tuple(str(edit) for edit in json.loads(line.get("edits") or "[]")),
    )


def _size(cells: list[str]) -> tuple[int, int] | None:
    if not any(cells):
        return None
    try:
        width, height = (int(float(cell)) for cell in cells)
    except (ValueError, OverflowError) as error:
        message = f"expected a picture's width and height, found {' and '.join(cells)}"
        raise ValueError(message) from error
    return (width, height) if width > 0 and height > 0 else None


def _object(line: Cells, layout: _Layout, label: str | None) -> Object | None:
    cells = [line[column].strip() for column in layout.box]
    if layout.object:
        label = labels.clean(line[layout.object])
    if not any(cells):
        if layout.object and label:
            raise ValueError(f"the object {label!r} has no box")
        return None
    if label is None:
        raise ValueError("a box without a label")
    try:
        return Object(label, layout.make_box(*(float(cell) for cell in cells)))
    except ValueError as error:
        expected = f"expected four finite numbers in {', '.join(layout.box)}"
        raise ValueError(f"{expected}; found {', '.join(map(repr, cells))}") from error


def _finished(one: _Gathered, layout: _Layout) -> Row:
    label = one.row.label
    if layout.box and not layout.object:
        label = one.labels[0] if len(set(one.labels)) == 1 else None
    return replace(one.row, label=label, objects=tuple(one.objects))


def write(contents: Contents, root: Path, target: Path) -> None:
    """Write ``pictures.csv`` beside the pictures and masks, which keep their relative names
    except where two differ only in case or Unicode form.

    Raises:
        DatasetError: a picture cannot be copied.
    """
    rows = list(dict.fromkeys(contents.rows))
    masks = [row.mask_file_name for row in rows if row.mask_file_name]
    written = [Row(file_name=name) for name in dict.fromkeys([r.file_name for r in rows] + masks)]
    names = placing.place(written, lambda row: row.file_name)
    named = {row.file_name: name for row, name in zip(written, names, strict=True)}
    for name, new in named.items():
        placing.copy(root, name, target / new)
    lines = [line for row in rows for line in _lines_of(_renamed(row, named))]
    keys = [key for key in _WRITTEN if key in _ALWAYS or any(line.get(key) for line in lines)]
    files.write_text(target / TABLE, _text(lines, keys))
    labels.write_order(target, contents.classes, labels.in_rows(rows))


def _text(lines: list[dict[str, Any]], keys: list[str]) -> str:
    # By itself the writer leaves \r bare, which every reader takes for the end of a line.
    odd = any("\r" in str(value) for line in lines for value in line.values())
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(
        stream, keys, restval="", extrasaction="ignore", lineterminator="\n",
        quoting=csv.QUOTE_ALL if odd else csv.QUOTE_MINIMAL,
    )  # fmt: skip
    writer.writeheader()
    writer.writerows(lines)
    return stream.getvalue()


def _renamed(row: Row, named: Mapping[str, str]) -> Row:
    mask = named[row.mask_file_name] if row.mask_file_name else None
    return replace(row, file_name=named[row.file_name], mask_file_name=mask)


_ALWAYS = ("file", "split", "label")
_BOX = ("object", *_CORNERS)
_SIZE = ("image_width", "image_height")
_PROVENANCE = ("mask_file_name", "source", "source_box", "edits")
_WRITTEN = (*_ALWAYS, *_SIZE, *_BOX, *_PROVENANCE)


def _lines_of(row: Row) -> Iterator[dict[str, Any]]:
    size = dict(zip(_SIZE, row.size or ("", ""), strict=True))
    provenance = {
        "mask_file_name": row.mask_file_name,
        "source": row.source,
        "source_box": json.dumps(row.source_box.xywh()) if row.source_box else "",
        "edits": json.dumps(row.edits, ensure_ascii=False) if row.edits else "",
    }
    common = {"file": row.file_name, "split": row.split, "label": row.label, **size, **provenance}
    if not row.objects:
        yield common
    for one in row.objects:
        corners = [int(v) if v.is_integer() else v for v in one.box.xyxy()]
        yield {**common, "object": one.label, **dict(zip(_CORNERS, map(str, corners), strict=True))}
