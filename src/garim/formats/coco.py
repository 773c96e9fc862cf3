"""COCO object detection (cocodataset.org/#format-data): boxes ``[x, y, width, height]`` in pixels.

Read from a ``.json`` file, or from a folder with ``annotations/*.json`` (of several kinds only
``instances_*``) or with Roboflow's ``<split>/_annotations.coco.json``. The classes are in the
order of the category ids. Crowd regions (``iscrowd``) are left out, and as the standard has them in
many pictures, none is named. Pictures that no file lists are not read.

Written entries of pictures have three keys more than the standard where they are needed:
``label`` (the picture's own label or labels, where they are not the one that all its objects
share), and ``source``, ``source_box``, ``edits``. Objects keep their outlines; masks in files of
their own are not held.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from garim import files
from garim.boxes import Box
from garim.errors import Failure, FormatError
from garim.formats import labels, placing
from garim.formats.rows import SPLITS, Contents, Object, Row
from garim.formats.tree import Finder, files_in, folders_in, split_and_label

ROBOFLOW = "_annotations.coco.json"

Entry = dict[str, Any]


def detect(path: Path) -> bool:
    """Accept a ``.json`` file, or a folder with COCO files where the standard puts them."""
    return path.suffix.lower() == ".json" if path.is_file() else bool(_files_in(path))


def _files_in(folder: Path) -> list[Path]:
    folders = folders_in(folder)
    named = [f / ROBOFLOW for f in (folder, *folders) if (f / ROBOFLOW).is_file()]
    if named:
        return named
    for place in (*(f for f in folders if f.name.lower() == "annotations"), folder):
        found = files_in(place, {".json"})
        instances = [one for one in found if one.name.startswith("instances_")]
        chosen = instances or [one for one in found if _looks_like_coco(one)]
        if chosen:
            return chosen
    return []


def _looks_like_coco(file: Path) -> bool:
    try:
        _loaded(file)
    except FormatError:
        return False
    return True


def _loaded(file: Path) -> dict[str, list[Entry]]:
    try:
        data = json.loads(labels.read_text(file))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{file}: is not JSON: {error}") from error
    found = data if isinstance(data, dict) else {}
    missing = [k for k in ("images", "annotations", "categories") if not _entries(found.get(k))]
    if missing:
        raise FormatError(f"{file}: expected COCO, but it has no list of {', '.join(missing)}")
    return found


def _entries(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


@dataclass(slots=True)
class _Reading:
    """What has been read so far, over all files."""

    root: Path
    finder: Finder
    rows: list[Row] = field(default_factory=list)
    classes: dict[str, None] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


def read(path: Path) -> tuple[Path, Contents]:
    """Read COCO files. Pictures are looked for beside the file, and in ``images``, the split's
    folder, and ``data``.

    Raises:
        FormatError: no COCO file there, or one is not JSON or lacks a list.
    """
    listed = [path] if path.is_file() else _files_in(path)
    if not listed:
        raise FormatError(f"{path}: expected annotations/*.json or a .json file in COCO's form")
    root = path
    if path.is_file():
        root = path.parent.parent if path.parent.name.lower() == "annotations" else path.parent
    reading = _Reading(root, Finder(root))
    for file in listed:
        _read_file(file, reading)
    return root, Contents(
        rows=placing.in_order(reading.rows),
        classes=tuple(reading.classes),
        failures=tuple(reading.failures),
    )


def _read_file(file: Path, reading: _Reading) -> None:
    data = _loaded(file)
    categories = _categories(data["categories"], file)
    reading.classes |= dict.fromkeys(categories.values())
    objects = _objects_by_picture(data, categories, file, reading)
    part, split = _part_of(file)
    here = file.parent.relative_to(reading.root).as_posix()
    folders = (f"images/{part}", part, here, "", "images", "data")
    for image in data["images"]:
        name = reading.finder.find(str(image.get("file_name", "")), file.name, folders)
        if isinstance(name, Failure):
            reading.failures.append(name)
            continue
        try:
            row = _row(image, name, tuple(objects.get(_id(image.get("id")), ())))
        except (ValueError, TypeError, ArithmeticError) as error:
            reading.failures.append(Failure(name, f"its entry in {file.name} is broken: {error}"))
            continue
        row = replace(row, split=split or split_and_label(name)[0])
        reading.rows += [replace(row, label=label) for label in _labels(image, row.objects)]


def _id(value: object) -> str:
    """Give an id in its one spelling: tools write 1, 1.0 and "1" for the same."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def _categories(listed: list[Entry], file: Path) -> dict[str, str]:
    try:
        return {
            _id(one["id"]): labels.clean(one["name"]) or str(one["id"])
            for one in sorted(listed, key=lambda one: int(one["id"]))
        }
    except (KeyError, ValueError, TypeError, ArithmeticError) as error:
        raise FormatError(f"{file}: a category needs an 'id' and a 'name': {error!r}") from error


def _objects_by_picture(
    data: dict[str, list[Entry]], categories: dict[str, str], file: Path, reading: _Reading
) -> dict[str, list[Object]]:
    known = {_id(image.get("id")) for image in data["images"]}
    objects: dict[str, list[Object]] = defaultdict(list)
    for index, one in enumerate(data["annotations"]):
        if one.get("iscrowd"):
            continue
        try:
            if _id(one["image_id"]) not in known:
                raise ValueError(f"no image has the id {one['image_id']}")
            if _id(one["category_id"]) not in categories:
                raise ValueError(f"no category has the id {one['category_id']}")
            x, y, width, height = one["bbox"]
            box = Box.from_xywh((x, y, width, height))
            label, outline = categories[_id(one["category_id"])], one.get("segmentation")
            text = json.dumps(outline, sort_keys=True) if outline else None
            objects[_id(one["image_id"])].append(Object(label, box, text))
        except (KeyError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            missing = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            place = f"{file.name}: annotation {one.get('id', f'number {index + 1}')}"
            reading.failures.append(Failure(place, missing))
    return objects


def _part_of(file: Path) -> tuple[str, str | None]:
    """Give the part of the dataset that a file is about, as it is spelled, and as a split."""
    if file.name == ROBOFLOW:
        return file.parent.name, SPLITS.get(file.parent.name.lower())
    part = file.stem.removeprefix("instances_")
    split = SPLITS.get(part.lower().rstrip("0123456789").rstrip("_-"))
    return part, split or SPLITS.get(file.parent.name.lower())


def _row(image: Entry, name: str, objects: tuple[Object, ...]) -> Row:
    width, height = int(image.get("width") or 0), int(image.get("height") or 0)
    source_box = image.get("source_box")
    return Row(
        file_name=name,
        size=(width, height) if width > 0 and height > 0 else None,
        objects=objects,
        source=labels.text(image.get("source")),
        source_box=Box.from_xywh(source_box) if source_box else None,
        edits=tuple(str(edit) for edit in image.get("edits") or ()),
    )


def _labels(image: Entry, objects: tuple[Object, ...]) -> list[str | None]:
    if "label" not in image:
        return [labels.shared(objects)]
    held = image["label"]
    return [labels.clean(one) for one in (held if isinstance(held, list) else [held])]


def write(contents: Contents, root: Path, target: Path) -> None:
    """Write ``annotations/instances_<split|all>.json`` and ``images/<split|all>/<file>``.

    Ids start at 1 and are unique over all files; all classes are listed, used or not. The size
    of a picture that cannot be opened is the row's, or 0 × 0.

    Raises:
        FormatError: a split other than train, validation and test.
        DatasetError: a picture cannot be copied.
    """
    placing.check_splits(contents.rows, "coco")
    merged = placing.pictures_of(placing.in_order(contents.rows))
    names = placing.place([row for row, _ in merged], _target_of)
    classes = labels.complete(contents)
    ids = {name: number for number, name in enumerate(classes, start=1)}
    parts: dict[str, dict[str, list[Entry]]] = {}
    numbers = count(1)
    for number, ((row, held), name) in enumerate(zip(merged, names, strict=True), start=1):
        placing.copy(root, row.file_name, target / name)
        part = parts.setdefault(row.split or "all", {"images": [], "annotations": []})
        part["images"].append(_image(number, row, held, Path(name).name, target / name))
        part["annotations"] += _annotations(number, row, ids, numbers)
    categories = [{"id": ids[name], "name": name} for name in classes]
    for split, part in (parts or {"all": {"images": [], "annotations": []}}).items():
        text = json.dumps({**part, "categories": categories}, ensure_ascii=False)
        files.write_text(target / "annotations" / f"instances_{split}.json", text + "\n")


def _target_of(row: Row) -> str:
    return f"images/{row.split or 'all'}/{placing.file_part(row)}"


def _image(number: int, row: Row, held: tuple[str | None, ...], name: str, path: Path) -> Entry:
    width, height = placing.size_of(row, path)
    entry: Entry = {"id": number, "file_name": name, "width": width, "height": height}
    if held != (labels.shared(row.objects),):
        entry["label"] = held[0] if len(held) == 1 else list(held)
    if row.source:
        entry["source"] = row.source
    if row.source_box:
        entry["source_box"] = row.source_box.xywh()
    if row.edits:
        entry["edits"] = list(row.edits)
    return entry


def _annotations(
    picture: int, row: Row, ids: dict[str, int], numbers: Iterator[int]
) -> Iterator[Entry]:
    for one in row.objects:
        yield {
            "id": next(numbers),
            "image_id": picture,
            "category_id": ids[one.label],
            "bbox": one.box.xywh(),
            "area": round(one.box.area, 4),
            "iscrowd": 0,
            "segmentation": json.loads(one.outline) if one.outline else [],
        }
