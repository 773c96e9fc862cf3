"""Class folders, at any depth: ``dog/a.jpg``, ``train/dog/a.jpg``, ``pets/dog/train/a.jpg``.

A folder named like a split (``train``, ``val``, ``valid``, ``test`` …) gives the split, the nearest
other folder the label; a picture in the root or right in a split's folder has no label. This is
the layout of ``torchvision.datasets.ImageFolder``, with splits. It holds no boxes, sizes or
provenance. A folder of masks beside a folder of pictures is read (`garim.formats.mask_folders`),
and is not written.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from garim.errors import FormatError
from garim.formats import labels, mask_folders, placing
from garim.formats.rows import SPLITS, Contents, Row
from garim.formats.tree import Tree, is_ignored, split_and_label, walk

METADATA_FILES = frozenset({"metadata.jsonl", "metadata.parquet"})
"""Names of Hugging Face's metadata files."""


def detect(path: Path) -> bool:
    """Accept any folder: this is the format of last resort."""
    return path.is_dir()


def read(path: Path) -> tuple[Path, Contents]:
    """Read class folders. Nothing is opened but files whose suffix does not tell what they are.

    Raises:
        FormatError: ``path`` is no folder, or ``classes.txt`` is no text.
    """
    if not path.is_dir():
        raise FormatError(f"{path}: expected a folder of class folders, but it is a file")
    tree = walk(path)
    paired = mask_folders.pair(tree.pictures)
    rows = paired.rows or tuple(row_of(name) for name in tree.pictures)
    return path, Contents(
        rows=rows,
        classes=labels.read_order(path, labels.in_rows(rows)),
        failures=(*tree.failures, *paired.failures),
        strays=strays_of(tree),
        empty=tree.empty,
    )


def row_of(name: str) -> Row:
    """Build the row of a picture from its folders alone."""
    split, label = split_and_label(name)
    return Row(file_name=name, split=split, label=label)


def strays_of(tree: Tree) -> tuple[str, ...]:
    """List the files that are neither pictures nor part of a dataset."""
    return tuple(
        name
        for name in tree.others
        if name != labels.CLASSES_FILE and PurePosixPath(name).name not in METADATA_FILES
    )


def write(contents: Contents, root: Path, target: Path) -> None:
    """Write ``<split>/<label>/<file>``, and ``classes.txt`` when the classes are not sorted.

    It is written, too, when a picture has no label, so that a folder around all is not taken for
    its class.

    Raises:
        FormatError: a label or split that cannot be a folder's name.
        DatasetError: a picture cannot be copied.
    """
    placing.check_splits(contents.rows, "folder")
    _check_labels(contents.rows)
    rows = placing.in_order(contents.rows)
    for row, name in zip(rows, placing.place(rows, _target_of), strict=True):
        placing.copy(root, row.file_name, target / name)
    found = {row.label for row in rows if row.label is not None}
    some_bare = any(row.label is None for row in rows)
    labels.write_order(target, contents.classes, found, always=some_bare)


def _target_of(row: Row) -> str:
    return "/".join(part for part in (row.split, row.label, placing.file_part(row)) if part)


def _check_labels(rows: tuple[Row, ...]) -> None:
    for label, split in sorted({(r.label, r.split) for r in rows if r.label}, key=str):
        if is_ignored(label) or any(mark in label for mark in "/\\\0"):
            reason = "cannot be the name of a folder"
        elif split is None and label.lower() in SPLITS:
            reason = "would be read as a split"
        else:
            continue
        raise FormatError(
            f"the label {label!r} {reason}; rename the class, or write huggingface, which keeps "
            "labels beside the pictures"
        )
