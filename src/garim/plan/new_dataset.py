"""Write an edited dataset to a new folder, so that a kill at any moment can be continued.

The new dataset grows in a folder beside its target, each picture written in one step, and takes
its name when it is whole. Run again, pictures that are there already are not written again.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from garim import files, pictures
from garim.boxes import Box
from garim.dataset import Dataset
from garim.errors import DatasetError, Failure, PictureError
from garim.formats import huggingface
from garim.formats.rows import Contents, Object, Row
from garim.plan.edits import Edit

_MARKER = "unfinished"

Edited = tuple[Row, Edit | None]
"""A row of the new dataset, and the crop that makes its picture, if any."""


def write_edited(
    edited: Sequence[Edited], source: Dataset, target: Path, name: str, *, as_boxes: bool
) -> tuple[int, list[Failure]]:
    """Write rows, cut where an edit says so, as a Hugging Face ImageFolder.

    Args:
        edited: rows with the file names of the source.
        source: where the pictures are.
        target: new or empty folder.
        name: digest of all that decides the result; an unfinished folder of another is refused.
        as_boxes: keep the pictures whole and write the boxes as objects.

    Returns:
        How many pictures were written, and those that could not be.

    Raises:
        DatasetError: the target is not empty, or holds something else unfinished.
    """
    unfinished = _begin(target, name)
    crops = {_new_row(row, crop, as_boxes): None if as_boxes else crop for row, crop in edited}
    failures: list[Failure] = []

    def put(row: Row, path: Path) -> bool:
        try:
            _write_picture(source.root / row.file_name, crops[row], path)
        except PictureError as error:
            failures.append(Failure(row.file_name, error.reason))
            return False
        return True

    contents = Contents(rows=tuple(crops), classes=_classes(source, edited))
    huggingface.write(contents, source.root, unfinished, put)
    (unfinished / _MARKER).unlink()
    if target.exists():
        target.rmdir()
    unfinished.replace(target)
    return len(crops) - len(failures), sorted(failures, key=lambda f: f.picture)


def _begin(target: Path, name: str) -> Path:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DatasetError(f"{target}: is not empty; give a new or empty folder with --to")
    unfinished = target.with_name(f".{target.name}.unfinished")
    marker = unfinished / _MARKER
    if marker.is_file() and marker.read_text() != name:
        shutil.rmtree(unfinished)  # ours: the marker says so, and nothing in it is an original
    elif unfinished.exists() and not marker.is_file() and any(unfinished.iterdir()):
        raise DatasetError(f"{unfinished}: is in the way; remove it")
    try:
        files.write_text(marker, name)
    except OSError as error:
        raise DatasetError(f"{target}: cannot be written: {error.strerror or error}") from error
    return unfinished


def _classes(source: Dataset, edited: Sequence[Edited]) -> tuple[str, ...]:
    used = {row.label for row, _ in edited if row.label is not None}
    return (*source.classes, *sorted(used - set(source.classes)))


def _write_picture(source: Path, crop: Edit | None, target: Path) -> None:
    if target.exists():
        return
    if crop is not None and crop.box is not None:
        pictures.crop_file(source, crop.box, target)
        return
    pictures.open_picture(source, at_least=32)  # a new dataset holds no broken pictures
    try:
        files.copy(source, target)
    except OSError as error:
        raise PictureError(source, f"cannot be copied: {error.strerror or error}") from error


def _new_row(row: Row, crop: Edit | None, as_boxes: bool) -> Row:
    """Give the row of the new dataset, its file name still the source's."""
    row = replace(row, source=row.source or row.file_name)
    if crop is None or crop.box is None:
        return row
    label = row.label or ""
    if as_boxes:
        return replace(row, objects=(Object(label, crop.box),), edits=(*row.edits, "box"))
    part = crop.box
    inside = [Object(o.label, _in_crop(o.box, part)) for o in row.objects]
    whole = Object(label, Box.whole(part.width, part.height))
    return replace(
        row,
        size=None,
        objects=(whole, *(o for o in inside if not o.box.is_degenerate)),
        source_box=part if row.source_box is None else part.shift(*row.source_box.xyxy()[:2]),
        edits=(*row.edits, "crop"),
    )


def _in_crop(box: Box, part: Box) -> Box:
    return box.shift(-part.left, -part.top).clip(part.width, part.height)
