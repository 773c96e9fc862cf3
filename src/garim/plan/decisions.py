"""What a reviewer decided about the edits of a plan: a file beside it that only grows.

``PLAN.decisions.jsonl`` holds a line per decision, flushed to the disk before it counts:

=========================================  ====================================================
``{"lines": [key, …], "set": {…}}``        some of ``state``, ``box`` and ``to`` of these edits;
                                           null means as it was proposed
``{"undo": true}``                         takes the last decision back that still stands
=========================================  ====================================================

An edit is named by the digest of its line, so that a decision holds only for what the reviewer
saw; the plan itself is never written. A last line that was cut off is no decision.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, get_args

from garim.boxes import Box
from garim.errors import PlanError
from garim.formats.labels import clean
from garim.plan.disk import append_line
from garim.plan.edits import Edit, Proposed, State

REDRAWN = ("crop", "keep")
"""Edits whose box can be drawn; each becomes a crop."""

RELABELLED = ("crop", "keep", "drop", "relabel")
"""Edits whose label can be set, unless they are one of several objects; each becomes a relabel."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is decided about one edit; box and label are None where the proposal stands."""

    state: State = "proposed"
    box: Box | None = None
    to: str | None = None


Before = dict[str, Verdict | None]


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

    def decide(self, keys: Iterable[str], values: dict[str, Any]) -> None:
        """Write a decision about some edits.

        Raises:
            PlanError: values that no decision has.
        """
        line = {"lines": list(dict.fromkeys(keys)), "set": values}
        _change(values)
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
        keys, change = [str(key) for key in line["lines"]], _change(line["set"])
        self._standing.append({key: self.verdicts.get(key) for key in keys})
        for key in keys:
            self.verdicts[key] = replace(self.verdicts.get(key, Verdict()), **change)
        self.changed.append(tuple(keys))


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
    state, box = values.get("state", "proposed"), values.get("box")
    if not values or set(values) - {"state", "box", "to"}:
        raise PlanError(f"a decision sets state, box or to, not {', '.join(values) or 'nothing'}")
    if state not in get_args(State):
        raise PlanError(f"state is {state!r}; expected one of {', '.join(get_args(State))}")
    try:
        drawn = None if box is None else Box.from_xywh(box)
    except (TypeError, ValueError, OverflowError) as error:
        raise PlanError(f"box must be [x, y, width, height], not {box!r:.80}") from error
    if drawn is not None and drawn.is_degenerate:
        raise PlanError(f"the box {box} has no area")
    if values.get("to") is not None and clean(values["to"]) is None:
        raise PlanError("the label in 'to' is empty")
    read = {"state": state, "box": drawn, "to": clean(values.get("to"))}
    return {name: read[name] for name in values}


def misfit(edit: Edit, change: dict[str, Any]) -> str | None:
    """Give the reason why an edit cannot have a reviewer's box or label, or None if it can."""
    if edit.error is not None:
        return f"cannot be opened: {edit.error}"
    if change.get("box") is not None and edit.edit not in REDRAWN:
        return f"a {edit.edit} has no box to draw"
    if change.get("to") is not None and edit.edit not in RELABELLED:
        return f"a {edit.edit} has no label to choose"
    if change.get("to") is not None and edit.instance is not None:
        return "is one of several objects; its picture has one label"
    return None


def decided(edit: Edit, verdict: Verdict | None) -> Edit:
    """Give an edit as the reviewer wants it, with what was proposed kept in ``proposed``."""
    if verdict is None:
        return edit
    proposed = Proposed(edit=edit.edit, box=edit.box, to=edit.to)
    if verdict.to is not None and verdict.to != edit.to:
        return replace(edit, edit="relabel", to=verdict.to, state=verdict.state, proposed=proposed)
    if verdict.box is not None and verdict.box != edit.box:
        return replace(edit, edit="crop", box=verdict.box, state=verdict.state, proposed=proposed)
    return replace(edit, state=verdict.state)


def merged(
    edits: Sequence[Edit], keys: Sequence[str], verdicts: dict[str, Verdict]
) -> tuple[Edit, ...]:
    """Give the edits of a plan with what was decided about them."""
    pairs = zip(edits, keys, strict=True)
    return tuple(decided(edit, verdicts.get(key)) for edit, key in pairs)
