"""Writing files so that nothing is ever half written, and naming their content.

A file is written beside its target, flushed to the disk, and renamed over it: a reader sees the
old file or the new one, never a part, and a killed process leaves at most a stray ``.tmp`` file.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import unicodedata
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

DIGEST_LENGTH = 32
"""Hexadecimal digits kept of a SHA-256: 128 bits, enough to tell 10¹⁵ files apart."""


def digest(path: Path) -> str:
    """Name a file by its content: the first 128 bits of its SHA-256, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:DIGEST_LENGTH]


def digest_of(value: Any) -> str:
    """Name a JSON-like value by its content; equal values have equal digests."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def nfc(text: str) -> str:
    """Compose a Unicode text (NFC), so that one Korean name has one spelling."""
    return unicodedata.normalize("NFC", text)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` that takes its place when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{uuid.uuid4().hex}.tmp"
    try:
        temporary.open("xb").close()  # with the permissions of any new file: mkstemp's are 0600
        yield temporary
        _flush(temporary)
        temporary.replace(path)
        flush_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes as one step."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text as one step, with ``\\n`` line ends on every system."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write a value as readable JSON as one step."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def html_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Give a plain HTML table, every text escaped, for Jupyter to show."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    caption = f"<caption>{escape(title)}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def copy(source: Path, target: Path) -> None:
    """Copy a file with its times as one step."""
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)
        shutil.copystat(source, temporary)


def flush_folder(folder: Path) -> None:
    """Make renames inside a folder survive a power cut, where the system can."""
    if os.name == "posix":
        try:
            _fsync(folder, os.O_RDONLY)
        except OSError as error:  # network file systems may not know how; the rename is done
            if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EBADF}:
                raise


def _flush(path: Path) -> None:
    _fsync(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)  # Windows needs the latter


def _fsync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
