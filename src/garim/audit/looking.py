"""The audit's heavy part as a stage: a look at every file, and what a network sees in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from garim.audit.look import Look, look
from garim.audit.looks import MEASURES
from garim.audit.networks import VIEWS, Judge
from garim.copies import Fingerprint
from garim.copies.fingerprints import SIDE
from garim.errors import PictureError
from garim.execution import Record, Work
from garim.streaming import chunks, stream

AT_ONCE = 32
"""Pictures that go through the network at once."""


@dataclass(frozen=True, kw_only=True)
class Looking:
    """The stage: names of files to looks."""

    root: Path
    judge: Judge | None
    name: str = "audit"
    schema: ClassVar[dict[str, Any]] = {
        "digest": pl.String, "size": pl.List(pl.Int64), "thumbnail": pl.Binary,
        "tone": pl.List(pl.Float64), "colourfulness": pl.Float64, "bytes": pl.Int64,
        "mode": pl.String, "bright_end": pl.Float64, "dark_end": pl.Float64,
        "sharpness": pl.Float64, "entropy": pl.Float64, **dict.fromkeys(VIEWS, pl.Binary),
    }  # fmt: skip

    def key(self, item: str) -> str:
        """Name a file."""
        return item

    def open(self) -> Work[str]:
        """Make ready to look."""
        return self._work

    def _work(self, names: Sequence[str]) -> Iterator[Record | PictureError]:
        opened = partial(look, square=None if self.judge is None else self.judge.side)
        paths = [self.root / name for name in names]
        for part in chunks(stream(opened, paths), AT_ONCE):
            good = [one for _, one in part if isinstance(one, Look)]
            records = iter(self._seen(good))
            for _, one in part:
                yield next(records) if isinstance(one, Look) else one

    def _seen(self, good: Sequence[Look]) -> list[Record]:
        """Write down looks, with what the network sees."""
        records = [_to_record(one) for one in good]
        if self.judge is not None and good:
            pixels = np.stack([one.square for one in good if one.square is not None])
            seen = self.judge.see(pixels, [one.fingerprint.digest for one in good])
            for name, rows in seen.items():
                for record, row in zip(records, rows, strict=True):
                    record[name] = row.astype(np.float32).tobytes()
        return records


def _to_record(one: Look) -> Record:
    record = {**asdict(replace(one, square=None)), **asdict(one.fingerprint)}
    del record["fingerprint"], record["square"]
    return {**record, "thumbnail": one.fingerprint.thumbnail.tobytes()}


def look_of(record: Record) -> Look:
    """Give the look that was written down."""
    thumbnail = np.frombuffer(record["thumbnail"], np.uint8).reshape(SIDE, SIDE)
    width, height = record["size"]
    red, green, blue = record["tone"]
    return Look(
        fingerprint=Fingerprint(
            digest=record["digest"], size=(width, height), thumbnail=thumbnail,
            tone=(red, green, blue), colourfulness=record["colourfulness"],
        ),
        mode=record["mode"], **{name: record[name] for name in MEASURES},
    )  # fmt: skip


def views_of(record: Record) -> dict[str, NDArray[np.float32]]:
    """Give what a network saw."""
    return {
        name: np.frombuffer(record[name], np.float32) for name in VIEWS if record[name] is not None
    }
