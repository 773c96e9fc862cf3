"""Dataset formats: one file each, a line in ``FORMATS`` each.

A format turns what is on the disk into plain rows and back; it knows no ``Dataset``. To add one,
write its file with ``detect``, ``read`` and ``write`` and add its line below: one contract test
runs them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path

from garim import remote
from garim.errors import Failure, FormatError
from garim.formats import (
    archive,
    coco,
    csv_table,
    cvat,
    folder,
    huggingface,
    label_studio,
    voc,
    webdataset,
    yolo,
)
from garim.formats.labels import CLASSES_FILE
from garim.formats.rows import SPLITS, Contents
from garim.formats.tree import files_in, folders_in
from garim.pictures import SUFFIXES

__all__ = ["FORMATS", "Format", "detect", "is_there", "read", "write"]


@dataclass(frozen=True, slots=True)
class Format:
    """One way of keeping a dataset on the disk."""

    name: str
    detect: Callable[[Path], bool]
    """Tells from the outside whether a file or folder is in this format."""
    read: Callable[[Path], tuple[Path, Contents]]
    """Gives the root folder and what is in it; raises ``FormatError``."""
    write: Callable[[Contents, Path, Path], None]
    """Takes contents, their root, and the target folder; raises ``DatasetError``."""


FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        Format("csv", csv_table.detect, csv_table.read, csv_table.write),
        Format("labelstudio", label_studio.detect, label_studio.read, label_studio.write),
        Format("cvat", cvat.detect, cvat.read, cvat.write),
        Format("coco", coco.detect, coco.read, coco.write),
        Format("yolo", yolo.detect, yolo.read, yolo.write),
        Format("voc", voc.detect, voc.read, voc.write),
        Format("huggingface", huggingface.detect, huggingface.read, huggingface.write),
        Format("webdataset", webdataset.detect, webdataset.read, webdataset.write),
        Format("folder", folder.detect, folder.read, folder.write),
    )
}
"""Formats in the order in which they are tried; the last takes any folder."""

MAX_WRAPPERS = 3
"""How many folders that hold one folder only are entered in search of a dataset."""


def is_there(path: Path) -> bool:
    """Tell whether there is anything to read: a file, a folder, an address or a row of shards."""
    named = remote.address_of(path) is not None
    return named or path.exists() or bool(webdataset.shards(path))


def detect(path: Path) -> Format:
    """Find the format of a file, a folder or what is in a zip archive.

    Raises:
        FormatError: it is in none.
    """
    return _located(_unwrapped(path)[0])[0]


def read(path: Path, format: str | None = None) -> tuple[Path, Contents]:
    """Read a dataset in a format, by default the one that fits.

    Returns:
        The folder that file names are relative to (of a zip archive, where it was unpacked), and
        the contents.

    Raises:
        FormatError: an unknown format, none that fits, or a file that is broken as a whole.
    """
    chosen = _named(format) if format is not None else None
    start, failures = _unwrapped(path)
    found, place = _located(start, chosen)
    root, contents = found.read(place)
    if start != path and not root.resolve().is_relative_to(start.resolve()):
        raise FormatError(
            f"{path}: what is inside names pictures outside the archive, or lies in an archive of "
            "its own; unpack it first"
        )
    return root, replace(contents, failures=(*failures, *contents.failures))


def write(contents: Contents, root: Path, target: Path, format: str) -> None:
    """Write contents, whose pictures are under ``root``, to a folder; pictures are copied.

    Raises:
        FormatError: an unknown format, or something that this format cannot hold.
        DatasetError: a picture cannot be copied.
    """
    chosen = _named(format)
    target.mkdir(parents=True, exist_ok=True)
    chosen.write(contents, root, target)


def check_name(name: str) -> None:
    """Refuse a name that is no format's, before anything is done.

    Raises:
        FormatError: with the names that there are.
    """
    _named(name)


def _named(name: str) -> Format:
    found = FORMATS.get(name.lower())
    if found is None:
        near = get_close_matches(name.lower(), FORMATS, n=3)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        known = ", ".join(FORMATS)
        raise FormatError(f"{name!r} is no format; {hint}the formats are {known}")
    return found


def _unwrapped(path: Path) -> tuple[Path, tuple[Failure, ...]]:
    address = remote.address_of(path)
    place, failures = remote.mirror(address) if address else (path, ())
    if not archive.is_archive(place):
        return place, failures
    root, more = archive.unpack(place)
    return root, (*failures, *more)


def _located(path: Path, chosen: Format | None = None) -> tuple[Format, Path]:
    """Find a format's place: the path itself, or a folder in it that is the only one there."""
    *tried, fallback = FORMATS.values()
    wanted: Sequence[Format] = [chosen] if chosen else tried
    places = list(_wrapped(path))
    for here in places:
        for one in wanted:
            if one is not fallback and one.detect(here):
                return one, here
    if chosen in (None, fallback) and fallback.detect(path):
        return fallback, _class_folders(places)
    if chosen:
        return chosen, path
    raise FormatError(
        f"{path}: in no format that Garim reads; give a folder, a .zip, a .csv, COCO's .json or "
        "YOLO's .yaml"
    )


def _class_folders(places: Sequence[Path]) -> Path:
    """Give where class folders begin: in the first place, for the only folder may be a class,
    unless ``classes.txt`` tells that it is a later one."""
    for outer, inner in pairwise(places):
        if _has_order(outer) or inner.name.lower() in SPLITS or files_in(outer, SUFFIXES):
            break
        if _has_order(inner):
            return inner
    return places[0]


def _has_order(folder: Path) -> bool:
    return (folder / CLASSES_FILE).is_file()


def _wrapped(path: Path) -> Iterator[Path]:
    """Give a path, and the folders that are the only ones in the one before."""
    for _ in range(MAX_WRAPPERS):
        yield path
        inside = folders_in(path)
        if len(inside) != 1:
            return
        path = inside[0]
