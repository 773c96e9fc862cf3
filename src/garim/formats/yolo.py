"""YOLO (docs.ultralytics.com/datasets/detect): ``data.yaml``, ``images/``, ``labels/*.txt``.

A line of a label file is ``class cx cy width height``, shares of the upright picture's width and
height; a sixth number (a confidence) is passed over. Longer lines are polygons, or boxes with the
key points that ``kpt_shape`` announces; a polygon gives its bounds. A picture without a label
file, or with an empty one, is background. A folder without YAML is read, too, as labelImg and
Label Studio write it: ``classes.txt`` beside ``images/`` and ``labels/``, or in ``labels/``.

What the format cannot hold: a label that the picture's objects do not share, sizes, masks and
provenance. Rows without a split are written to ``images/all`` under a key ``all`` of its own.
Trainers want ``train`` and ``val``, so both are always there: ``train`` names ``images/all``, too,
and ``val``, where there is no such split, the test folder or else what ``train`` names. A folder
that several keys name belongs to the first.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from garim import files, pictures
from garim.boxes import Box
from garim.errors import Failure, FormatError, PictureError
from garim.formats import labels, placing
from garim.formats.rows import SPLITS, Contents, Object, Row
from garim.formats.tree import Finder, files_in, is_there, split_and_label, walk

DATA_FILE = "data.yaml"
IMAGES, LABELS = "images", "labels"

SUFFIXES = frozenset({".yaml", ".yml"})

_KEYS = {**SPLITS, "all": None}
_FOLDERS = {"train": "train", "validation": "val", "test": "test", None: "all"}


@dataclass(slots=True)
class _Reading:
    """What is being read, and what was left out."""

    file: Path
    """The YAML file, or ``classes.txt``."""
    root: Path
    classes: tuple[str, ...]
    pose_length: int
    """Numbers of a line with key points; 0 when there are none."""
    failures: list[Failure] = field(default_factory=list)


def detect(path: Path) -> bool:
    """Accept a ``.yaml`` file, a folder whose ``.yaml`` names classes and splits, or one without
    it whose ``classes.txt`` does."""
    if path.is_file():
        return path.suffix.lower() in SUFFIXES
    return _data_file(path) is not None or _classes_file(path) is not None


def _data_file(folder: Path) -> Path | None:
    for file in sorted(files_in(folder, SUFFIXES), key=lambda one: one.name != DATA_FILE):
        try:
            data = _loaded(file)
        except FormatError:
            continue
        if "names" in data and _KEYS.keys() & data.keys():
            return file
    return None


def _classes_file(folder: Path) -> Path | None:
    """Give the ``classes.txt`` of a folder that has pictures and their label files, but no YAML."""
    listed = [one / labels.CLASSES_FILE for one in (folder, folder / LABELS)]
    found = next((file for file in listed if file.is_file()), None)
    if found is None or not (folder / IMAGES).is_dir():
        return None
    described = (one for one in (folder / LABELS).rglob("*.txt") if one not in listed)
    return found if any(described) else None


def _loaded(file: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(labels.read_text(file))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise FormatError(f"{file}: is not YAML: {error}") from error
    if not isinstance(data, dict):
        raise FormatError(f"{file}: expected keys 'names', 'train' and 'val', found no mapping")
    return {str(key): value for key, value in data.items()}


def read(path: Path) -> tuple[Path, Contents]:
    """Read a YOLO dataset. The folders that the splits name lie under ``path`` of the YAML file.

    Raises:
        FormatError: neither a YAML file nor ``classes.txt``, no ``names``, or no split.
    """
    file = path if path.is_file() else _data_file(path)
    if file is None:
        reading = _without_yaml(path)
        keys: dict[str, str | None] = {IMAGES: None}  # whose own folders give the split
    else:
        data = _loaded(file)
        keys = _keys(file, data)
        classes = _classes(file, data.get("names"))
        reading = _Reading(file, _root(file, data), classes, _pose_length(data))
    rows: dict[str, Row] = {}
    for entry, key in keys.items():
        for name in _pictures(entry, reading):
            if name not in rows:
                split = _KEYS[key] if key else split_and_label(name)[0]
                objects = _objects(name, reading)
                label = labels.shared(objects)
                rows[name] = Row(file_name=name, split=split, label=label, objects=objects)
    return reading.root, Contents(
        rows=placing.in_order(rows.values()),
        classes=tuple(dict.fromkeys(reading.classes)),
        failures=tuple(reading.failures),
    )


def _without_yaml(folder: Path) -> _Reading:
    file = _classes_file(folder)
    if file is None:
        raise FormatError(
            f"{folder}: expected a {DATA_FILE} with 'names', 'train' and 'val', or "
            f"{labels.CLASSES_FILE} beside {IMAGES}/ and {LABELS}/*.txt"
        )
    return _Reading(file, folder, _classes(file, labels.read_text(file).rstrip().splitlines()), 0)


def _keys(file: Path, data: dict[str, Any]) -> dict[str, str | None]:
    """Give each folder or list of pictures with the first key that names it."""
    keys: dict[str, str | None] = {}
    for key in (one for one in data if one in _KEYS and data[one]):
        for entry in data[key] if isinstance(data[key], list) else [data[key]]:
            keys.setdefault(str(entry), key)
    if not keys:
        raise FormatError(f"{file}: names no split; expected 'train', 'val' or 'test'")
    return keys


def _root(file: Path, data: dict[str, Any]) -> Path:
    """Resolve ``path`` as Ultralytics does; where it leads nowhere, as in moved datasets, to the
    YAML file's own folder."""
    root = file.parent
    if data.get("path"):
        with suppress(RuntimeError):  # ~ of somebody whom this machine does not know
            root = _plain(file.parent / Path(str(data["path"])).expanduser())
    return root if is_there(root, Path.is_dir) else file.parent


def _plain(path: Path) -> Path:
    """Resolve ``..`` by name alone: a linked folder of pictures counts as inside."""
    return Path(os.path.normpath(path.absolute()))


def _classes(file: Path, names: object) -> tuple[str, ...]:
    if isinstance(names, dict) and all(str(key).isdecimal() for key in names):
        numbered = {int(str(key)): name for key, name in names.items()}
        names = [numbered.get(i, f"class {i}") for i in range(max(numbered, default=-1) + 1)]
    if not isinstance(names, list):
        raise FormatError(f"{file}: expected 'names' to be a list of class names, or 0: name …")
    return tuple(labels.clean(name) or f"class {index}" for index, name in enumerate(names))


def _pose_length(data: dict[str, Any]) -> int:
    shape = data.get("kpt_shape")
    if isinstance(shape, list) and len(shape) == 2 and all(isinstance(n, int) for n in shape):
        return 5 + int(shape[0]) * int(shape[1])
    return 0


def _pictures(entry: str, reading: _Reading) -> Iterable[str]:
    """List the pictures of a folder, or of a text file of names, relative to the root."""
    # Roboflow writes ../train/images beside train/, and Ultralytics reads it so too.
    root = _plain(reading.root)
    choices = [_plain(root / entry), _plain(root / entry.removeprefix("../"))]
    place = next((one for one in choices if is_there(one)), None)
    if place is None:
        reading.failures.append(Failure(entry, f"listed in {reading.file.name} but not on disk"))
        return []
    if not place.is_relative_to(root):
        reading.failures.append(Failure(entry, f"leads outside {reading.root}"))
        return []
    if place.is_file():
        return _listed(place, place.relative_to(root).parent.as_posix(), reading)
    tree = walk(place)
    reading.failures += tree.failures
    inside = PurePosixPath(place.relative_to(root).as_posix())
    return [(inside / name).as_posix() for name in tree.pictures]


def _listed(file: Path, folder: str, reading: _Reading) -> list[str]:
    finder, found = Finder(reading.root), []
    for number, line in enumerate(labels.read_text(file).splitlines(), start=1):
        if line.strip():
            name = finder.find(line.strip(), f"{file.name}:{number}", (folder, ""))
            found.append(name) if isinstance(name, str) else reading.failures.append(name)
    return found


def _objects(name: str, reading: _Reading) -> tuple[Object, ...]:
    file = label_file(name)
    if not (reading.root / file).is_file():
        return ()
    try:
        lines = labels.read_text(reading.root / file).splitlines()
        filled = [(i, line.split()) for i, line in enumerate(lines, start=1) if line.strip()]
        size = pictures.header(reading.root / name) if filled else None
    except (FormatError, PictureError) as error:
        reason = error.reason if isinstance(error, PictureError) else str(error)
        reading.failures.append(Failure(name, f"its boxes cannot be read: {reason}"))
        return ()
    found: list[Object] = []
    for number, words in filled:
        try:
            found.append(_object(words, reading, (size.width, size.height) if size else (0, 0)))
        except ValueError as error:
            reading.failures.append(Failure(f"{file}:{number}", str(error)))
    return tuple(found)


def label_file(name: str) -> str:
    """Give the label file of a picture: the last folder ``images`` becomes ``labels``.

    >>> label_file("images/train/a.b.jpg")
    'labels/train/a.b.txt'
    """
    path = PurePosixPath(name).with_suffix(".txt")
    parts = list(path.parts)
    places = [index for index, part in enumerate(parts[:-1]) if part == IMAGES]
    if places:
        parts[places[-1]] = LABELS
    return "/".join(parts)


def _object(words: Sequence[str], reading: _Reading, size: tuple[int, int]) -> Object:
    try:
        numbers = [float(word) for word in words]
    except ValueError as error:
        raise ValueError(f"expected numbers, found {' '.join(words)!r}") from error
    if len(numbers) < 5 or not all(map(math.isfinite, numbers)):
        raise ValueError(f"expected 'class cx cy width height', found {' '.join(words)!r}")
    index = int(numbers[0])
    if index != numbers[0] or not 0 <= index < len(reading.classes):
        raise ValueError(f"class {words[0]} is not one of 0 to {len(reading.classes) - 1}")
    if len(numbers) <= 6 or len(numbers) == reading.pose_length:
        box = _box_from_shares(numbers[1:5], size)
    else:
        points = numbers[1:] if len(numbers) % 2 else numbers[1:-1]
        box = _bounds(points[::2], points[1::2], size)
    return Object(reading.classes[index], box)


def _box_from_shares(shares: Sequence[float], size: tuple[int, int]) -> Box:
    cx, cy, width, height = shares
    left, top = (cx - width / 2) * size[0], (cy - height / 2) * size[1]
    return Box(left, top, left + width * size[0], top + height * size[1])


def _bounds(xs: Sequence[float], ys: Sequence[float], size: tuple[int, int]) -> Box:
    return Box(min(xs) * size[0], min(ys) * size[1], max(xs) * size[0], max(ys) * size[1])


def write(contents: Contents, root: Path, target: Path) -> None:
    """Write ``data.yaml``, ``images/<train|val|test|all>/<file>`` and a label file for each.

    Raises:
        FormatError: a split other than train, validation and test, or a picture with boxes that
            cannot be opened and whose size is not known.
        DatasetError: a picture cannot be copied.
    """
    placing.check_splits(contents.rows, "yolo")
    merged = [row for row, _ in placing.pictures_of(placing.in_order(contents.rows))]
    names = placing.place(merged, _target_of, by_stem=True)
    classes = labels.complete(contents)
    index = {name: number for number, name in enumerate(classes)}
    for row, name in zip(merged, names, strict=True):
        placing.copy(root, row.file_name, target / name)
        size = _size(row, target / name) if row.objects else (1, 1)
        lines = [_line(index[one.label], one.box, size) for one in row.objects]
        files.write_text(target / label_file(name), "".join(lines))
    listed = _listing({_FOLDERS[row.split] for row in merged} or {_FOLDERS[None]})
    data = {**listed, "nc": len(classes), "names": list(classes)}
    files.write_text(target / DATA_FILE, yaml.safe_dump(data, allow_unicode=True, sort_keys=False))


def _listing(found: set[str]) -> dict[str, str | list[str]]:
    """Name the folders that were written, each first under its own key, and what trainers want."""
    own: dict[str, str] = {
        key: f"{IMAGES}/{key}" for key in ("all", "train", "val", "test") if key in found
    }
    train = [own[key] for key in ("train", "all") if key in own] or [own.get("val") or own["test"]]
    val = own.get("val") or own.get("test") or train[0]
    return {**own, "train": train if len(train) > 1 else train[0], "val": val}


def _target_of(row: Row) -> str:
    return f"{IMAGES}/{_FOLDERS[row.split]}/{placing.file_part(row)}"


def _size(row: Row, path: Path) -> tuple[int, int]:
    try:
        header = pictures.header(path)
    except PictureError as error:
        if row.size:
            return row.size
        reason = f"{error.reason}, so its boxes cannot be written as shares of its size"
        raise FormatError(f"{row.file_name}: {reason}; drop it first, or write coco") from error
    return header.width, header.height


def _line(index: int, box: Box, size: tuple[int, int]) -> str:
    shares = (
        (box.left + box.right) / 2 / size[0],
        (box.top + box.bottom) / 2 / size[1],
        box.width / size[0],
        box.height / size[1],
    )
    return f"{index} {' '.join(map(repr, shares))}\n"
