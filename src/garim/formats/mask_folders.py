"""Masks in a folder beside the pictures, paired by the files' stems.

``images/`` with ``masks/`` (or ``JPEGImages/`` with ``SegmentationClass/``), in the root or in each
split's folder, and CamVid's ``train/`` with ``trainannot/``. Where a folder holds one picture and
several masks, as in the Data Science Bowl 2018 (``<id>/images/<id>.png``, ``<id>/masks/*.png``),
they are its objects, one each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from garim import files
from garim.errors import Failure
from garim.formats.rows import Row
from garim.formats.tree import split_and_label

PICTURES = frozenset({"images", "image", "imgs", "jpegimages", "photos"})
"""Names of folders of pictures, in lower case."""

MASKS = frozenset({"masks", "mask", "annots", "annotations", "labels", "segmentationclass"})
"""Names of folders of masks beside them."""

CAMVID = "annot"
"""What CamVid adds to the name of a folder of pictures."""


@dataclass(frozen=True, slots=True)
class Paired:
    """Pictures with their masks; no rows where nothing is laid out so."""

    rows: tuple[Row, ...] = ()
    failures: tuple[Failure, ...] = ()


def pair(names: Sequence[str]) -> Paired:
    """Find pictures and masks among files, and pair them.

    Args:
        names: all picture files of a dataset, relative to its root.
    """
    by_folder: dict[PurePosixPath, list[str]] = defaultdict(list)
    for name in names:
        by_folder[PurePosixPath(name).parent].append(name)
    beside = {one: found for one in by_folder if (found := _masks_of(one, by_folder)) is not None}
    rows: list[Row] = []
    failures: list[Failure] = []
    for folder, mask_folder in beside.items():
        pictures, masks = by_folder[folder], by_folder[mask_folder]
        if len(pictures) == 1 and _stem(pictures[0]) not in map(_stem, masks):
            rows.append(_row(pictures[0], instances=tuple(masks)))
            continue
        mask_of = {_stem(name): name for name in masks}
        rows += [_row(name, mask_of.pop(_stem(name), None)) for name in pictures]
        failures += [Failure(m, f"a mask without a picture in {folder}") for m in mask_of.values()]
    return Paired(tuple(sorted(rows, key=lambda row: row.file_name)), tuple(failures))


def _masks_of(
    folder: PurePosixPath, folders: dict[PurePosixPath, list[str]]
) -> PurePosixPath | None:
    """Give the folder of masks that belongs to a folder of pictures."""
    for other in folders:
        if other.parent != folder.parent or other == folder:
            continue
        named = folder.name.lower() in PICTURES and other.name.lower() in MASKS
        if named or other.name.lower() == folder.name.lower() + CAMVID:
            return other
    return None


def _row(name: str, mask: str | None = None, instances: tuple[str, ...] = ()) -> Row:
    split = split_and_label(name)[0]
    return Row(file_name=name, split=split, mask_file_name=mask, instance_mask_names=instances)


def _stem(name: str) -> str:
    return files.nfc(PurePosixPath(name).stem)
