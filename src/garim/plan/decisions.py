"""What a reviewer decided about the edits of a plan: a file beside it that only grows.

``PLAN.decisions.jsonl`` holds a line per decision, flushed to the disk before it counts:

=========================================  ====================================================
``{"lines": [key, …], "set": {…}}``        some of ``state``, ``box``, ``to``, ``drop`` and
                                           ``keep`` of these edits; null means as it was proposed
``{"together": [{…}, {…}]}``               several of these as one decision
``{"undo": true}``                         takes the last decision back that still stands
=========================================  ====================================================

An edit is named by the digest of its line, so that a decision holds only for what the reviewer
saw; the plan itself is never written. A last line that was cut off is no decision.

``drop`` and ``keep`` are the pictures (`Subject`) of a group of copies that the edit leaves out and
that stays. Where another one stays, what else was proposed for the first is done to it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, get_args

from garim.boxes import Box
from garim.errors import PlanError
from garim.formats.labels import clean
from garim.plan.disk import append_line
from garim.plan.edits import Edit, Proposed, State, Subject, subject

REDRAWN = ("crop", "keep")
"""Edits whose box can be drawn; each becomes a crop."""

RELABELLED = ("crop", "keep", "drop", "relabel")
"""Edits whose label can be set, unless they are one of several objects; each becomes a relabel."""

FOLLOWING = ("relabel", "move")
"""Edits that are as right for a copy of their picture."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is decided about one edit; all but the state are None where the proposal stands."""

    state: State = "proposed"
    box: Box | None = None
    to: str | None = None
    drop: Subject | None = None
    """The copy to leave out."""
    keep: Subject | None = None
    """The copy that stays."""


Before = dict[str, Verdict | None]
Choice = tuple[Iterable[str], dict[str, Any]]
"""Keys of edits, and what is set."""


class Decisions:
    """The decisions about one plan, as its file holds them.

    Raises:
        PlanError: the file cannot be read, or a line of it is no decision.
    """

    def __init__(self, plan: Path) -> None:
        self.path = beside(plan)
        self.verdicts: dict[str, Verdict] = {}
        """By key."""
        self.changed: list[tuple[str, ...]] = []
        """The keys that each line changed."""
        self._standing: list[Before] = []
        if self.path.exists():
            self._read()

    def decide(self, *choices: Choice) -> None:
        """Write a decision about some edits; of several choices, all or none is taken.

        Raises:
            PlanError: values that no decision has.
        """
        parts = [{"lines": list(dict.fromkeys(keys)), "set": values} for keys, values in choices]
        for _, values in choices:
            _change(values)
        line = parts[0] if len(parts) == 1 else {"together": parts}
        append_line(self.path, line)
        self._take(line)

    def undo(self) -> bool:
        """Take the last decision back; False when there is none."""
        if not self._standing:
            return False
        append_line(self.path, {"undo": True})
        self._take({"undo": True})
        return True

    def _read(self) -> None:
        try:
            lines = self.path.read_bytes().split(b"\n")[:-1]  # what has no line end was cut off
        except OSError as error:
            raise PlanError(f"{self.path}: cannot be read: {error}") from error
        for number, line in enumerate(lines, start=1):
            try:
                self._take(json.loads(line))
            except (
                LookupError,
                TypeError,
                ValueError,
                AttributeError,
                RecursionError,
                PlanError,
            ) as error:
                where = f"{self.path}:{number}"
                raise PlanError(f"{where}: is no decision of a review: {error}") from error

    def _take(self, line: dict[str, Any]) -> None:
        if line.get("undo") is True:
            before = self._standing.pop() if self._standing else {}
            for key, verdict in before.items():
                if verdict is None:
                    self.verdicts.pop(key, None)
                else:
                    self.verdicts[key] = verdict
            self.changed.append(tuple(before))
            return
        parts = line.get("together", [line])
        read = [(list(map(str, one["lines"])), _change(one["set"])) for one in parts]
        before = {key: self.verdicts.get(key) for keys, _ in read for key in keys}
        for keys, change in read:
            for key in keys:
                self.verdicts[key] = replace(self.verdicts.get(key, Verdict()), **change)
        self._standing.append(before)
        self.changed.append(tuple(before))


def beside(plan: Path) -> Path:
    """Give the file of the decisions about a plan."""
    return plan.with_name(plan.name.removesuffix(".jsonl") + ".decisions.jsonl")


def key_of(line: str) -> str:
    """Name an edit by its line in the plan."""
    return blake2b(line.strip().encode(), digest_size=8).hexdigest()


def _change(values: dict[str, Any]) -> dict[str, Any]:
    """Read what a decision sets.

    Raises:
        PlanError: nothing, or a value that cannot be.
    """
    if not values or set(values) - set(_READ):
        known = ", ".join(_READ)
        found = ", ".join(f"{one!r:.80}" for one in values) or "nothing"
        raise PlanError(f"a decision sets some of {known}, not {found}")
    try:
        return {name: _READ[name](name, value) for name, value in values.items()}
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise PlanError(f"a decision cannot set {', '.join(values)} so: {error}") from error


def _state(name: str, value: Any) -> Any:
    if value not in get_args(State):
        raise PlanError(f"{name} is {value!r}; expected one of {', '.join(get_args(State))}")
    return value


def _drawn(name: str, value: Any) -> Box | None:
    try:
        box = None if value is None else Box.from_xywh(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise PlanError(f"{name} must be [x, y, width, height], not {value!r:.80}") from error
    if box is not None and box.is_degenerate:
        raise PlanError(f"the {name} {value} has no area")
    return box


def _label(name: str, value: Any) -> str | None:
    if value is not None and clean(value) is None:
        raise PlanError(f"the label in {name!r} is empty")
    return clean(value)


def _copy(name: str, value: Any) -> Subject | None:
    return None if value is None else subject(name, value)


_READ: dict[str, Callable[[str, Any], Any]] = {
    "state": _state,
    "box": _drawn,
    "to": _label,
    "drop": _copy,
    "keep": _copy,
}


def misfit(edit: Edit, change: dict[str, Any]) -> str | None:
    """Give the reason why an edit cannot have a reviewer's choice, or None if it can."""
    if edit.error is not None:
        return f"cannot be opened: {edit.error}"
    if change.get("box") is not None and edit.edit not in REDRAWN:
        return f"a {edit.edit} has no box to draw"
    if change.get("to") is not None and edit.edit not in RELABELLED:
        return f"a {edit.edit} has no label to choose"
    if change.get("to") is not None and edit.instance is not None:
        return "is one of several objects; its picture has one label"
    if change.get("keep") is not None and (edit.edit != "drop" or edit.kept is None):
        return "is no copy of which another one stays"
    return None


def decided(edit: Edit, verdict: Verdict | None) -> Edit:
    """Give an edit as the reviewer wants it, with what was proposed kept in ``proposed``."""
    if verdict is None:
        return edit
    now = _of_copies(edit, verdict)
    if verdict.to is not None and verdict.to != edit.to:
        now = replace(now, edit="relabel", to=verdict.to)
    elif verdict.box is not None and verdict.box != edit.box:
        now = replace(now, edit="crop", box=verdict.box)
    other = edit.picture if now.picture != edit.picture else None
    if other or (now.edit, now.box, now.to) != (edit.edit, edit.box, edit.to):
        before = Proposed(edit=edit.edit, box=edit.box, to=edit.to, picture=other)
        now = replace(now, proposed=before)
    return replace(now, state=verdict.state)


def _of_copies(edit: Edit, verdict: Verdict) -> Edit:
    """Give an edit with the reviewer's choice of the copy to leave out, and of the one to keep."""
    if edit.edit in FOLLOWING and verdict.keep is not None:
        return edit.about(verdict.keep)
    if edit.edit != "drop" or edit.kept is None:
        return edit
    kept = verdict.keep or edit.kept
    reason = edit.reason
    if reason.endswith(edit.kept.picture):
        reason = reason.removesuffix(edit.kept.picture) + kept.picture
    return replace(edit, kept=kept, reason=reason).about(verdict.drop or edit.subject)


def merged(
    edits: Sequence[Edit], keys: Sequence[str], verdicts: dict[str, Verdict]
) -> tuple[Edit, ...]:
    """Give the edits of a plan with what was decided about them."""
    pairs = zip(edits, keys, strict=True)
    return tuple(decided(edit, verdicts.get(key)) for edit, key in pairs)
