"""The folder of one run: what it is about, and its finished shards.

``run.json`` names the work, its settings and its items; ``shard-00000.parquet`` and so on hold a
row per item, in their order. A shard is there as a whole or not at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from garim import files
from garim.errors import ExecutionError, PictureError
from garim.execution.stage import Record

RUN = "run.json"
LOCK = ".lock"
ERROR = "error"
"""Column that says why an item could not be read; null for those that could."""

_OURS = re.compile(r"shard-\d{5,}\.(parquet|deaths)|\.[0-9a-f]{32}\.tmp")


@dataclass(frozen=True, slots=True)
class Shards:
    """The shards in a run's folder."""

    folder: Path
    schema: Mapping[str, Any]
    """Polars type of each field of a record."""

    def path(self, number: int) -> Path:
        """Give the file of a shard."""
        return self.folder / f"shard-{number:05d}.parquet"

    def deaths(self, number: int) -> Path:
        """Give the file that counts, a byte each, who began a shard and did not finish it."""
        return self.path(number).with_suffix(".deaths")

    def has(self, number: int) -> bool:
        """Say whether a shard is finished."""
        return self.path(number).exists()

    def write(self, number: int, results: Iterable[Record | PictureError]) -> None:
        """Write a shard as one step."""
        rows = [{ERROR: r.reason} if isinstance(r, PictureError) else r for r in results]
        schema = {**self.schema, ERROR: pl.String}
        table = pl.DataFrame(rows, schema=schema, orient="row")
        files.write_streamed(self.path(number), table.write_parquet)

    def read(self, number: int) -> Iterator[Record]:
        """Give the records of a shard; each has the column `ERROR` too.

        Raises:
            ExecutionError: the file is broken.
        """
        try:
            table = pl.read_parquet(self.path(number), glob=False, memory_map=False)
        except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise ExecutionError(
                f"{self.path(number)}: cannot be read: {error}; delete it and run again"
            ) from error
        return table.iter_rows(named=True)

    def begin(self, about: Mapping[str, Any]) -> None:
        """Note what the run is about; or go on with the same one.

        Raises:
            ExecutionError: the folder holds another run, or something else.
        """
        path, plain = self.folder / RUN, json.loads(json.dumps(about, default=str))
        if path.exists():
            self._same(path, plain)
        elif self.folder.is_dir() and any(
            not one.name.startswith(LOCK) for one in self.folder.iterdir()
        ):
            raise ExecutionError(f"{self.folder}: is not empty and holds no unfinished work; give "
                                 "another folder with --work")  # fmt: skip
        else:
            files.write_json(path, plain)

    def _same(self, path: Path, about: dict[str, Any]) -> None:
        try:
            there = json.loads(path.read_text(encoding="utf-8"))
            other = [name for name in {**there, **about} if there.get(name) != about.get(name)]
        except (OSError, ValueError, TypeError) as error:
            raise ExecutionError(f"{path}: cannot be read: {error}; delete the folder") from error
        if other:
            raise ExecutionError(
                f"{self.folder}: is the unfinished work of another run ({', '.join(other)} differ);"
                " finish that run, delete the folder, or give another with --work"
            )

    def remove(self) -> None:
        """Remove the run's files, what names it last."""
        for path in (*filter(_is_ours, self.folder.iterdir()), self.folder / RUN):
            path.unlink(missing_ok=True)


def _is_ours(path: Path) -> bool:
    return _OURS.fullmatch(path.name) is not None
