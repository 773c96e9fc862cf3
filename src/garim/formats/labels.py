"""Labels as every format reads them, and the order of the classes.

A label is composed Unicode (NFC), one line, without space at its ends. The classes of a dataset
are in sorted order unless ``classes.txt`` in its root, one name per line, gives another.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from garim import files
from garim.errors import FormatError, printable
from garim.formats.rows import Contents, Object, Row

CLASSES_FILE = "classes.txt"


def clean(value: object) -> str | None:
    """Give a label in its one spelling; None for nothing or only space.

    Half of a surrogate pair, which JSON can name, is escaped.

    >>> clean("  hot dog ")
    'hot dog'
    """
    text = "" if value is None else files.nfc(str(value))
    return " ".join(printable(text).splitlines()).strip() or None


def text(value: object) -> str | None:
    """Give a text that a file says; None for nothing.

    Raises:
        ValueError: it is something else.
    """
    if value is not None and not isinstance(value, str):
        raise ValueError(f"expected a text, found {value!r:.80}")
    return value or None


def shared(objects: Iterable[Object]) -> str | None:
    """Give the one label that all objects have, else None."""
    found = {one.label for one in objects}
    return found.pop() if len(found) == 1 else None


def in_rows(rows: Iterable[Row]) -> set[str]:
    """Collect the labels of rows and of their objects."""
    found: set[str] = set()
    for row in rows:
        found.update(one.label for one in row.objects)
        if row.label is not None:
            found.add(row.label)
    return found


def complete(contents: Contents) -> tuple[str, ...]:
    """Give all classes: the listed ones in their order, then others that rows hold, sorted."""
    missing = in_rows(contents.rows) - set(contents.classes)
    return (*contents.classes, *sorted(missing))


def read_order(root: Path, found: Iterable[str]) -> tuple[str, ...]:
    """Order the classes: as in ``classes.txt`` if the root has one, the rest sorted after it.

    Raises:
        FormatError: ``classes.txt`` is no text.
    """
    path, listed = root / CLASSES_FILE, list[str]()
    if path.is_file():
        names = (clean(line) for line in read_text(path).splitlines())
        listed = list(dict.fromkeys(name for name in names if name))
    return (*listed, *sorted(set(found) - set(listed)))


def write_order(
    target: Path, classes: tuple[str, ...], found: Iterable[str], *, always: bool = False
) -> None:
    """Write ``classes.txt`` when a reader who finds these labels would order them otherwise."""
    if always or list(classes) != sorted(found):
        files.write_text(target / CLASSES_FILE, "".join(f"{name}\n" for name in classes))


def read_text(path: Path) -> str:
    """Read a text file: UTF-8, UTF-16 with a byte order mark, or Korean Windows' CP949.

    Raises:
        FormatError: it cannot be read, or is in none of these encodings.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {error.strerror}") from error
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "cp949"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise FormatError(f"{path}: is not text in UTF-8; save it as UTF-8")
