"""Hugging Face ImageFolder with metadata: what Garim itself writes.

Pictures stand as ``<split>/<label>/<file>``; one ``metadata.jsonl`` (or ``metadata.parquet``) per
split's folder, or in the root where there is no split, says per picture ``file_name`` (relative to
the metadata file), ``label``, ``objects: {bbox: [[x, y, width, height]], category: [name]}`` in
pixels, ``mask_file_name``, ``source``, ``source_box`` and ``edits``. Keys that no row needs are
left out. ``datasets.load_dataset("imagefolder", data_dir=…)`` loads it. Where it finds one split it
looks nowhere else, so that rows without one stand among those of ``train`` then, and a key
``split`` tells them apart. Everything in a row is held except the picture's size, the objects'
outlines and the masks of single objects.

``metadata.csv`` is read, too, if it has a column ``file_name``; its cells ``objects``,
``source_box`` and ``edits`` are JSON, and an empty cell says nothing.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl

from garim import files
from garim.boxes import Box
from garim.errors import Failure, FormatError
from garim.formats import csv_table, labels, parquet, placing
from garim.formats.folder import METADATA_FILES, row_of, strays_of
from garim.formats.rows import SPLITS, Contents, Object, Row
from garim.formats.tree import Finder, folders_in, is_ignored, walk
from garim.streaming import stream, track

MASKS = "_masks"
"""Folder beside the classes that masks are written to."""

_ONLY_IN_FILE_NAMES = re.compile(r'[/\\:*?"<>|\x00-\x1f]')
_LINES_THAT_SHOW_TYPES = 1000
_TABLE = "metadata.csv"
_JSON_CELLS = ("objects", "source_box", "edits")
_SCHEMA: dict[str, Any] = {
    "file_name": pl.String,
    "split": pl.String,
    "label": pl.String,
    "objects": pl.Struct({"bbox": pl.List(pl.List(pl.Float64)), "category": pl.List(pl.String)}),
    "mask_file_name": pl.String,
    "source": pl.String,
    "source_box": pl.List(pl.Float64),
    "edits": pl.List(pl.String),
}


DESCRIBED = ("label", "objects", "source", "source_box", "edits")
"""Keys of a line of metadata that say something about the picture."""


def detect(path: Path) -> bool:
    """Accept a folder with a metadata file in it or in a split's folder."""
    splits = [one for one in folders_in(path) if one.name.lower() in SPLITS]
    names = (*METADATA_FILES, _TABLE)
    return any(_is_metadata(folder / name) for folder in (path, *splits) for name in names)


def _is_metadata(file: Path) -> bool:
    """Tell by its name what a file is, and a table, whose name others use too, by its columns."""
    if file.name != _TABLE or not file.is_file():
        return file.name in METADATA_FILES and file.is_file()
    try:
        return "file_name" in next(csv_table.lines(file))[1]
    except FormatError:
        return False


def read(path: Path) -> tuple[Path, Contents]:
    """Read metadata files at any depth; pictures that none lists are read as class folders.

    Raises:
        FormatError: a metadata file cannot be read at all.
    """
    if not path.is_dir():
        raise FormatError(f"{path}: expected a Hugging Face ImageFolder, but it is a file")
    tree, finder = walk(path), Finder(path)
    failures, rows = list(tree.failures), list[Row]()
    described = [name for name in tree.others if _is_metadata(path / name)]
    for name in described:
        for line, values in _entries(path, name, failures):
            row = _row(values, PurePosixPath(name).parent, f"{name}:{line}", finder)
            rows.append(row) if isinstance(row, Row) else failures.append(row)
    listed = {row.file_name for row in rows} | {row.mask_file_name for row in rows}
    rows += [row_of(name) for name in tree.pictures if name not in listed]
    return path, Contents(
        rows=placing.in_order(rows),
        classes=labels.read_order(path, labels.in_rows(rows)),
        failures=tuple(failures),
        strays=tuple(name for name in strays_of(tree) if name not in described),
    )


def _entries(root: Path, name: str, failures: list[Failure]) -> Iterator[tuple[int, Any]]:
    if name.endswith(".parquet"):
        try:
            table = parquet.read(root / name)
        except (OSError, ValueError) as error:
            raise FormatError(f"{root / name}: is not a Parquet file: {error}") from error
        yield from enumerate(table.iter_rows(named=True), start=1)
        return
    if name.endswith(".csv"):
        yield from _cells(root / name, name, failures)
        return
    # Not splitlines(): JSON may hold other line separators of Unicode.
    for number, line in enumerate(labels.read_text(root / name).split("\n"), start=1):
        try:
            if line.strip():
                yield number, json.loads(line)
        except (ValueError, RecursionError) as error:
            failures.append(Failure(f"{name}:{number}", f"is not a line of JSON: {error}"))


def _cells(file: Path, name: str, failures: list[Failure]) -> Iterator[tuple[int, Any]]:
    for number, cells in islice(csv_table.lines(file), 1, None):
        values: dict[str, Any] = {key: cell for key, cell in cells.items() if cell}
        try:
            yield number, values | {k: json.loads(values[k]) for k in _JSON_CELLS if k in values}
        except (ValueError, RecursionError) as error:
            columns = ", ".join(_JSON_CELLS)
            failures.append(Failure(f"{name}:{number}", f"expected JSON in {columns}: {error}"))


def _row(values: Any, folder: PurePosixPath, place: str, finder: Finder) -> Row | Failure:
    if not isinstance(values, dict) or not isinstance(values.get("file_name"), str):
        return Failure(place, "expected an object with a 'file_name'")
    found = finder.find(values["file_name"], place, (folder.as_posix(),))
    if isinstance(found, Failure):
        return found
    row = row_of(found)
    mask = values.get("mask_file_name")
    if mask is not None:
        mask = finder.find(str(mask), place, (folder.as_posix(),))
        if isinstance(mask, Failure):
            return replace(mask, picture=found, error=f"its mask is {mask.error}")
    try:
        return replace(
            row,
            label=labels.clean(values["label"]) if "label" in values else row.label,
            split=_split(values["split"], row.split) if "split" in values else row.split,
            objects=tuple(_objects(values.get("objects"))),
            mask_file_name=mask,
            source=labels.text(values.get("source")),
            source_box=Box.from_xywh(values["source_box"]) if values.get("source_box") else None,
            edits=tuple(str(edit) for edit in values.get("edits") or ()),
        )
    except (ValueError, TypeError, KeyError, ArithmeticError, AttributeError) as error:
        return Failure(place, f"{found}: {type(error).__name__}: {error}; expected {_EXPECTED}")


def _split(told: object, of_folder: str | None) -> str | None:
    return None if told is None else SPLITS.get(str(told).lower(), of_folder)


_EXPECTED = "objects: {bbox: [[x, y, width, height], …], category: [name, …]}"


def _objects(value: Any) -> Iterator[Object]:
    if isinstance(value, list):  # a list of structs instead of a struct of lists
        pairs = [(one["category"], one["bbox"]) for one in value]
    elif value:
        categories = value["category"] if "category" in value else value["categories"]
        pairs = list(zip(categories or (), value["bbox"] or (), strict=True))
    else:
        pairs = []
    for category, bbox in pairs:
        label = labels.clean(category)
        if label is None:
            raise ValueError("a box without a category")
        yield Object(label, _box(bbox))


def _box(bbox: Sequence[float]) -> Box:
    if len(bbox) != 4:
        raise ValueError(f"a box of {len(bbox)} numbers")
    return Box.from_xywh(bbox)


Put = Callable[[Row, Path], bool]
"""Writes the picture of a row to a file; False leaves the row out."""


def write(contents: Contents, root: Path, target: Path, put: Put | None = None) -> None:
    """Write pictures, masks, metadata and, when the classes are not sorted, ``classes.txt``.

    Metadata is JSON Lines, except where a split has no value in a column that another split
    fills: then it is Parquet, which states the columns' types, for ``datasets`` wants them equal.

    Args:
        contents: rows and classes.
        root: folder that the rows' file names are relative to.
        target: folder to write to.
        put: writes a row's picture, perhaps edited, and is called from threads; by default it is
            copied.

    Raises:
        FormatError: a split other than train, validation and test.
        DatasetError: a picture cannot be copied.
    """
    placing.check_splits(contents.rows, "huggingface")
    rows = placing.in_order(contents.rows)
    rest = _split_of_the_rest(rows)
    placed = [replace(row, split=row.split or rest) for row in rows]
    names = placing.place(placed, _target_of)
    jobs = [(row, target / name) for row, name in zip(rows, names, strict=True)]
    make = put or (lambda row, path: placing.copy(root, row.file_name, path))
    made = track(stream(lambda job: make(*job), jobs), "Writing", len(jobs))
    kept = [index for index, (_, result) in enumerate(made) if result]
    masks = _copy_masks([placed[i] for i in kept], root, target)
    lines: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for number, index in enumerate(kept):
        line = _line(placed[index], names[index], masks.get(number))
        told = {"split": rows[index].split if rest else None}
        lines[placed[index].split or ""].append({**line, **told})
    _write_metadata(target, lines)
    labels.write_order(target, contents.classes, labels.in_rows(rows[i] for i in kept))


def _split_of_the_rest(rows: Iterable[Row]) -> str | None:
    """Give the folder of rows without a split, which ``datasets`` passes over beside others'."""
    splits = {row.split for row in rows}
    return "train" if None in splits and len(splits) > 1 else None


def _target_of(row: Row) -> str:
    parts = (row.split, folder_of(row), placing.file_part(row))
    return "/".join(part for part in parts if part)


def folder_of(row: Row) -> str | None:
    """Name the folder of a row's label, which is in no split's or hidden folder's way."""
    if row.label is None:
        return None
    name = _ONLY_IN_FILE_NAMES.sub("_", row.label)
    reserved = is_ignored(name) or name == MASKS or (row.split is None and name.lower() in SPLITS)
    return f"_{name}" if reserved else name


def _copy_masks(rows: Iterable[Row], root: Path, target: Path) -> dict[int, str]:
    """Copy the masks and give each row's mask by the row's index."""
    masked = [(index, row) for index, row in enumerate(rows) if row.mask_file_name]
    wanted = [replace(row, file_name=row.mask_file_name or "") for _, row in masked]
    names = placing.place(
        wanted, lambda row: "/".join(filter(None, (row.split, MASKS, placing.file_part(row))))
    )
    for row, name in zip(wanted, names, strict=True):
        placing.copy(root, row.file_name, target / name)
    return {index: name for (index, _), name in zip(masked, names, strict=True)}


def _line(row: Row, name: str, mask: str | None) -> dict[str, Any]:
    folder = row.split or "."
    return {
        "file_name": PurePosixPath(name).relative_to(folder).as_posix(),
        "mask_file_name": PurePosixPath(mask).relative_to(folder).as_posix() if mask else None,
        **described(row),
    }


def described(row: Row) -> dict[str, Any]:
    """Give what a line of metadata says about a row, besides the names of files."""
    boxes = [[float(v) for v in one.box.xywh()] for one in row.objects]
    return {
        "label": row.label,
        "objects": {"bbox": boxes, "category": [one.label for one in row.objects]},
        "source": row.source,
        "source_box": [float(v) for v in row.source_box.xywh()] if row.source_box else None,
        "edits": list(row.edits),
    }


def _write_metadata(target: Path, lines: dict[str, list[dict[str, Any]]]) -> None:
    every = [line for several in lines.values() for line in several]
    used = [key for key in _SCHEMA if any(_is_filled(line[key]) for line in every)]
    as_text = all(
        any(_is_filled(line[key]) for line in several[:_LINES_THAT_SHOW_TYPES])
        for several in lines.values()
        for key in used
    )
    for split, several in lines.items():
        kept = [{key: line[key] for key in used} for line in several]
        if as_text:
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept)
            files.write_text(target / split / "metadata.jsonl", text)
        else:
            schema = {key: _SCHEMA[key] for key in used}
            table = pl.DataFrame(kept, schema=schema)
            files.write_streamed(target / split / "metadata.parquet", table.write_parquet)


def _is_filled(value: Any) -> bool:
    return bool(value["bbox"] if isinstance(value, dict) else value)
