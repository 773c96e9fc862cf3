"""One review: a plan, what is decided about it, and which picture files may be shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

from garim import files, formats
from garim.dataset import Dataset
from garim.errors import DatasetError, PlanError
from garim.plan import Applied, ApplySettings, Edit, Plan, apply, dataset_of
from garim.plan.decisions import Choice, Decisions, decided, merged, misfit
from garim.plan.edits import State
from garim.plan.in_place import check_new_name
from garim.plan.reading import Proposals, proposals
from garim.report.parts import is_scored
from garim.web.groups import Groups

STATES = {"proposed": "p", "accepted": "a", "rejected": "r"}
"""The letter that stands for each state in the page's list of states."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since the page last asked."""

    revision: int
    states: dict[int, str]
    """Letter of the state, by number of the edit."""

    def to_dict(self) -> dict[str, Any]:
        """Give the changes as the page reads them."""
        return {"revision": self.revision, "changes": list(self.states.items())}


class Session:
    """A plan under review; every method may be called from many threads at once.

    Raises:
        PlanError: the plan or its decisions cannot be read.
        DatasetError: the dataset is not where it was.
    """

    def __init__(self, path: Path, data: Path | None = None, *, read_only: bool = False) -> None:
        self.path = path.resolve()
        self.read_only = read_only
        found: Proposals = proposals(self.path)
        self.plan, self._keys = found.plan, found.keys
        self.scored = is_scored(self.plan)
        self._numbers: dict[str, list[int]] = {}
        for number, key in enumerate(self._keys):
            self._numbers.setdefault(key, []).append(number)
        self._decisions = Decisions(self.path)
        self._groups = Groups(self.plan.edits)
        self._lock, self._applying = Lock(), Lock()
        self._data = (data or self.plan.dataset).expanduser()
        if not formats.is_there(self._data):
            raise DatasetError(
                f"{self._data}: there is no such file or folder; if the dataset of the plan was "
                "moved, name its place with --data"
            )
        reader = ThreadPoolExecutor(1, thread_name_prefix="dataset")
        self._dataset: Future[Dataset] = reader.submit(dataset_of, self.plan, self._data)
        reader.shutdown(wait=False)

    def __len__(self) -> int:
        return len(self.plan)

    @property
    def dataset(self) -> Dataset:
        """The dataset of the plan; it is read while the page opens.

        Raises:
            DatasetError: it cannot be read.
        """
        return self._dataset.result()

    @cached_property
    def _listed(self) -> dict[str, Path]:
        """The only files that are ever opened for the page, by their name in one Unicode form."""
        return {files.nfc(row.file_name): self.dataset.path(row) for row in self.dataset.rows}

    def edit(self, number: int) -> Edit:
        """Give an edit as it stands now."""
        return decided(self.plan.edits[number], self._decisions.verdicts.get(self._keys[number]))

    def file_of(self, number: int, *, kept: bool = False) -> Path:
        """Give the file of an edit's picture, or of the copy that is kept instead of it.

        Raises:
            DatasetError: the dataset has no such picture.
        """
        edit = self.edit(number)
        name = edit.picture if not kept else edit.kept.picture if edit.kept else ""
        found = self._listed.get(files.nfc(name))
        if found is None:
            raise DatasetError(f"{name or edit.picture}: is not in the dataset")
        if not found.is_file():
            raise DatasetError(f"{name}: is gone; was a plan applied in place meanwhile?")
        return found

    @property
    def revision(self) -> int:
        """How many decisions have been written."""
        return len(self._decisions.changed)

    def states(self) -> str:
        """Give the states of all edits, a letter each."""
        return "".join(STATES[self._state(number)] for number in range(len(self)))

    def changes(self, since: int) -> Changes:
        """Give the states of the edits that were decided after a revision."""
        with self._lock:
            lines = self._decisions.changed[since:] if since <= self.revision else [self._keys]
            numbers = {n for keys in lines for key in keys for n in self._numbers.get(key, ())}
            return Changes(self.revision, {n: STATES[self._state(n)] for n in numbers})

    def _state(self, number: int) -> State:
        verdict = self._decisions.verdicts.get(self._keys[number])
        return self.plan.edits[number].state if verdict is None else verdict.state

    def decide(self, numbers: Sequence[int], values: dict[str, Any]) -> None:
        """Write down a decision about some edits.

        Args:
            numbers: which edits.
            values: what is set: ``state``; ``box`` and ``to``, a label; or ``keep``, the file name
                of the copy that is to stay, for one edit. None is as it was proposed.

        Raises:
            PlanError: an edit that cannot be decided so.
        """
        self._may_write()
        for number in numbers if values.keys() - {"state"} else ():
            self._check(self.plan.edits[number], values)
        with self._lock:
            self._decisions.decide(*self._choices(numbers, values))

    def _choices(self, numbers: Sequence[int], values: dict[str, Any]) -> list[Choice]:
        if "keep" not in values:
            return [([self._keys[n] for n in numbers], values)]
        if len(numbers) != 1:
            raise PlanError("the copy that stays is chosen for one edit at a time")
        (number,), rest, keep = numbers, dict(values), values["keep"]
        del rest["keep"]
        if keep is None:
            changes = self._groups.as_proposed(number, self.edit)
        else:
            changes = self._groups.chosen(number, keep, self.edit)
        (_, own), *others = changes
        return [([self._keys[number]], own | rest), *(([self._keys[n]], v) for n, v in others)]

    def _check(self, edit: Edit, values: dict[str, Any]) -> None:
        refused = misfit(edit, values)
        if refused:
            raise PlanError(f"{edit.picture}: {refused}")
        if values.get("to") is not None:
            check_new_name(replace(edit, edit="relabel", to=str(values["to"])))

    def undo(self) -> bool:
        """Take the last decision back; False when there is none."""
        self._may_write()
        with self._lock:
            return self._decisions.undo()

    def _may_write(self) -> None:
        if self.read_only:
            raise PlanError("this review is read-only; start it without --read-only to decide")

    def target(self, name: str) -> Path:
        """Give the folder of a new dataset: a new one beside the plan.

        Raises:
            DatasetError: the name is a path or hidden, or the folder exists.
        """
        folder = self.path.parent / name
        if not name or name != Path(name).name or name.startswith(".") or "\\" in name:
            raise DatasetError(f"{name!r}: give the name of a new folder, without a path")
        if folder.exists():
            raise DatasetError(f"{folder}: is there already; give another name")
        return folder

    def free_name(self) -> str:
        """Propose the name of a folder for the new dataset."""
        stem = f"{self.plan.dataset.stem or 'dataset'}-reviewed"
        names = [stem, *(f"{stem}-{n}" for n in range(2, 1000))]
        return next(name for name in names if not (self.path.parent / name).exists())

    def apply(self, name: str, settings: ApplySettings) -> Applied:
        """Carry out the plan with all decisions, into a new folder beside the plan.

        Raises:
            DatasetError: the folder cannot be, or another apply is going on.
        """
        self._may_write()
        folder = self.target(name)
        if not self._applying.acquire(blocking=False):
            raise DatasetError("another apply is going on; wait for it")
        try:
            return apply(self.current(), to=folder, data=self._data, settings=settings)
        finally:
            self._applying.release()

    def current(self) -> Plan:
        """Give the plan with all decisions."""
        with self._lock:
            verdicts = dict(self._decisions.verdicts)
        return replace(self.plan, edits=merged(self.plan.edits, self._keys, verdicts))

    @property
    def report(self) -> Path | None:
        """The report that `extract` or `audit` left beside the plan."""
        pages = (self.path.with_suffix(".html"), self.path.with_name("report.html"))
        return next((page for page in pages if page.is_file()), None)


def columns(session: Session) -> dict[str, Any]:
    """Give what the page filters and sorts by: a column per field, texts as numbers of a table."""
    edits = session.plan.edits
    fields: dict[str, Callable[[Edit], str | None]] = {
        "edit": lambda edit: "failed" if edit.error is not None else edit.edit,
        "check": lambda edit: edit.check,
        "label": lambda edit: edit.label,
        "split": lambda edit: edit.split,
    }
    coded: dict[str, Any] = {}
    for name, value in fields.items():
        values = [value(edit) or "" for edit in edits]
        table = sorted(set(values))
        number = {text: place for place, text in enumerate(table)}
        coded[name] = {"table": table, "values": [number[text] for text in values]}
    coded["before"] = [edit.score_before for edit in edits]
    coded["after"] = [edit.score_after if session.scored else None for edit in edits]
    return coded


def details(session: Session, number: int) -> dict[str, Any]:
    """Give all that a card and the closer look show of an edit."""
    edit = session.edit(number)
    original = session.plan.edits[number]
    plain = edit.to_dict()
    plain.pop("digest", None)
    if not session.scored:
        plain.pop("score_after", None)
    plain["number"] = number
    plain["can_keep"] = edit.edit == "drop" and edit.kept is not None
    plain["can_draw"] = misfit(original, {"box": True}) is None and original.size is not None
    plain["can_label"] = misfit(original, {"to": True}) is None
    return plain
