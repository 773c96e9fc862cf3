"""Vectors and their rows on the disk, in parts; exact search up to a limit, a graph above it.

The folder holds ``config.json``, ``vectors-<from>-<to>.npy`` and ``rows-<from>-<to>.parquet`` of
every part, and ``graph-<to>.usearch``. A part is written under a name of its own, and counts from
the moment that the config, which is replaced as one step, names it: whoever is killed in between
leaves the store as it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from operator import index as whole
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from garim import files, locks
from garim.errors import DatasetError
from garim.formats import parquet
from garim.models.embedder import Vectors
from garim.similarity.graph import EXPANSIONS, Graph, GraphCard

VERSION = 1
CONFIG = "config.json"

PART = 8192
"""Vectors of a full part. Only the last part of a store may have fewer."""

MOST_COMPONENTS = 65_536
"""More numbers than any network's vectors have."""

MOST_VECTORS = 2**40
"""More than any disk holds."""

TAIL = 10_000
"""Vectors that the graph may lack; they are compared one by one."""

_ASKED, _NEAREST = 300, 10
"""Queries that the graph is tuned on, and neighbours that each should find."""

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    """What a store says about itself."""

    components: int
    half: bool = False
    """Whether vectors are kept as float16."""
    exact_up_to: int = 100_000
    recall: float = 0.95
    ends: tuple[int, ...] = ()
    """Number of vectors up to the end of each part."""
    graph: GraphCard | None = None
    about: dict[str, Any] = field(default_factory=dict)
    """What was embedded, and by what."""


class Store:
    """Vectors of length 1 with a row each.

    Args:
        folder: of the store.

    Raises:
        DatasetError: there is no store, or one that a newer Garim wrote.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.config = _read(self.folder / CONFIG)
        self._opened: dict[tuple[int, int], NDArray[Any]] = {}

    @classmethod
    def create(cls, folder: Path | str, config: StoreConfig) -> Store:
        """Begin an empty store in a new or empty folder."""
        _write(Path(folder) / CONFIG, config)
        return cls(folder)

    def __len__(self) -> int:
        return self.config.ends[-1] if self.config.ends else 0

    @property
    def spans(self) -> list[tuple[int, int]]:
        """First number, and the one past the last, of each part."""
        return list(pairwise((0, *self.config.ends)))

    def append(self, vectors: Vectors, rows: pl.DataFrame) -> None:
        """Add vectors ``(n, components)`` with their rows, as one step."""
        old = self.config
        start, keep = len(self), list(old.ends)
        parts, tables = [vectors.astype(self._dtype)], [rows]
        if keep and start - (keep[-2] if len(keep) > 1 else 0) < PART:  # the last is not full
            keep.pop()
            start = keep[-1] if keep else 0
            span = (start, old.ends[-1])
            parts.insert(0, np.array(self._vectors(span)))
            tables.insert(0, self._rows(span))
        together, table = np.concatenate(parts), pl.concat(tables)
        for first in range(0, len(together), PART):
            piece = together[first : first + PART]
            span = (start + first, start + first + len(piece))
            self._write(span, piece, table[first : first + PART])
            keep.append(span[1])
        self._commit(replace(old, ends=tuple(keep)))

    def _write(self, span: tuple[int, int], vectors: NDArray[Any], rows: pl.DataFrame) -> None:
        files.write_streamed(self._path("vectors", span), lambda out: np.save(out, vectors))
        files.write_streamed(self._path("rows", span), rows.write_parquet)

    def _commit(self, config: StoreConfig) -> None:
        """Let a new config count, and remove the files that only the old one names."""
        _write(self.folder / CONFIG, config)
        self.config = config
        self._opened.clear()
        self.__dict__.pop("_graph", None)
        named = {self._path(kind, span).name for kind in _SUFFIXES for span in self.spans}
        named |= {config.graph.file} if config.graph else set()
        for kind in (*_SUFFIXES, "graph"):
            for path in self.folder.glob(f"{kind}-*"):
                if path.name not in named:
                    path.unlink(missing_ok=True)

    def finish(self) -> None:
        """Bring the graph up to date, where there are enough vectors for one."""
        count, old = len(self), self.config.graph
        covered = old.count if old else 0
        if count <= self.config.exact_up_to or (old and count - covered <= TAIL):
            return
        graph = Graph.grown(self.folder, old, self.config.components)
        drawn = covered + np.random.default_rng(0).permutation(count - covered)[:_ASKED]
        queries = self.vectors(drawn)
        graph.add(self._without(drawn, covered), count - covered - len(drawn))
        expansion, recall = self._tuned(graph, drawn, queries)
        graph.add([(drawn, queries)], len(drawn))
        name = f"graph-{count:09}.usearch"
        with files.replacing(self.folder / name, graph.size) as temporary:
            graph.save(temporary)
        self._commit(replace(self.config, graph=GraphCard(
            file=name, count=count, expansion=expansion, recall=round(recall, 4),
            measured_on=len(drawn),
        )))  # fmt: skip

    def _without(self, left_out: Numbers, start: int) -> Iterator[tuple[Numbers, Vectors]]:
        for first, block in self.blocks(start):
            numbers = np.arange(first, first + len(block))
            kept = ~np.isin(numbers, left_out)
            yield numbers[kept], block[kept]

    def _tuned(self, graph: Graph, drawn: Numbers, queries: Vectors) -> tuple[int, float]:
        """Look at as many candidates as it takes to find enough of the nearest vectors.

        The queries are vectors that the graph does not have yet, as new pictures are.
        """
        true = np.zeros((len(queries), _NEAREST), np.int64)
        for row, near in enumerate(self.exact(queries, _NEAREST + len(drawn))[0]):
            true[row] = near[~np.isin(near, drawn)][:_NEAREST]
        expansion, recall = 0, 0.0
        for expansion in EXPANSIONS:
            found = graph.search(queries, self._asked_for(_NEAREST), expansion)
            recall = recall_of(best(found, self._alike(queries, found), _NEAREST)[0], true)
            if recall >= self.config.recall:
                break
        return expansion, recall

    def _asked_for(self, wanted: int) -> int:
        """Give how many to ask a graph for: its vectors are rounded, and their order with them."""
        return 2 * wanted + 8

    def nearest(self, queries: Vectors, count: int) -> tuple[Numbers, Vectors]:
        """Find the most alike vectors of each query ``(n, components)``, best first.

        Returns:
            Their numbers and cosine similarities, shape ``(n, count)``; fewer columns when there
            are fewer vectors.
        """
        card, wanted = self.config.graph, min(count, len(self))
        if card is None or not wanted:
            return self.exact(queries, wanted)
        numbers = self._graph.search(queries, self._asked_for(wanted), card.expansion)
        near = self._alike(queries, numbers)
        tail, alike = self.exact(queries, min(wanted, len(self) - card.count), card.count)
        return best(np.hstack([numbers, tail]), np.hstack([near, alike]), wanted)

    def exact(self, queries: Vectors, count: int, start: int = 0) -> tuple[Numbers, Vectors]:
        """Compare queries with all vectors from a number on."""
        numbers: Numbers = np.zeros((len(queries), 0), np.int64)
        near: Vectors = np.zeros((len(queries), 0), np.float32)
        for first, block in self.blocks(start) if count else ():
            alike = queries @ block.T
            kept = min(count, alike.shape[1])
            chosen = np.argpartition(-alike, kept - 1, axis=1)[:, :kept]
            near = np.hstack([near, np.take_along_axis(alike, chosen, axis=1)])
            numbers, near = best(np.hstack([numbers, chosen + first]), near, count)
        return numbers, near

    def blocks(self, start: int = 0) -> Iterator[tuple[int, Vectors]]:
        """Give all vectors from a number on, part by part: the first one's number, and them."""
        for span in self.spans:
            if span[1] > start:
                skipped = max(start - span[0], 0)
                yield span[0] + skipped, np.asarray(self._vectors(span)[skipped:], np.float32)

    def vectors(self, numbers: Numbers) -> Vectors:
        """Give some vectors, shape ``(n, components)``."""
        found = np.empty((len(numbers), self.config.components), np.float32)
        part = np.searchsorted(self.config.ends, numbers, side="right")
        for one in np.unique(part):
            span, mine = self.spans[one], part == one
            found[mine] = self._vectors(span)[numbers[mine] - span[0]]
        return found

    def rows(
        self, numbers: Numbers | None = None, columns: list[str] | None = None
    ) -> pl.DataFrame:
        """Give some rows in the order asked for, or all."""
        if numbers is None:
            tables = [self._rows(span, columns) for span in self.spans]
            return pl.DataFrame(pl.concat(tables)) if tables else pl.DataFrame()
        part = np.searchsorted(self.config.ends, numbers, side="right")
        read = {one: self._rows(self.spans[one]) for one in set(part.tolist())}
        found = [read[one][int(n) - self.spans[one][0]]
                 for n, one in zip(numbers, part.tolist(), strict=True)]  # fmt: skip
        return pl.DataFrame(pl.concat(found))

    def having(self, column: str, value: str, columns: list[str]) -> pl.DataFrame:
        """Give columns of the rows with a value in another; no more than those are held."""
        paths = [self._path("rows", span) for span in self.spans]
        with _errors_named(self.folder):
            for path in paths:
                parquet.check(path)
            found = pl.scan_parquet(paths).filter(pl.col(column) == value).select(columns)
            return pl.DataFrame(found.collect())

    @cached_property
    def _graph(self) -> Graph:
        card = self.config.graph
        if card is None:
            raise DatasetError(f"{self.folder}: has no graph")
        return Graph.opened(self.folder / card.file)

    def _alike(self, queries: Vectors, numbers: Numbers) -> Vectors:
        """Cosine similarity of each query with vectors of its own; −2 where there is none."""
        found = self.vectors(np.maximum(numbers, 0).reshape(-1))
        each = found.reshape(*numbers.shape, -1)
        alike = np.einsum("nc,nkc->nk", queries, each)
        return np.asarray(np.where(numbers < 0, -2, alike), dtype=np.float32)

    @property
    def _dtype(self) -> type[np.float16 | np.float32]:
        return np.float16 if self.config.half else np.float32

    def _path(self, kind: str, span: tuple[int, int]) -> Path:
        return self.folder / f"{kind}-{span[0]:09}-{span[1]:09}{_SUFFIXES[kind]}"

    def _vectors(self, span: tuple[int, int]) -> NDArray[Any]:
        """Open a part's vectors where they are on the disk."""
        if span in self._opened:
            return self._opened[span]
        path = self._path("vectors", span)
        with _errors_named(path):
            found: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        if found.shape != (span[1] - span[0], self.config.components):
            raise DatasetError(f"{path}: holds {found.shape} numbers, not what the config says")
        self._opened[span] = found
        return found

    def _rows(self, span: tuple[int, int], columns: list[str] | None = None) -> pl.DataFrame:
        path = self._path("rows", span)
        with _errors_named(path):
            found = parquet.read(path, columns)
        if len(found) != span[1] - span[0]:
            raise DatasetError(f"{path}: holds {len(found)} rows, not what the config says")
        return found


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    """Say which file of the store is broken; NumPy's and Polars' parsers raise nearly anything."""
    try:
        yield
    except (Exception, pl.exceptions.PanicException) as error:  # a panic is no Exception
        raise DatasetError(f"{path}: cannot be read; make the index again: {error}") from error


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Let nobody else write to a store while the block runs; remove what a killed writer left.

    Raises:
        DatasetError: another process is writing to it, or it cannot be written.
    """
    with locks.alone(folder / ".lock", folder, "being written"):
        files.remove_strays(folder)
        yield


_SUFFIXES = {"vectors": ".npy", "rows": ".parquet"}


def best(numbers: Numbers, near: Vectors, count: int) -> tuple[Numbers, Vectors]:
    """Keep the nearest of each row, best first; of equals the lower number."""
    order = np.lexsort((numbers, -near), axis=1)[:, :count]
    return np.take_along_axis(numbers, order, axis=1), np.take_along_axis(near, order, axis=1)


def recall_of(found: Numbers, true: Numbers) -> float:
    """Share of the true neighbours ``(n, k)`` that are among those found, row by row."""
    pairs = zip(found, true, strict=True)
    return float(np.mean([np.isin(right, mine).mean() for mine, right in pairs]))


def _read(path: Path) -> StoreConfig:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        version = int(told.pop("version"))
        if version > VERSION:
            raise DatasetError(f"{path}: was written by a newer Garim; update this one to read it")
        graph = GraphCard(**told["graph"]) if told["graph"] else None
        ends = tuple(map(whole, told["ends"]))
        components = whole(told["components"])
        if not (0 < components <= MOST_COMPONENTS and isinstance(told["about"], dict)):
            raise ValueError(f"{components} components, about {told['about']!r:.80}")
        if (0, *ends) != tuple(sorted({0, *ends})) or max(ends, default=0) > MOST_VECTORS:
            raise ValueError(f"parts that end at {ends!s:.80}")
        return StoreConfig(**{**told, "graph": graph, "ends": ends, "components": components})
    except (OSError, ValueError, OverflowError, RecursionError) as error:
        raise DatasetError(
            f"{path.parent}: is no index of `garim search index`: {error}"
        ) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path}: does not describe an index: {error!r}") from error


def _write(path: Path, config: StoreConfig) -> None:
    files.write_json(path, {"version": VERSION, **asdict(config)})
