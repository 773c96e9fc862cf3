"""What looks like this picture? And how good are the answers?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from garim.boxes import Box
from garim.copies import Fingerprint, find_copies, fingerprint
from garim.dataset import Dataset
from garim.errors import DatasetError, Failure, PictureError, SettingsError
from garim.models.classifier import Classifier
from garim.models.embedder import Embedder, Vectors
from garim.similarity.embeddings import embed, embedder_of, items_of, square
from garim.similarity.index import Index, opened
from garim.similarity.retrieval import RetrievalReport, queries_at_once, retrieval_report
from garim.similarity.settings import EmbedSettings
from garim.streaming import stream, track

LOOKED_AT = 24
"""Nearest pictures that are compared with the query's pixels, to see whether they are copies."""

MOST_QUERIES = 2000
"""Queries that an index is judged by; of more, so many are drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A picture, or an object in it, that is like the query."""

    picture: str
    root: Path
    label: str | None
    similarity: float
    """Cosine of the two embeddings, at most 1."""
    box: Box | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return self.root / self.picture

    def to_dict(self) -> dict[str, Any]:
        """Give the neighbour as it stands in ``--json``."""
        return {
            "picture": self.picture,
            "root": str(self.root),
            "label": self.label,
            "box": None if self.box is None else self.box.xywh(),
            "similarity": round(self.similarity, 6),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an index holds that is like a picture."""

    picture: Path
    box: Box | None
    neighbours: tuple[Neighbour, ...]
    """The most alike first."""
    already_here: tuple[dict[str, Any], ...]
    """Copies of the picture in the index: ``picture``, ``kind``, ``similarity`` of the pixels."""
    seconds: float
    failures: tuple[Failure, ...] = ()
    """Pictures of the index that could not be compared, such as ones that were moved."""

    def to_dict(self) -> dict[str, Any]:
        """Give the answer as it stands in ``--json``."""
        return {
            "picture": str(self.picture),
            "box": None if self.box is None else self.box.xywh(),
            "neighbours": [one.to_dict() for one in self.neighbours],
            "already_here": list(self.already_here),
            "seconds": round(self.seconds, 4),
            "failed": [failure.to_dict() for failure in self.failures],
        }


def query(
    index: Index | Path | str,
    picture: Path | str,
    box: Box | None = None,
    count: int = 10,
    model: Classifier | Embedder | None = None,
) -> Answer:
    """Find what is most like a picture, or like a box in it; and whether it is there already.

    Args:
        index: what is searched, or its folder.
        picture: a file.
        box: in pixels of the upright picture; the whole picture by default.
        count: neighbours.
        model: to be sure that it is the one that made the index.

    Raises:
        PictureError: the picture cannot be opened.
        ModelError: another model made the index.
        SettingsError: fewer than one neighbour is wanted.
        DatasetError: there is no index, or it is empty.
    """
    started = time.perf_counter()
    if count < 1:
        raise SettingsError([f"the number of neighbours must be at least 1, not {count}"])
    among = opened(index)
    if not len(among):
        raise DatasetError(f"{among.folder}: the index is empty; add pictures to it")
    if model is not None:
        among.check(embedder_of(model, EmbedSettings()))
    path = Path(picture)
    vector = among.embedder(np.stack([square(path, box, among.embedder.side)]))
    found = neighbours(among, vector, max(count, LOOKED_AT))
    copies, failures = _already_here(among, path, found)
    return Answer(
        picture=path, box=box, neighbours=tuple(found[:count]), already_here=tuple(copies),
        failures=tuple(failures), seconds=time.perf_counter() - started,
    )  # fmt: skip


def neighbours(index: Index, vector: Vectors, count: int) -> list[Neighbour]:
    """Find what is nearest to one vector ``(1, components)``."""
    numbers, alike = index.store.nearest(vector, count)
    rows = index.store.rows(numbers[0]).iter_rows(named=True)
    return [
        Neighbour(
            picture=row["picture"], root=Path(row["root"]), label=row["label"],
            similarity=float(value), box=None if row["box"] is None else Box.from_xywh(row["box"]),
        )
        for row, value in zip(rows, alike[0], strict=True)
    ]  # fmt: skip


def _already_here(
    index: Index, path: Path, found: Sequence[Neighbour]
) -> tuple[list[dict[str, Any]], list[Failure]]:
    """Look for the same file, and compare a picture's pixels with those of its neighbours."""
    mine, failures = fingerprint(path), []
    same = index.with_digest(mine.digest)
    copies = [{"picture": name, "root": root, "kind": "exact", "similarity": 1.0}
              for name, root in same]  # fmt: skip
    by_path = {one.path: one for one in found if (one.picture, str(one.root)) not in same}
    prints = track(stream(fingerprint, by_path), "Looking for copies", len(by_path))
    for (other, print_), one in zip(prints, by_path.values(), strict=True):
        if isinstance(print_, PictureError):
            failures.append(Failure(one.picture, print_.reason))
            continue
        pair: list[Fingerprint | None] = [mine, print_]
        copies += [
            {"picture": one.picture, "root": str(one.root), "kind": copy.kind,
             "similarity": round(copy.similarity, 4)}
            for copy in find_copies([path, other], pair)
        ]  # fmt: skip
    return copies, failures


def evaluate_search(
    index: Index | Path | str, queries: Dataset | None = None
) -> tuple[RetrievalReport, tuple[Failure, ...]]:
    """Judge an index by the labels of what it finds.

    Args:
        index: with labels, or its folder.
        queries: pictures with labels that are asked for; by default everything in the index asks
            for the rest (leave one out). Of more than 2,000 queries, so many are drawn.

    Raises:
        DatasetError: there is no index, or no query has a label that is in it.
    """
    index = opened(index)
    labels = index.labels()
    if queries is not None:
        vectors, wanted, failures = _embedded(index, queries)
        report = retrieval_report(_compared(index, vectors, None), wanted, labels)
        return report, tuple(failures)
    drawn = _drawn(len(index))
    parts = _compared(index, index.store.vectors(drawn), drawn)
    return retrieval_report(parts, [labels[i] for i in drawn], labels), ()


def _drawn(count: int) -> NDArray[np.int64]:
    everything = np.random.default_rng(0).permutation(count)
    return np.sort(everything[:MOST_QUERIES])


def _compared(
    index: Index, vectors: Vectors, own: NDArray[np.int64] | None
) -> Iterator[tuple[Sequence[int] | None, Vectors]]:
    """Compare queries with everything, some at a time."""
    step = queries_at_once(len(index))
    for start in track(range(0, len(vectors), step), "Comparing", -(-len(vectors) // step)):
        some = vectors[start : start + step]
        alike = np.hstack([some @ block.T for _, block in index.store.blocks()])
        yield None if own is None else own[start : start + step].tolist(), alike


def _embedded(index: Index, queries: Dataset) -> tuple[Vectors, list[str | None], list[Failure]]:
    items = items_of(queries.labelled(), index.settings.objects)
    chosen = [items[i] for i in _drawn(len(items))]
    failures: list[Failure] = list(queries.failures)
    vectors, labels = [], []
    found = embed(track(chosen, "Embedding queries", len(chosen)), index.embedder)
    for item, one in zip(chosen, found, strict=True):
        if isinstance(one, PictureError):
            failures.append(Failure(item.picture, one.reason))
        else:
            vectors.append(one.vector)
            labels.append(item.label)
    components = index.embedder.components
    return np.array(vectors, np.float32).reshape(-1, components), labels, failures
