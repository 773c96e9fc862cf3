"""Write an edited dataset to a new folder, so that a kill at any moment can be continued."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import replace
from pathlib import Path

from garim import files, pictures
from garim.boxes import Box
from garim.dataset import Dataset
from garim.errors import DiskError, Failure, PictureError
from garim.formats import huggingface, placing
from garim.formats.rows import Contents, Object, Row
from garim.growing import growing
from garim.plan.edits import Edit
from garim.plan.enlarging import SmallCrops
from garim.plan.journal import CHANGED

Edited = tuple[Row, tuple[Edit, ...]]
"""A row of the new dataset, and the crop that makes its picture, if any (several as boxes)."""


def write_edited(
    edited: Sequence[Edited],
    source: Dataset,
    target: Path,
    name: str,
    *,
    as_boxes: bool,
    small: SmallCrops | None = None,
) -> tuple[int, list[Failure]]:
    """Write rows, cut where an edit says so, as a Hugging Face ImageFolder.

    Args:
        edited: rows with the file names of the source.
        source: where the pictures are.
        target: new or empty folder.
        name: digest of the plan and settings; what is unfinished of another, or of pictures that
            have changed, is begun again.
        as_boxes: keep the pictures whole and write the boxes as objects.
        small: enlarges small crops.

    Returns:
        How many pictures were written, and those that could not be.

    Raises:
        DatasetError: the target is not empty, holds something else unfinished, or the disk refuses.
    """
    failures: list[Failure] = []
    crops: dict[Row, Box | None] = {}
    digests: dict[str, set[str]] = defaultdict(set)
    found = _labels_found(edited) if as_boxes else {}
    for row, chosen in edited:
        digests[row.file_name] |= {edit.digest for edit in chosen if edit.digest}
        try:
            crops |= (
                _boxed(row, chosen, found.get(row.file_name, set()))
                if as_boxes
                else _cropped(row, chosen, source, small)
            )
        except PictureError as error:
            failures.append(Failure(row.file_name, error.reason))
    if as_boxes:  # one picture with all its boxes, however many rows it was searched under
        crops = dict.fromkeys(row for row, _ in placing.pictures_of(crops))

    def put(row: Row, path: Path) -> bool:
        try:
            _write_picture(source.path(row), crops[row], path, small)
            _check_unchanged(source.path(row), digests[row.file_name], path)
        except PictureError as error:
            failures.append(Failure(row.file_name, error.reason))
            return False
        return True

    known = len(failures)
    name = files.digest_of([name, _state(source, crops)])
    with growing(target, name, "apply the plan again to go on") as folder:
        contents = Contents(rows=tuple(crops), classes=_classes(source, edited))
        huggingface.write(contents, source.root, folder, put)
    count = len(crops) - (len(failures) - known)
    return count, sorted(failures, key=lambda failure: failure.picture)


def _state(source: Dataset, crops: dict[Row, Box | None]) -> list[object]:
    """Give all that decides the result: rows and crops in their order, and the pictures' times."""
    times = []
    for name in dict.fromkeys(row.file_name for row in crops):
        try:
            status = (source.root / name).stat()
            times.append((status.st_size, status.st_mtime_ns))
        except OSError:
            times.append((-1, -1))
    return [str(source.root.resolve()), [(repr(r), repr(box)) for r, box in crops.items()], times]


def _classes(source: Dataset, edited: Sequence[Edited]) -> tuple[str, ...]:
    used = {row.label for row, _ in edited if row.label is not None}
    return (*source.classes, *sorted(used - set(source.classes)))


def _check_unchanged(source: Path, digests: set[str], made: Path) -> None:
    """Take back what was made of a picture that was changed while the plan was carried out."""
    try:
        changed = bool(digests) and digests != {files.digest(source)}
    except OSError:
        changed = True
    if changed:
        made.unlink()
        raise PictureError(source, CHANGED)


def _write_picture(source: Path, box: Box | None, target: Path, small: SmallCrops | None) -> None:
    if target.exists():
        return
    if box is not None:
        change = None if small is None else small.change(box)
        pictures.crop_file(source, box, target, change=change)
        return
    pictures.open_picture(source, at_least=32)  # a new dataset holds no broken pictures
    try:
        files.copy(source, target)
    except DiskError:
        raise
    except OSError as error:
        raise PictureError(source, f"cannot be copied: {error.strerror or error}") from error


def _labels_found(edited: Sequence[Edited]) -> dict[str, set[str]]:
    """Give the labels that each picture has proposed boxes of."""
    found: dict[str, set[str]] = defaultdict(set)
    for row, chosen in edited:
        if row.label is not None and any(edit.box is not None for edit in chosen):
            found[row.file_name].add(row.label)
    return found


def _boxed(row: Row, chosen: Sequence[Edit], found: Set[str]) -> dict[Row, Box | None]:
    """Give the row with the proposed boxes, its picture whole.

    They stand in place of boxes of the labels that were found in the picture; others stay.
    """
    new = replace(row, source=row.source or row.file_name)
    boxes = [edit.box for edit in chosen if edit.box is not None]
    if boxes and row.label is None:
        raise PictureError(row.file_name, "has no label for its box")
    objects = [Object(row.label or "", box) for box in boxes]
    objects += [one for one in row.objects if one.label not in found]
    new = replace(new, objects=tuple(objects))
    if boxes:
        new = replace(new, edits=(*row.edits, "box"))
    return {new: None}


def _cropped(
    row: Row, chosen: Sequence[Edit], source: Dataset, small: SmallCrops | None
) -> dict[Row, Box | None]:
    """Give the row of the part that is cut out, and the part in whole pixels."""
    new = replace(row, source=row.source or row.file_name)
    if not chosen or chosen[0].box is None:
        return {new: None}
    part = chosen[0].box.rounded().clip(*_size(chosen[0], source.path(row)))
    objects = [Object(one.label, _in_crop(one.box, part)) for one in row.objects]
    if row.label is not None:
        objects.insert(0, Object(row.label, Box.whole(part.width, part.height)))
    scale = 1 if small is None else small.scale(part)
    new = replace(
        new,
        size=None,
        objects=tuple(
            replace(one, box=one.box.scale(scale, scale))
            for one in objects
            if not one.box.is_degenerate
        ),
        mask_file_name=None,  # a mask of the whole picture does not fit its part
        source_box=part if row.source_box is None else part.shift(*row.source_box.xyxy()[:2]),
        edits=(*row.edits, "crop") if scale == 1 else (*row.edits, "crop", f"enlarge {scale}"),
    )
    return {new: part}


def _size(crop: Edit, path: Path) -> tuple[int, int]:
    if crop.size is not None:
        return crop.size
    header = pictures.header(path)
    return header.width, header.height


def _in_crop(box: Box, part: Box) -> Box:
    return box.shift(-part.left, -part.top).clip(part.width, part.height)
