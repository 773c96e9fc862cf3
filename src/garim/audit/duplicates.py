"""Copies within the dataset: which to leave out, and which tell the test set's secrets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace

import numpy as np

from garim.audit.evidence import Evidence
from garim.audit.findings import Finding, Pair
from garim.copies import Copy, Kind, groups_of
from garim.plan import Edit

SAME: tuple[Kind, ...] = ("exact", "recompressed", "near")
"""Kinds of which one is enough; of the others, both may be wanted, on one side of a split."""

_LATER = {"train": 0, None: 0, "validation": 1, "test": 2}
"""A copy is kept where fewer pictures are: the test set stays whole."""


def of_kind(kind: Kind) -> Callable[[Evidence], Finding]:
    """Give the check for one kind of copies."""

    def check(evidence: Evidence) -> Finding:
        pairs = list(_row_pairs(evidence, (kind,)))
        edits = _drops(evidence, kind) if kind in SAME else ()
        return _finding(evidence, pairs, edits)

    check.__doc__ = f"Find pictures of which there are {kind} copies."
    return check


def across_splits(evidence: Evidence) -> Finding:
    """Find copies in different splits: what is learned on one is tested on the other.

    Copies of which one is enough are left out by their own checks, where the test picture stays;
    the others move to the split that is trained on.
    """
    pairs = [p for p in _row_pairs(evidence) if _splits(evidence, p) == 2]
    edits = []
    for members in _groups(evidence, [copy for copy in evidence.copies if copy.kind not in SAME]):
        rows = [row for file in members for row in evidence.rows_of(file)]
        first = min(rows, key=lambda row: _LATER.get(evidence.row(row).split, 0))
        to = evidence.row(first).split
        for row in rows:
            one = evidence.row(row)
            if one.split != to and one.label == evidence.row(first).label and to is not None:
                reason = f"a changed copy of {evidence.row(first).file_name}, which is in {to}"
                edits.append(evidence.edit(row, "move", reason, "across_splits", to=to))
    return _finding(evidence, pairs, edits)


def across_classes(evidence: Evidence) -> Finding:
    """Find copies with different labels.

    Which label is right, this check cannot know: `label_errors` judges each.
    """
    pairs = [
        pair
        for pair in _row_pairs(evidence)
        if evidence.row(pair.first).label != evidence.row(pair.second).label
    ]
    return _finding(evidence, pairs, ())


def _finding(evidence: Evidence, pairs: Iterable[Pair], edits: Iterable[Edit]) -> Finding:
    """Score each row by its likest copy: 1 where there is none."""
    scores = np.ones(len(evidence.dataset))
    listed = tuple(pairs)
    for pair in listed:
        for row in (pair.first, pair.second):
            scores[row] = min(scores[row], 1 - pair.similarity)
    issues = np.zeros(len(scores), dtype=bool)
    issues[[row for pair in listed for row in (pair.first, pair.second)]] = True
    return Finding(scores=scores, issues=issues, pairs=listed, edits=tuple(edits))


def _row_pairs(evidence: Evidence, kinds: Collection[Kind] = ()) -> Iterator[Pair]:
    """Give the rows of the files that are copies; rows of one file are no copies."""
    for copy in evidence.copies:
        if not kinds or copy.kind in kinds:
            for first in evidence.rows_of(copy.first):
                for second in evidence.rows_of(copy.second):
                    yield Pair(first, second, copy.similarity, copy.kind)


def _splits(evidence: Evidence, pair: Pair) -> int:
    return len({evidence.row(pair.first).split, evidence.row(pair.second).split})


def _groups(evidence: Evidence, copies: Iterable[Copy]) -> list[list[int]]:
    """Files that are copies of each other, or of copies."""
    groups = np.array(groups_of(len(evidence.names), copies))
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    sizes = np.diff(starts, append=len(order))
    several = sizes > 1
    return [order[start : start + size].tolist()
            for start, size in zip(starts[several], sizes[several], strict=True)]  # fmt: skip


def _drops(evidence: Evidence, kind: Kind) -> Iterator[Edit]:
    """Of each group, keep one row of every label; name this kind's pictures only."""
    mine = {file for copy in evidence.copies if copy.kind == kind
            for file in (copy.first, copy.second)}  # fmt: skip
    same = [copy for copy in evidence.copies if copy.kind in SAME]
    for members in _groups(evidence, same):
        by_label: dict[str | None, list[int]] = defaultdict(list)
        for file in members:
            for row in evidence.rows_of(file):
                by_label[evidence.row(row).label].append(row)
        for rows in by_label.values():
            kept, *others = sorted(rows, key=lambda row: _worth(evidence, row), reverse=True)
            for row in others:
                if (
                    evidence.file_of[row] in mine
                    and evidence.file_of[row] != evidence.file_of[kept]
                ):
                    reason = f"{_WORDS[kind]} {evidence.row(kept).file_name}"
                    drop = evidence.edit(row, "drop", reason, f"{kind}_duplicates")
                    yield replace(drop, kept=evidence.subject(kept))


_WORDS = {"exact": "the same file as", "recompressed": "the same picture as", "near": "much like"}


def _worth(evidence: Evidence, row: int) -> tuple[int, int, int, str]:
    """Which of two copies is better: the one for testing, then the larger, then the first."""
    one = evidence.looks[evidence.file_of[row]]
    pixels, size = (0, 0) if one is None else (int(np.prod(one.fingerprint.size)), one.bytes)
    name = evidence.row(row).file_name
    return _LATER.get(evidence.row(row).split, 0), pixels, size, _reversed(name)


def _reversed(name: str) -> str:
    """Let the first of two names be the larger."""
    return "".join(chr(0x10FFFF - ord(letter)) for letter in name)
