"""How well a ranking by similarity brings together what has the same label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from garim.errors import DatasetError

AT = 10
"""Neighbours that precision is measured on."""

_NUMBERS_AT_ONCE = 2**24
"""Similarities that are held at a time (64 MiB)."""

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalReport:
    """Figures of a retrieval by label; means over the queries that have something to be found."""

    map: float
    """Mean average precision over the whole ranking."""
    precision_at_10: float
    """Share of the ten nearest that have the query's label."""
    bullseye: float
    """Share of a class that is among the first 2·m, m being the pictures of the class; a query
    that is in the index counts as found (the MPEG-7 bullseye score)."""
    nearest: float
    """Share of queries whose nearest has their label."""
    queries: int
    without_match: int
    """Queries left out: none of the index has their label."""
    per_class: dict[str, dict[str, float]]
    """The first three figures, and ``queries``, by label."""

    def to_dict(self) -> dict[str, Any]:
        """Give the report as it stands in ``--json``."""
        whole = {n: round(getattr(self, n), 6)
                 for n in ("map", "precision_at_10", "bullseye", "nearest")}  # fmt: skip
        counts = {"queries": self.queries, "without_match": self.without_match}
        return {**whole, **counts, "per_class": self.per_class}


def average_precision(relevant: Bools) -> Floats:
    """Average precision of rankings, bools of shape ``(n, ranks)``, best first: shape ``(n,)``.

    Equal to ``sklearn.metrics.average_precision_score`` where no two similarities are equal; 0
    where nothing is relevant.
    """
    found = relevant.cumsum(axis=1)
    precision = found / np.arange(1, relevant.shape[1] + 1)
    total = np.maximum(relevant.sum(axis=1), 1)
    return np.asarray((precision * relevant).sum(axis=1) / total, dtype=np.float32)


def retrieval_report(
    similarities: Iterator[tuple[Sequence[int] | None, Floats]],
    queries: Sequence[str | None],
    labels: Sequence[str | None],
) -> RetrievalReport:
    """Judge rankings by label.

    Args:
        similarities: of some queries after the other with everything in the index, ``(n, m)``;
            with the number in the index that each query has itself, or None if it is not in it.
        queries: label of each query.
        labels: label of everything in the index.

    Raises:
        DatasetError: no query has a label that is also in the index.
    """
    known = np.array([label or "" for label in labels])
    asked = np.array([label or "" for label in queries])
    figures, done = [], 0
    for own, alike in similarities:
        wanted = asked[done : done + len(alike)]
        figures.append(_figures(alike, wanted, known, own))
        done += len(alike)
    all_of = np.concatenate(figures) if figures else np.zeros((0, 5), np.float32)
    judged = all_of[:, 4] > 0
    if not judged.any():
        raise DatasetError("no query has a label that something else in the index has too")
    per_class = {
        str(name): _means(all_of[judged & (asked == name)]) for name in np.unique(asked[judged])
    }
    whole = all_of[judged].mean(axis=0)
    return RetrievalReport(
        map=float(whole[0]), precision_at_10=float(whole[1]), bullseye=float(whole[2]),
        nearest=float(whole[3]), queries=int(judged.sum()), without_match=int((~judged).sum()),
        per_class=per_class,
    )  # fmt: skip


def _means(rows: Floats) -> dict[str, float]:
    values = (round(float(v), 6) for v in rows[:, :3].mean(axis=0))
    return {**dict(zip(("map", "precision_at_10", "bullseye"), values, strict=True)),
            "queries": len(rows)}  # fmt: skip


def _figures(
    alike: Floats, wanted: NDArray[np.str_], known: NDArray[np.str_], own: Sequence[int] | None
) -> Floats:
    """AP, precision, bullseye, nearest, and whether there is anything to find: ``(n, 5)``."""
    scores = alike.astype(np.float32, copy=True)
    if own is not None:
        scores[np.arange(len(scores)), own] = np.inf  # itself comes first, and is looked at apart
    order = np.argsort(-scores, axis=1, kind="stable")
    relevant = (known[order] == wanted[:, None]) & (wanted[:, None] != "")
    total = relevant.sum(axis=1)
    found = relevant.cumsum(axis=1)
    reach = np.clip(2 * total, 1, relevant.shape[1]) - 1
    bullseye = found[np.arange(len(found)), reach] / np.maximum(total, 1)
    others = relevant[:, 1:] if own is not None else relevant
    there = others.any(axis=1)
    return np.column_stack([
        average_precision(others), others[:, :AT].sum(axis=1) / min(AT, max(others.shape[1], 1)),
        bullseye, others[:, 0] if others.shape[1] else there, there,
    ]).astype(np.float32)  # fmt: skip


def queries_at_once(count: int) -> int:
    """Give how many queries may be compared with ``count`` vectors at a time."""
    return max(1, _NUMBERS_AT_ONCE // max(count, 1))
