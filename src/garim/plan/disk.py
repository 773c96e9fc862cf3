"""Lines that a power cut does not take."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from garim import files


def append_line(path: Path, entry: dict[str, Any]) -> None:
    """Append one JSON line and flush it to the disk; a last line that was cut off goes first.

    Raises:
        DiskError: the disk is full or read-only; the lines are as they were.
    """
    line = json.dumps(entry).encode() + b"\n"
    with files.refusal_named(path, len(line)), path.open("a+b", buffering=0) as stream:
        if stream.tell() and not _ends_with_newline(stream):
            _cut_last_line(stream)
        end = stream.tell()
        try:
            _write(stream, line)
            os.fsync(stream.fileno())
        except BaseException:
            with suppress(OSError):
                stream.truncate(end)
            raise


def _write(stream: Any, line: bytes) -> None:
    """Write all of it: near the end of a disk the system takes a part."""
    while line:
        line = line[stream.write(line) :]


def _ends_with_newline(stream: Any) -> bool:
    stream.seek(-1, os.SEEK_END)
    return bool(stream.read(1) == b"\n")


def _cut_last_line(stream: Any) -> None:
    stream.seek(0)
    whole = stream.read()
    stream.truncate(whole.rfind(b"\n") + 1)
    stream.seek(0, os.SEEK_END)
