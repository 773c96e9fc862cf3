"""A navigable graph over many vectors, by usearch (HNSW: Malkov & Yashunin 2016)."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from garim.errors import DatasetError
from garim.models.embedder import Vectors
from garim.streaming import default_workers, steps

CONNECTIVITY, EXPANSION_ADD = 32, 96
"""Neighbours of a vertex, and candidates that are looked at when one is added. Found as fast to
build as 16 and 128, and to find more."""

EXPANSIONS = (32, 64, 128, 256, 512, 1024, 2048)
"""Candidates that a query looks at: the first is taken that finds enough of the nearest."""

_ADDED_AT_ONCE = 2048

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphCard:
    """What the config says about a graph."""

    file: str
    count: int
    """Vectors that it covers: those with the lowest numbers."""
    expansion: int
    """Candidates that a query looks at."""
    recall: float
    """Share of the true ten nearest that are found, measured when the graph was built."""
    measured_on: int
    """Queries that this was measured on."""


class Graph:
    """A graph over vectors ``(n, components)``, kept as bfloat16."""

    def __init__(self, made: Any) -> None:
        self._made = made

    @classmethod
    def grown(cls, folder: Path, card: GraphCard | None, components: int) -> Graph:
        """Begin a graph, or load one that is to grow."""
        from usearch.index import Index  # noqa: PLC0415 - slow to import

        if card is not None:
            return cls.opened(folder / card.file, view=False)
        return cls(Index(
            ndim=components, metric="ip", dtype="bf16",
            connectivity=CONNECTIVITY, expansion_add=EXPANSION_ADD,
        ))  # fmt: skip

    @classmethod
    def opened(cls, path: Path, view: bool = True) -> Graph:
        """Open a graph; as a view it stays on the disk and is read where it is searched.

        Raises:
            DatasetError: the file is missing or broken.
        """
        from usearch.index import Index  # noqa: PLC0415 - slow to import

        try:
            made = Index.restore(str(path), view=view)
        except (OSError, RuntimeError, ValueError) as error:
            raise DatasetError(f"{path}: cannot be read as a graph: {error}") from error
        if made is None:
            raise DatasetError(f"{path}: there is no graph; make the index again")
        return cls(made)

    def add(self, blocks: Iterable[tuple[Numbers, Vectors]], total: int) -> None:
        """Add blocks of vectors, each with their numbers."""
        with steps("Linking neighbours", total) as step:
            for numbers, block in blocks:
                for start in range(0, len(block), _ADDED_AT_ONCE):
                    part = slice(start, start + _ADDED_AT_ONCE)
                    keys = numbers[part].astype(np.uint64)
                    self._made.add(keys, block[part], threads=default_workers())
                    step(len(keys))

    def search(self, queries: Vectors, count: int, expansion: int) -> Numbers:
        """Give the numbers of ``count`` near vectors of each query; −1 where there are fewer."""
        self._made.expansion_search = max(expansion, count)
        threads = min(default_workers(), len(queries))
        found = self._made.search(np.atleast_2d(queries), count, threads=threads)
        keys = np.asarray(found.keys).reshape(len(queries), -1).astype(np.int64)
        counts = np.asarray(getattr(found, "counts", [keys.shape[1]])).reshape(-1, 1)
        return np.where(np.arange(keys.shape[1]) < counts, keys, -1)

    def save(self, path: Path) -> None:
        """Write the graph.

        Raises:
            OSError: the disk refuses; usearch itself does not say why.
        """
        try:
            self._made.save(str(path))
        except RuntimeError as error:
            full = shutil.disk_usage(path.parent).free < self.size
            code = errno.ENOSPC if full else errno.EIO
            raise OSError(code, os.strerror(code), str(path)) from error

    @property
    def size(self) -> int:
        """Bytes that the graph takes on the disk."""
        return int(self._made.serialized_length)
