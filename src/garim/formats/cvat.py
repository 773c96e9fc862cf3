"""CVAT for images 1.1 (docs.cvat.ai/docs/dataset_management/formats/format-cvat): one XML file.

``annotations.xml`` beside ``images/``, as CVAT exports and takes. A ``<tag>`` is the picture's
label, a ``<box>`` an object; of a turned box and of a ``<polygon>`` the upright box around it is
read. Other shapes are listed as left out. ``subset``, which CVAT writes for projects, is the split.

What the format cannot hold: masks, provenance, and that a picture whose objects share a label has
none itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from garim import files
from garim.boxes import Box
from garim.errors import Failure, FormatError
from garim.formats import labels, markup, placing
from garim.formats.rows import SPLITS, Contents, Object, Row
from garim.formats.tree import Finder, split_and_label

FILE = "annotations.xml"
_SIDES = ("xtl", "ytl", "xbr", "ybr")
_PEEKED = 4096


def detect(path: Path) -> bool:
    """Accept CVAT's XML file, or a folder with it."""
    file = path if path.is_file() else path / FILE
    try:
        with file.open("rb") as stream:
            return file.suffix.lower() == ".xml" and b"<annotations" in stream.read(_PEEKED)
    except OSError:
        return False


def read(path: Path) -> tuple[Path, Contents]:
    """Read CVAT's XML; pictures are looked for in ``images`` and beside the file.

    Raises:
        FormatError: there is no such file, or it is broken as a whole.
    """
    file = path if path.is_file() else path / FILE
    if not detect(file):
        raise FormatError(f"{path}: expected {FILE} as CVAT for images 1.1 has it")
    tree, finder = markup.parsed(file), Finder(file.parent)
    rows, failures = list[Row](), list[Failure]()
    for image in tree.findall("image"):
        split = image.get("subset") or ""
        folders = ("images", f"images/{split}", "", split)
        name = finder.find(image.get("name", ""), file.name, folders)
        if isinstance(name, Failure):
            failures.append(name)
        else:
            rows += _rows(image, name, failures)
    listed = [labels.clean(one.text) for one in tree.iterfind("meta//labels/label/name")]
    classes = list(dict.fromkeys(one for one in listed if one))
    classes += sorted(labels.in_rows(rows) - set(classes))
    return file.parent, Contents(
        rows=placing.in_order(rows), classes=tuple(classes), failures=tuple(failures)
    )


def _rows(image: ElementTree.Element, name: str, failures: list[Failure]) -> list[Row]:
    objects = tuple(_objects(image, name, failures))
    tags = [labels.clean(tag.get("label")) for tag in image.findall("tag")]
    split = (image.get("subset") or "").lower()
    known = SPLITS.get(split) or split_and_label(name)[0]
    return [
        Row(file_name=name, label=label, split=known, objects=objects)
        for label in dict.fromkeys(tag for tag in tags if tag) or [labels.shared(objects)]
    ]


def _objects(image: ElementTree.Element, name: str, failures: list[Failure]) -> Iterator[Object]:
    for number, shape in enumerate(image, start=1):
        if shape.tag == "tag":
            continue
        try:
            label = labels.clean(shape.get("label"))
            if label is None:
                raise ValueError("it has no label")
            yield Object(label, _box(shape))
        except ValueError as error:
            failures.append(Failure(f"{name}: shape {number} ({shape.tag})", str(error)))


def _box(shape: ElementTree.Element) -> Box:
    if shape.tag == "polygon":
        points = [point.split(",") for point in shape.get("points", "").split(";")]
        xs, ys = zip(*((float(x), float(y)) for x, y in points), strict=True)
        return Box(min(xs), min(ys), max(xs), max(ys))
    if shape.tag != "box":
        raise ValueError("only boxes and polygons are read")
    left, top, right, bottom = (float(shape.get(side, "")) for side in _SIDES)
    turn = math.radians(float(shape.get("rotation") or 0))
    if not turn:
        return Box(left, top, right, bottom)
    cos, sin = abs(math.cos(turn)), abs(math.sin(turn))
    width, height = right - left, bottom - top
    half_x, half_y = (width * cos + height * sin) / 2, (width * sin + height * cos) / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    return Box(x - half_x, y - half_y, x + half_x, y + half_y)


def write(contents: Contents, root: Path, target: Path) -> None:
    """Write ``annotations.xml`` and ``images/[<split>/]<file>``.

    Raises:
        FormatError: a split other than train, validation and test, or a label that XML forbids.
        DatasetError: a picture cannot be copied.
    """
    placing.check_splits(contents.rows, "cvat")
    merged = placing.pictures_of(placing.in_order(contents.rows))
    names = placing.place([row for row, _ in merged], _target_of)
    tree = ElementTree.Element("annotations")
    markup.add(tree, "version", "1.1")
    _add_meta(tree, contents)
    for number, ((row, held), name) in enumerate(zip(merged, names, strict=True)):
        placing.copy(root, row.file_name, target / name)
        width, height = placing.size_of(row, target / name)
        image = ElementTree.SubElement(
            tree, "image", id=str(number), name=name.removeprefix("images/"),
            width=str(width), height=str(height),
        )  # fmt: skip
        if row.split:
            image.set("subset", row.split)
        _add_shapes(image, row, held)
    ElementTree.indent(tree)
    files.write_text(target / FILE, ElementTree.tostring(tree, encoding="unicode") + "\n")


def _add_meta(tree: ElementTree.Element, contents: Contents) -> None:
    """List the classes; a dataset with splits is a project, which has subsets."""
    splits = list(dict.fromkeys(row.split for row in contents.rows if row.split))
    kind = "project" if splits else "task"
    meta = ElementTree.SubElement(ElementTree.SubElement(tree, "meta"), kind)
    listed = ElementTree.SubElement(meta, "labels")
    for label in labels.complete(contents):
        markup.add(ElementTree.SubElement(listed, "label"), "name", markup.allowed(label))
    if splits:
        subsets = ElementTree.SubElement(meta, "subsets")
        for name in splits:
            markup.add(subsets, "subset", name)


def _target_of(row: Row) -> str:
    name = markup.stripped(placing.file_part(row)) or "_"
    return "/".join(part for part in ("images", row.split, name) if part)


def _add_shapes(image: ElementTree.Element, row: Row, held: tuple[str | None, ...]) -> None:
    if held != (labels.shared(row.objects),):
        for label in filter(None, held):
            ElementTree.SubElement(image, "tag", label=markup.allowed(label), source="manual")
    for one in row.objects:
        box = ElementTree.SubElement(image, "box", label=markup.allowed(one.label))
        for side, value in zip(_SIDES, one.box.xyxy(), strict=True):
            box.set(side, markup.number(value))
        box.set("occluded", "0")
        box.set("source", "manual")
