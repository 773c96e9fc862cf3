"""What every format reads and writes: plain rows, one per picture (and label)."""

from __future__ import annotations

from dataclasses import dataclass, field

from garim.boxes import Box
from garim.errors import Failure

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""Folder names that mean a split, in lower case, and the split they mean."""


@dataclass(frozen=True, slots=True)
class Object:
    """One labelled box in a picture."""

    label: str
    box: Box
    outline: str | None = None
    """COCO's ``segmentation`` as JSON: polygons, or run lengths; held by COCO alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One picture, or one label of a picture that holds several.

    ``file_name`` is relative to the dataset's root, with ``/`` between folders, spelled as on the
    disk. ``source`` and ``source_box`` say which picture, and which part of it in that picture's
    pixels, this one was cut from; ``edits`` names what was done to it.
    """

    file_name: str
    label: str | None = None
    split: str | None = None
    size: tuple[int, int] | None = None
    """Width and height of the upright picture in pixels, where the format states them."""
    objects: tuple[Object, ...] = ()
    mask_file_name: str | None = None
    instance_mask_names: tuple[str, ...] = ()
    """Masks of single objects, white where the object is; read, but held by no written format."""
    source: str | None = None
    source_box: Box | None = None
    edits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a format found: rows in a stable order, classes in theirs, and what was left out."""

    rows: tuple[Row, ...]
    classes: tuple[str, ...]
    failures: tuple[Failure, ...] = field(default=())
    strays: tuple[str, ...] = field(default=())
    """Files that are no pictures, relative to the root; reported, never opened."""
    empty: tuple[str, ...] = ()
    """Folders in which there is nothing, relative to the root: classes without pictures."""
