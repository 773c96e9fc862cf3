"""Pascal VOC (Everingham et al. 2010): one XML file per picture.

``Annotations/<stem>.xml`` beside ``JPEGImages/`` (or ``annotations/`` beside ``images/``), or XML
files beside their pictures; ``ImageSets/Main/{train,val,test,trainval}.txt`` give the splits.

VOC counts pixels from 1 and includes the last: ``left = xmin - 1``, ``top = ymin - 1``,
``right = xmax``, ``bottom = ymax``, as the VOC devkit and supervision do. Boxes without area are
kept as they are. The size in the XML is not trusted and not read. Masks in ``SegmentationClass/``
are read, and are not written.

What the format cannot hold: a label that the picture's objects do not share, masks, provenance.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from garim import files
from garim.boxes import Box
from garim.errors import Failure, FormatError
from garim.formats import labels, markup, placing
from garim.formats.rows import SPLITS, Contents, Object, Row
from garim.formats.tree import files_in, folders_in, is_ignored, split_and_label, walk

LISTS = {"trainval": "train", "train": "train", "val": "validation", "test": "test"}
"""Lists of pictures in ``ImageSets/Main`` and their splits; a later one wins."""

_PEEKED, _PEEKED_BYTES = 20, 4096
_SIDES = ("xmin", "ymin", "xmax", "ymax")


def detect(path: Path) -> bool:
    """Accept a folder with VOC's XML in it, in ``Annotations``, or in a split's folder."""
    return path.is_dir() and any(map(_is_annotation, _xml_files(path)[:_PEEKED]))


def _is_annotation(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return b"<annotation" in stream.read(_PEEKED_BYTES)
    except OSError:
        return False


def _annotation_folders(root: Path) -> list[Path]:
    folders = folders_in(root)
    own = [one for one in folders if one.name.lower() == "annotations"]
    return own or [root, *(one for one in folders if one.name.lower() in SPLITS)]


def read(path: Path) -> tuple[Path, Contents]:
    """Read VOC annotations; a picture without an XML file has no objects and no label.

    Raises:
        FormatError: ``path`` is no folder, or holds no XML file where VOC puts them.
    """
    if not detect(path):
        raise FormatError(f"{path}: expected a folder with Annotations/*.xml, or *.xml in it")
    found, failures = _pictures(path)
    objects = _all_objects(path, found, failures)
    splits, masks = _splits(path), _masks(path)
    rows = [
        Row(
            file_name=name,
            label=labels.shared(objects.get(name, ())),
            split=splits.get(_stem(name)) or split_and_label(name)[0],
            objects=objects.get(name, ()),
            mask_file_name=masks.get(_stem(name)),
        )
        for name in found
    ]
    classes = labels.read_order(path, labels.in_rows(rows))
    return path, Contents(rows=placing.in_order(rows), classes=classes, failures=tuple(failures))


def _pictures(root: Path) -> tuple[list[str], list[Failure]]:
    """List the pictures: those in the folder for them, and not VOC's masks beside it."""
    named = [one for one in folders_in(root) if one.name.lower() in {"jpegimages", "images"}]
    found, failures = list[str](), list[Failure]()
    for folder in named or [root]:
        tree, here = walk(folder), PurePosixPath(folder.relative_to(root))
        found += [(here / name).as_posix() for name in tree.pictures]
        failures += tree.failures
    return found, failures


def _masks(root: Path) -> dict[str, str]:
    folders = [one for one in folders_in(root) if one.name.lower() == "segmentationclass"]
    masks = (file for folder in folders for file in files_in(folder, {".png"}))
    return {_stem(file.name): file.relative_to(root).as_posix() for file in masks}


def _stem(name: str) -> str:
    return files.nfc(PurePosixPath(name).stem)


def _all_objects(
    root: Path, found: list[str], failures: list[Failure]
) -> dict[str, tuple[Object, ...]]:
    by_place = {(str(PurePosixPath(name).parent), _stem(name)): name for name in reversed(found)}
    by_stem = {_stem(name): name for name in reversed(found)}
    by_name = {files.nfc(PurePosixPath(name).name): name for name in reversed(found)}
    objects: dict[str, tuple[Object, ...]] = {}
    for file in _xml_files(root):
        place, stem = file.relative_to(root), files.nfc(file.stem)
        try:
            tree = markup.parsed(file)
        except FormatError as error:
            failures.append(Failure(place.as_posix(), str(error)))
            continue
        listed = (tree.findtext("filename") or "").strip().replace("\\", "/").rsplit("/", 1)[-1]
        name = by_place.get((place.parent.as_posix(), stem)) or by_stem.get(stem)
        name = name or by_name.get(files.nfc(listed))
        if name is None:
            missing = f"listed in {place.as_posix()} but not on disk"
            failures.append(Failure(listed or stem, missing))
        else:
            objects[name] = tuple(_objects(tree, place.as_posix(), failures))
    return objects


def _xml_files(root: Path) -> list[Path]:
    """List the XML files; those in ``Annotations`` at any depth."""
    deep = [folder for folder in _annotation_folders(root) if folder.name.lower() == "annotations"]
    if not deep:
        return [file for folder in _annotation_folders(root) for file in files_in(folder, {".xml"})]
    found = (one for folder in deep for one in folder.rglob("*"))
    return sorted(one for one in found if one.suffix.lower() == ".xml" and not is_ignored(one.name))


def _objects(tree: ElementTree.Element, place: str, failures: list[Failure]) -> Iterator[Object]:
    for number, one in enumerate(tree.findall("object"), start=1):
        label = labels.clean(one.findtext("name"))
        sides = [(one.findtext(f"bndbox/{side}") or "").strip() for side in _SIDES]
        try:
            if label is None:
                raise ValueError("it has no name")
            left, top, right, bottom = (float(side) for side in sides)
            yield Object(label, Box(left - 1, top - 1, right, bottom))
        except ValueError as error:
            problem = f"{error}; expected a name, and numbers in {', '.join(_SIDES)}"
            failures.append(Failure(f"{place}: object {number}", problem))


def _splits(root: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    folder = root / "ImageSets" / "Main"
    for name, split in LISTS.items():
        if (folder / f"{name}.txt").is_file():
            lines = labels.read_text(folder / f"{name}.txt").split("\n")
            found |= {files.nfc(line.strip()): split for line in lines if line.strip()}
    return found


def write(contents: Contents, root: Path, target: Path) -> None:
    """Write ``Annotations/<stem>.xml``, ``JPEGImages/<file>``, ``ImageSets/Main/<split>.txt``,
    and ``classes.txt`` when the classes are not sorted.

    Raises:
        FormatError: a split other than train, validation and test, or a label that XML forbids.
        DatasetError: a picture cannot be copied.
    """
    placing.check_splits(contents.rows, "voc")
    merged = [row for row, _ in placing.pictures_of(placing.in_order(contents.rows))]
    names = placing.place(merged, _target_of, by_stem=True)
    lists: dict[str, list[str]] = {}
    for row, name in zip(merged, names, strict=True):
        placing.copy(root, row.file_name, target / name)
        path = PurePosixPath(name)
        files.write_text(target / "Annotations" / f"{path.stem}.xml", _xml(row, target / path))
        if row.split:
            lists.setdefault(row.split, []).append(path.stem)
    for list_name, split in LISTS.items():
        if list_name != "trainval" and split in lists:
            text = "".join(f"{stem}\n" for stem in lists[split])
            files.write_text(target / "ImageSets" / "Main" / f"{list_name}.txt", text)
    found = {one.label for row in merged for one in row.objects}
    labels.write_order(target, labels.complete(contents), found)


def _target_of(row: Row) -> str:
    """Name a picture so that the lists can: a line each, whose ends their readers strip, and a
    byte order mark at the beginning of them all."""
    path = PurePosixPath(row.file_name)
    stem = "_".join(path.stem.splitlines()).replace("\ufeff", "").strip() or "_"
    return f"JPEGImages/{stem}{path.suffix}"


def _xml(row: Row, path: Path) -> str:
    tree = ElementTree.Element("annotation")
    markup.add(tree, "folder", path.parent.name)
    markup.add(tree, "filename", markup.stripped(path.name))
    size = ElementTree.SubElement(tree, "size")
    for side, pixels in zip(("width", "height"), placing.size_of(row, path), strict=True):
        markup.add(size, side, str(pixels))
    markup.add(size, "depth", "3")
    markup.add(tree, "segmented", "0")
    for one in row.objects:
        element = ElementTree.SubElement(tree, "object")
        markup.add(element, "name", markup.allowed(one.label))
        for key, value in (("pose", "Unspecified"), ("truncated", "0"), ("difficult", "0")):
            markup.add(element, key, value)
        box = ElementTree.SubElement(element, "bndbox")
        left, top, right, bottom = one.box.xyxy()
        for side, number in zip(_SIDES, (left + 1, top + 1, right, bottom), strict=True):
            markup.add(box, side, markup.number(number))
    ElementTree.indent(tree)
    return ElementTree.tostring(tree, encoding="unicode") + "\n"
