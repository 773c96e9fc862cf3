"""One writer at a time: a lock that ends with its process, and a word on who holds it.

The lock is the system's own (``flock``, on Windows ``LockFile``), so it ends with its process,
however that ends: what a killed run leaves behind is a file that the next run takes over. It holds
between processes of one machine. Between machines it holds as far as the network drive passes
locks on, which Garim cannot know.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from garim import remote
from garim.errors import DatasetError, GarimError


@contextmanager
def alone(
    path: Path,
    thing: Path,
    doing: str,
    advice: str = "wait until it has ended, or stop it, and run this again",
    error: type[GarimError] = DatasetError,
) -> Iterator[None]:
    """Let no other process do the like while the block runs.

    Args:
        path: the lock's file; everybody who changes the thing must name the same.
        thing: what is held, for the message.
        doing: what is done to it, such as ``being undone``, for the message that others get.
        advice: what the others can do.
        error: what they get.

    Raises:
        GarimError: of the given kind: another process holds it, or the lock's file cannot be made.
    """
    remote.refuse(thing, f"what is {doing}")
    note = path.with_name(path.name + ".holder")
    lock = FileLock(path, timeout=0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as busy:
        raise error(f"{thing}: is {_told(note, doing)}; {advice}") from busy
    except OSError as refused:
        raise error(f"{thing}: cannot be written: {refused.strerror or refused}") from refused
    try:
        with suppress(OSError):  # a full disk must not keep anyone from an undo
            note.write_text(json.dumps(_note(doing)), encoding="utf-8")
        yield
    finally:
        with suppress(OSError):
            note.unlink(missing_ok=True)
            if os.name == "posix":  # while it is held: later it might be another process's lock
                path.unlink(missing_ok=True)
        lock.release()
        with suppress(OSError):
            path.unlink() if os.name != "posix" else None


def beside(target: Path) -> Path:
    """Give the lock's file of a folder or file that is being made: hidden, beside it."""
    return target.with_name(f".{target.name}.lock")


def _note(doing: str) -> dict[str, object]:
    now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    return {"doing": doing, "process": os.getpid(), "machine": platform.node(), "since": now}


def _told(note: Path, doing: str) -> str:
    """Say who holds a lock, as far as it has been written down."""
    try:
        told = json.loads(note.read_text(encoding="utf-8"))
        where = "this machine" if told["machine"] == platform.node() else told["machine"]
        return f"{told['doing']} by process {told['process']} on {where} since {told['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"{doing} by another process"
