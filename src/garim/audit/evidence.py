"""All that the checks judge by, gathered in one pass over the pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from garim.audit.looking import Looking, look_of, views_of
from garim.audit.looks import Looks
from garim.audit.networks import Judge, Seen
from garim.audit.settings import AuditSettings
from garim.copies import Copy, find_copies, groups_of
from garim.dataset import Dataset
from garim.errors import Failure, ModelError
from garim.execution import ExecutionSettings, executed
from garim.execution.shards import ERROR
from garim.formats.rows import Row
from garim.plan import Edit, Kind, Subject

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True)
class Evidence:
    """A dataset, a look at each of its files, and what a network saw in them."""

    dataset: Dataset
    settings: AuditSettings
    names: tuple[str, ...]
    """Each file once."""
    looks: Looks
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
        return find_copies(self.names, self.looks.prints, self.dataset.root)

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """Number of the group of copies of each file."""
        return np.array(groups_of(len(self.names), self.copies), dtype=np.int64)

    @cached_property
    def _by_file(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Numbers of the rows by their files, and where each file's begin and end."""
        order = np.argsort(self.file_of, kind="stable")
        return order, np.searchsorted(self.file_of[order], np.arange(len(self.names) + 1))

    def rows_of(self, file: int) -> list[int]:
        """Give the numbers of the rows of a file."""
        order, ends = self._by_file
        rows: list[int] = order[ends[file] : ends[file + 1]].tolist()
        return rows

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

    def per_row(self, measured: NDArray[T]) -> NDArray[T]:
        """Bring what is known of files to their rows."""
        return measured[self.file_of]

    def edit(self, number: int, kind: Kind, reason: str, check: str, to: str | None = None) -> Edit:
        """Propose an edit of a row's picture as it is now."""
        row = self.row(number)
        made = Edit(picture=row.file_name, edit=kind, label=row.label, reason=reason, check=check,
                    to=to)  # fmt: skip
        return made.about(self.subject(number))

    def subject(self, number: int) -> Subject:
        """Name a row's picture as it is now."""
        row, seen = self.row(number), self.looks[self.file_of[number]]
        known = Subject(picture=row.file_name, split=row.split)
        if seen is None:
            return known
        return replace(known, digest=seen.fingerprint.digest, size=seen.fingerprint.size)


def gather(
    dataset: Dataset,
    settings: AuditSettings,
    judge: Judge | None,
    execution: ExecutionSettings | None = None,
) -> Evidence:
    """Open every picture once, measure it, and show it to the network if there is one."""
    names = tuple(dict.fromkeys(row.file_name for row in dataset.rows))
    looks = Looks()
    views: list[dict[str, NDArray[np.float32]] | None] = []
    failures: list[Failure] = []
    about = {"dataset": str(dataset.root.resolve()), "model": judge and judge.digest()}
    stage = Looking(root=dataset.root.absolute(), judge=judge)
    with executed(stage, names, execution, about=about, description="Auditing") as found:
        for name, record in found:
            if record[ERROR] is not None:
                failures.append(Failure(name, record[ERROR]))
                looks.append(None)
                views.append(None)
            else:
                looks.append(look_of(record))
                views.append(views_of(record))
    evidence = Evidence(dataset, settings, names, looks, tuple(failures))
    return evidence if judge is None else replace(evidence, seen=judge.seen(views))
