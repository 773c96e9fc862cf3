"""Embedding as a stage: pictures, or objects in them, to vectors; written down and read again."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from garim.boxes import Box
from garim.errors import Failure, PictureError
from garim.execution import Record, Results, Work, check_seen
from garim.execution.shards import ERROR
from garim.models.embedder import Embedder, Vectors
from garim.similarity.embeddings import Item, embed
from garim.similarity.store import Store

Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """The stage: items to vectors."""

    root: Path
    embedder: Embedder
    index: Path | None = None
    """Folder of an index, which every worker must see: what it has is not embedded again."""
    name: str = "embed"
    schema: ClassVar[dict[str, Any]] = {"digest": pl.String, "vector": pl.Binary}
    """The vector is float32, and null where the index has it."""

    def key(self, item: Item) -> str:
        """Name a picture, or a box in it."""
        return json.dumps([item.picture, None if item.box is None else item.box.xywh()])

    def open(self) -> Work[Item]:
        """Learn what the index has."""
        if self.index is None:
            return partial(self._work, frozenset())
        check_seen(self.index)
        return partial(self._work, keys(Store(self.index)))

    def _work(
        self, known: Collection[Key], items: Sequence[Item]
    ) -> Iterator[Record | PictureError]:
        placed = [replace(item, root=self.root) for item in items]
        for one in embed(placed, self.embedder, known):
            if isinstance(one, PictureError):
                yield one
            else:
                vector = None if one.vector is None else one.vector.astype(np.float32).tobytes()
                yield {"digest": one.digest, "vector": vector}


def gathered(
    found: Results[Item], failures: list[Failure]
) -> Iterator[tuple[Item, Vectors | None]]:
    """Give the items with their vectors ``(components,)``, and note what could not be opened."""
    for item, record in found:
        if record[ERROR] is not None:
            failures.append(Failure(item.picture, record[ERROR]))
        else:
            data = record["vector"]
            named = replace(item, digest=record["digest"])
            yield named, None if data is None else np.frombuffer(data, np.float32)


def keys(store: Store) -> set[Key]:
    """Tell what an index has: the key of every item."""
    rows = store.rows(columns=["digest", "box"]) if len(store) else pl.DataFrame()
    return {(digest, "" if box is None else _plain(box)) for digest, box in rows.iter_rows()}


def _plain(box: Sequence[float]) -> str:
    return str(Box.from_xywh(box).xywh())
