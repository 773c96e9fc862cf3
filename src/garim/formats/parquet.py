"""Parquet files of strangers: tried in a process of its own before they are read in this one.

Polars' reader panics at many broken files, with pages of Rust on the terminal, and a few end its
process: they make it ask for more bytes than any machine has, and Rust gives up.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import weakref
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from threading import Lock

import polars as pl

_TRYING = """
import json, sys
import polars
print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    try:
        polars.read_parquet(json.loads(line), glob=False)
        said = None
    except BaseException as error:
        said = str(error).strip().split("\\n")[0][:300] or type(error).__name__
    print(json.dumps(said), flush=True)
"""


def read(path: Path, columns: list[str] | None = None) -> pl.DataFrame:
    """Read a Parquet file; whatever is in it, this process goes on.

    Raises:
        ValueError: it cannot be read, and why.
        OSError: it cannot be opened.
    """
    check(path)
    try:
        return pl.read_parquet(path, columns=columns, glob=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise ValueError(str(error)) from error


def check(path: Path) -> None:
    """Refuse a file that Polars cannot read; one that was tried is tried again when it changes.

    Raises:
        ValueError: it cannot be read, and why.
        OSError: it cannot be opened.
    """
    status = path.stat()
    problem = _problem(str(path.resolve()), status.st_size, status.st_mtime_ns)
    if problem is not None:
        raise ValueError(problem)


@lru_cache(maxsize=4096)
def _problem(path: str, size: int, time: int) -> str | None:
    """Say why a file, as it is now, cannot be read."""
    return _trial(path)


class _Trial:
    """A process that reads files, one after the other; another takes its place when it dies."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None
        self.owner, self.lock = 0, Lock()

    def __call__(self, path: str) -> str | None:
        with self.lock:
            if not self._is_ready():
                return None  # no second Python can be had: it is read without a trial
            with suppress(OSError, ValueError):
                return self._asked(path)
            self.process = None
            return "it is so broken that its reader gives up"

    def _is_ready(self) -> bool:
        if getattr(sys, "frozen", False):  # the executable is a program, which would start again
            return False
        there = self.process is not None and self.process.poll() is None
        with suppress(OSError, ValueError):
            return (there and self.owner == os.getpid()) or self._starts()
        return False

    def _starts(self) -> bool:
        # -P: a module in the folder that the user stands in must not be taken for Polars.
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", _TRYING], text=True, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.owner = os.getpid()
        weakref.finalize(self, _end, self.process, self.owner)
        return self._answer() == "ready"

    def _asked(self, path: str) -> str | None:
        assert self.process is not None and self.process.stdin is not None
        print(json.dumps(path), file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> str | None:
        """Give what it says; a ValueError where it died instead."""
        assert self.process is not None and self.process.stdout is not None
        answer: str | None = json.loads(self.process.stdout.readline())
        return answer


def _end(process: subprocess.Popen[str], owner: int) -> None:
    if os.getpid() == owner:  # and not forked from it
        process.kill()
        process.communicate()


_trial = _Trial()
