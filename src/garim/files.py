"""Writing files so that nothing is ever half written, and naming their content.

A file is written beside its target, flushed to the disk, and renamed over it: a reader sees the
old file or the new one, never a part, and a killed process leaves at most a stray ``.tmp`` file.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import unicodedata
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from html import escape
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from garim import remote
from garim.errors import DiskError

_ADVICE = {
    getattr(errno, "EDQUOT", errno.ENOSPC): "free some of your space, or write to another disk",
    errno.ENOSPC: "free some space there, or write to another disk",
    errno.EROFS: "it can only be read from; write to another place",
}
"""What to do about what the next file would meet as well."""

_STRAY = re.compile(r"\.[0-9a-f]{32}\.tmp")

DIGEST_LENGTH = 32
"""Hexadecimal digits kept of a SHA-256: 128 bits, enough to tell 10¹⁵ files apart."""


def digest(path: Path) -> str:
    """Name a file by its content: the first 128 bits of its SHA-256, in hexadecimal."""
    with remote.fetched(path).open("rb", buffering=0) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:DIGEST_LENGTH]


def digest_of(value: Any) -> str:
    """Name a JSON-like value by its content; equal values have equal digests."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def nfc(text: str) -> str:
    """Compose a Unicode text (NFC), so that one Korean name has one spelling."""
    return unicodedata.normalize("NFC", text)


@contextmanager
def replacing(path: Path, size: int | None = None) -> Iterator[Path]:
    """Give a temporary path beside ``path`` that takes its place when the block ends well.

    Args:
        path: the file to write or replace.
        size: bytes that it will have, where that is known, for the message of a full disk.

    Raises:
        DiskError: the disk is full or read-only; what stood there is as it was.
    """
    with refusal_named(path, size), remote.sending(path) as path:  # noqa: PLR1704
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


@contextmanager
def refusal_named(path: Path, size: int | None = None) -> Iterator[None]:
    """Say of a disk that takes nothing more which file it refused, and what to do.

    Raises:
        DiskError: the disk is full, over a quota or read-only.
    """
    try:
        yield
    except DiskError:
        raise
    except OSError as error:
        if error.errno is None or error.errno not in _ADVICE:
            raise
        reason = f"{os.strerror(error.errno)}{_room(path, size)}; {_ADVICE[error.errno]}"
        raise DiskError(error.errno, reason, str(path)) from error


def _room(path: Path, size: int | None) -> str:
    """Say how much a file needs and how much there is, where that is known."""
    there = next((one for one in path.parents if one.is_dir()), None)
    with suppress(OSError):
        if size is not None and there is not None:
            return f": {size:,} bytes are needed, {shutil.disk_usage(there).free:,} are free"
    return ""


def remove_strays(folder: Path) -> None:
    """Remove what killed processes left of files that they were writing into a folder."""
    for stray in folder.rglob(".*.tmp"):
        if _STRAY.fullmatch(stray.name):
            stray.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write bytes as one step."""
    with replacing(path, len(data)) as temporary:
        temporary.write_bytes(data)


def write_streamed(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write what a library writes to a stream, as one step.

    Through memory, so that a full disk is met by Python: NumPy and Polars do not say that it was.
    """
    held = BytesIO()
    write(held)
    write_bytes(path, held.getbuffer())


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
    with replacing(target, remote.fetched(source).stat().st_size) as temporary:
        shutil.copyfile(source, temporary)
        shutil.copystat(source, temporary)


def is_copy(source: Path, target: Path) -> bool:
    """Tell whether a file was copied by `copy`, by its size and time, and not changed since."""
    if not target.is_file():
        return False
    one, other = remote.fetched(source).stat(), target.stat()
    return (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)


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
