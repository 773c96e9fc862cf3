"""Lines that a power cut does not take, and what to do when the disk itself refuses: stop."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from garim.errors import DatasetError, PictureError

_DISK = frozenset({errno.ENOSPC, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)})
"""Failures that the next picture would meet as well."""


@contextmanager
def errors_named(folder: Path, advice: str) -> Iterator[None]:
    """Turn what the system refuses in the block into a DatasetError that says what to do next."""
    try:
        yield
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        raise DatasetError(f"{folder}: {error.strerror or error}{place}; {advice}") from error


def stop_if_disk_refuses(error: PictureError) -> None:
    """Raise the cause of a picture's failure if it is the disk's and not the picture's."""
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno in _DISK:
        raise cause


def append_line(path: Path, entry: dict[str, Any]) -> None:
    """Append one JSON line and flush it to the disk; a last line that was cut off goes first."""
    with path.open("a+b") as stream:
        if stream.tell() and not _ends_with_newline(stream):
            _cut_last_line(stream)
        stream.write(json.dumps(entry).encode() + b"\n")
        stream.flush()
        os.fsync(stream.fileno())


def _ends_with_newline(stream: Any) -> bool:
    stream.seek(-1, os.SEEK_END)
    return bool(stream.read(1) == b"\n")


def _cut_last_line(stream: Any) -> None:
    stream.seek(0)
    whole = stream.read()
    stream.truncate(whole.rfind(b"\n") + 1)
    stream.seek(0, os.SEEK_END)
