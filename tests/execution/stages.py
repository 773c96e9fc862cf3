"""Stages that need no model, and do what a test wants of them."""

from __future__ import annotations

import errno
import os
import signal
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from garim.errors import ModelError, PictureError
from garim.execution import Record, Work


@dataclass(frozen=True, kw_only=True)
class Squares:
    """Squares numbers, and notes every shard that it begins in a file."""

    root: Path
    bad: tuple[int, ...] = ()
    """Numbers that cannot be read."""
    deadly: int | None = None
    """Number that kills whoever works on it."""
    lives: int = 1
    """How often it does."""
    wrong: bool = False
    """Whether there is no model."""
    full: bool = False
    """Whether the disk is full."""
    seconds: float = 0.0
    """How long a number takes."""
    name: str = "squares"
    schema: ClassVar[dict[str, Any]] = {"square": pl.Int64, "digits": pl.List(pl.String)}

    def key(self, item: int) -> str:
        return str(item)

    def open(self) -> Work[int]:
        if self.wrong:
            raise ModelError("there is no model")
        return self._work

    def _work(self, items: Sequence[int]) -> Iterator[Record | PictureError]:
        (self.root / f"begun-{items[0]}-{uuid.uuid4().hex}").touch()
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device", str(self.root))
        for item in items:
            time.sleep(self.seconds)
            if item == self.deadly:
                self._die()
            if item in self.bad:
                yield PictureError(str(item), "is bad")
            else:
                yield {"square": item * item, "digits": list(str(item))}

    def _die(self) -> None:
        deaths = len(list(self.root.glob("death-*")))
        if deaths < self.lives:
            (self.root / f"death-{deaths}").touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def begun(self) -> list[int]:
        """First numbers of the shards that were begun, sorted."""
        return sorted(int(path.name.split("-")[1]) for path in self.root.glob("begun-*"))
