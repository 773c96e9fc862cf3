"""Giving every written picture a name of its own, and copying it there.

Two pictures never share a target, compared as the strictest disk would: without regard to case
and Unicode form. A name that only one picture wants stays; where several want one, each takes its
folder's name as a prefix, and ``-2``, ``-3`` … where that is not enough. The same rows always get
the same names.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path, PurePosixPath

from garim import files, pictures
from garim.errors import DatasetError, FormatError, PictureError
from garim.formats import labels
from garim.formats.rows import SPLITS, Object, Row
from garim.formats.tree import is_ignored

LONGEST_NAME = 240
"""Bytes of a file name beyond which no prefix is added; most disks allow 255."""


def place(
    rows: Sequence[Row], target_of: Callable[[Row], str], *, by_stem: bool = False
) -> list[str]:
    """Give each row a target of its own, in the rows' order.

    Args:
        rows: one per file to be written.
        target_of: where a row wants to be, relative to the target folder, with ``/``.
        by_stem: keep apart names that differ only in their suffix, because another file is
            paired by stem (YOLO, VOC).
    """
    wanted = [_visible(PurePosixPath(target_of(row))) for row in rows]
    wishes = Counter(_key(path, by_stem) for path in wanted)
    taken = {key for key, number in wishes.items() if number == 1}
    placed: list[str] = []
    for row, path in zip(rows, wanted, strict=True):
        if wishes[_key(path, by_stem)] > 1:
            path = next(p for p in _others(row, path) if _key(p, by_stem) not in taken)  # noqa: PLW2901
            taken.add(_key(path, by_stem))
        placed.append(path.as_posix())
    return placed


def _key(path: PurePosixPath, by_stem: bool) -> str:
    # Composed again after casefold, which can leave a decomposed letter behind.
    return files.nfc(files.nfc(str(path.with_suffix("") if by_stem else path)).casefold())


def _visible(path: PurePosixPath) -> PurePosixPath:
    return path.with_name(f"_{path.name}") if is_ignored(path.name) else path


def _others(row: Row, path: PurePosixPath) -> Iterator[PurePosixPath]:
    folder = PurePosixPath(row.file_name).parent.name
    prefixed = path.with_name(f"{folder}_{path.name}") if folder else path
    if len(prefixed.name.encode()) > LONGEST_NAME:
        prefixed = path
    yield _visible(prefixed)
    for number in count(2):
        yield _visible(prefixed.with_name(f"{prefixed.stem}-{number}{prefixed.suffix}"))


def file_part(row: Row) -> str:
    """Give the bare file name of a row."""
    return PurePosixPath(row.file_name).name


def copy(root: Path, name: str, target: Path) -> bool:
    """Copy one picture of a dataset as one step, if it was not before; True when it is there.

    Raises:
        DatasetError: it cannot be read, or the target cannot be written.
    """
    try:
        if not files.is_copy(root / name, target):
            files.copy(root / name, target)
    except OSError as error:
        reason = f"{error.strerror or error} ({error.filename or root / name})"
        raise DatasetError(f"{name}: cannot be copied to {target}: {reason}") from error
    return True


def size_of(row: Row, path: Path) -> tuple[int, int]:
    """Give a picture's width and height; the row's, or 0 × 0, where it cannot be opened."""
    try:
        head = pictures.header(path)
    except PictureError:
        return row.size or (0, 0)
    return head.width, head.height


def check_splits(rows: Iterable[Row], format: str) -> None:
    """Refuse splits that the folders of a format cannot name.

    Raises:
        FormatError: a split other than train, validation and test.
    """
    odd = sorted({row.split for row in rows if row.split} - set(SPLITS.values()))
    if odd:
        raise FormatError(
            f"{format} holds the splits train, validation and test, but rows are in {odd[0]!r}; "
            "move them, or write csv, which holds any split"
        )


def pictures_of(rows: Iterable[Row]) -> list[tuple[Row, tuple[str | None, ...]]]:
    """Merge the rows of one picture, for formats with one entry per picture.

    Returns:
        Per picture (and split) its first row with the objects of all, and the rows' labels.
    """
    grouped: dict[tuple[str, str | None], list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row.file_name, row.split].append(row)
    merged = []
    for group in grouped.values():
        objects = _union(row.objects for row in group)
        held = tuple(dict.fromkeys(row.label for row in group))
        label = held[0] if len(held) == 1 else labels.shared(objects)
        merged.append((replace(group[0], objects=objects, label=label), held))
    return merged


def _union(several: Iterable[tuple[Object, ...]]) -> tuple[Object, ...]:
    """Add what is new in each, so that an object drawn twice in one row stays twice."""
    result: list[Object] = []
    for objects in several:
        known = Counter(result)
        for one in objects:
            if known[one] > 0:
                known[one] -= 1
            else:
                result.append(one)
    return tuple(result)


def in_order(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Sort rows by file name, then label, and leave out exact repeats."""
    unique = dict.fromkeys(rows)
    return tuple(sorted(unique, key=lambda row: (row.file_name, row.label or "")))
