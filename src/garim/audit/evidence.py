"""All that the checks judge by, gathered in one pass over the pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from garim.audit.look import Look, look
from garim.audit.networks import Judge, Seen
from garim.audit.settings import AuditSettings
from garim.copies import Copy, find_copies, groups_of
from garim.dataset import Dataset
from garim.errors import Failure, ModelError, PictureError
from garim.formats.rows import Row
from garim.plan import Edit, Kind
from garim.streaming import chunks, stream, track

_AT_ONCE = 32


@dataclass(frozen=True)
class Evidence:
    """A dataset, a look at each of its files, and what a network saw in them."""

    dataset: Dataset
    settings: AuditSettings
    names: tuple[str, ...]
    """Each file once."""
    looks: tuple[Look | None, ...]
    """One per file; None for those that cannot be opened."""
    failures: tuple[Failure, ...]
    seen: Seen | None = None
    """What a network saw in the files that can be opened."""

    @cached_property
    def file_of(self) -> NDArray[np.int64]:
        """Number of each row's file."""
        number = {name: index for index, name in enumerate(self.names)}
        return np.array([number[row.file_name] for row in self.dataset.rows], dtype=np.int64)

    @cached_property
    def copies(self) -> list[Copy]:
        """Pairs of files that are copies."""
        paths = [self.dataset.root / name for name in self.names]
        return find_copies(paths, [None if one is None else one.fingerprint for one in self.looks])

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """Number of the group of copies of each file."""
        return np.array(groups_of(len(self.names), self.copies), dtype=np.int64)

    @cached_property
    def rows_of(self) -> list[list[int]]:
        """Numbers of the rows of each file."""
        found: list[list[int]] = [[] for _ in self.names]
        for row, file in enumerate(self.file_of):
            found[file].append(row)
        return found

    @cached_property
    def targets(self) -> NDArray[np.int64]:
        """Class number of each row, −1 where it has no label."""
        number = self.dataset.class_index()
        return np.array([number.get(row.label or "", -1) for row in self.dataset.rows], np.int64)

    @property
    def of_network(self) -> Seen:
        """What a network saw.

        Raises:
            ModelError: there was none.
        """
        if self.seen is None:
            raise ModelError("this check needs a model, or weights")
        return self.seen

    def row(self, number: int) -> Row:
        """Give a row."""
        return self.dataset.rows[number]

    def per_row(self, measure: Callable[[Look], float]) -> NDArray[np.float64]:
        """Measure every row's file; NaN where it cannot be opened."""
        values = [np.nan if one is None else measure(one) for one in self.looks]
        return np.array(values, dtype=np.float64)[self.file_of]

    def edit(self, number: int, kind: Kind, reason: str, check: str, to: str | None = None) -> Edit:
        """Propose an edit of a row's picture as it is now."""
        row, seen = self.row(number), self.looks[self.file_of[number]]
        known = Edit(picture=row.file_name, edit=kind, label=row.label, split=row.split,
                     reason=reason, check=check, to=to)  # fmt: skip
        if seen is None:
            return known
        return replace(known, digest=seen.fingerprint.digest, size=seen.fingerprint.size)


def gather(dataset: Dataset, settings: AuditSettings, judge: Judge | None) -> Evidence:
    """Open every picture once, measure it, and show it to the network if there is one."""
    names = tuple(dict.fromkeys(row.file_name for row in dataset.rows))
    paths = [dataset.root / name for name in names]
    square = None if judge is None else judge.side
    looks: list[Look | None] = []
    failures: list[Failure] = []

    def opened(path: Path) -> Look:
        return look(path, square)

    streamed = track(stream(opened, paths), "Auditing", len(paths))
    for part in chunks(streamed, _AT_ONCE):
        good: list[Look] = []
        for (_, result), name in zip(part, names[len(looks) :], strict=False):
            if isinstance(result, PictureError):
                failures.append(Failure(name, result.reason))
                looks.append(None)
            else:
                good.append(result)
                looks.append(replace(result, square=None))
        if judge is not None and good:
            judge.see(_pixels(good), [one.fingerprint.digest for one in good])
    found = Evidence(dataset, settings, names, tuple(looks), tuple(failures))
    return found if judge is None else replace(found, seen=judge.seen(found.looks))


def _pixels(good: Sequence[Look]) -> NDArray[np.uint8]:
    return np.stack([one.square for one in good if one.square is not None])
