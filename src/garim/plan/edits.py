"""A plan: proposed edits of a dataset, one JSON line each, with their reasons and evidence.

The first line is the header: which dataset, which model, which settings. Every other line is one
picture (under one label): an edit, or ``keep`` with the reason why nothing is proposed, so that a
plan is also the full record of what was looked at.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from garim import files
from garim.boxes import Box
from garim.errors import Failure, PlanError
from garim.formats.labels import clean
from garim.formats.rows import SPLITS
from garim.plan import plain

VERSION = 1

Kind = Literal["crop", "keep", "drop", "relabel", "move"]
State = Literal["proposed", "accepted", "rejected"]
_Value = TypeVar("_Value")

EDITS: dict[str, str] = {
    "crop": "cut the picture to its box",
    "keep": "leave the picture as it is",
    "drop": "leave the picture out",
    "relabel": "give the picture another label",
    "move": "put the picture in another split",
}
"""What each kind of edit does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round of extraction saw and chose."""

    round: int
    """Number of the round, from 1."""
    box: Box | None
    """Box after this round, in pixels of the original; None when there is none."""
    score: float
    """Score of the label on that box, 0 to 1."""
    predicted: str
    """Class with the highest score on the extent that the round started from."""
    changed: bool
    """Whether the round chose a new box."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """What was proposed, where a reviewer chose another box, label or picture."""

    edit: Kind
    box: Box | None = None
    to: str | None = None
    picture: str | None = None
    """Only where the reviewer chose another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The picture that an edit is about."""

    picture: str
    """File name relative to the dataset's root."""
    split: str | None = None
    digest: str | None = None
    """Digest of the file that the edit was made for; apply refuses any other content."""
    size: tuple[int, int] | None = None
    """Width and height of the upright picture, pixels."""

    def to_dict(self) -> dict[str, Any]:
        """Give the subject as it stands in the file; fields without a value are left out."""
        values = {one.name: _plain(getattr(self, one.name)) for one in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One line of a plan."""

    picture: str
    """File name relative to the dataset's root."""
    edit: Kind
    label: str | None = None
    """Label of the row that the edit is about."""
    split: str | None = None
    digest: str | None = None
    """Digest of the file that the edit was made for; apply refuses any other content."""
    size: tuple[int, int] | None = None
    """Width and height of the upright picture, pixels."""
    box: Box | None = None
    """The labelled object, in pixels of the upright picture."""
    instance: int | None = None
    """Number of the object, from 1, where each of several has a line."""
    reason: str = ""
    check: str | None = None
    """Check of the audit that proposed the edit."""
    score_before: float | None = None
    """Score of the label on the whole picture, 0 to 1."""
    score_after: float | None = None
    """Score of the label on the box, 0 to 1."""
    model: str | None = None
    """Digest of the model that gave the scores."""
    to: str | None = None
    """New label (relabel) or new split (move)."""
    state: State = "proposed"
    error: str | None = None
    """Why the picture could not be looked at."""
    history: tuple[Round, ...] = ()
    kept: Subject | None = None
    """The copy that stays where this picture is dropped."""
    proposed: Proposed | None = None
    """What stood here before a reviewer changed the box, the label or the picture."""

    @property
    def subject(self) -> Subject:
        """The picture that the edit is about."""
        return Subject(picture=self.picture, split=self.split, digest=self.digest, size=self.size)

    def about(self, other: Subject) -> Edit:
        """Give the same edit of another picture."""
        return replace(self, **{one.name: getattr(other, one.name) for one in fields(other)})

    def to_dict(self) -> dict[str, Any]:
        """Give the edit as it stands in the file; fields without a value are left out."""
        result: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if value is None or value == () or (one.name == "reason" and not value):
                continue
            result[one.name] = _plain(value)
        return result

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Edit:
        """Read an edit.

        Raises:
            PlanError: an unknown kind or state, a value of the wrong shape, or one that is missing.
        """
        given = {name: value for name, value in values.items() if name in _FIELDS}
        try:
            _check_choice("edit", given["edit"], get_args(Kind))
            _check_choice("state", given.get("state", "proposed"), get_args(State))
            given["picture"] = plain.text("picture", given["picture"])
            for name, value in given.items():
                if value is not None and name in _FROM_PLAIN:
                    given[name] = _FROM_PLAIN[name](name, value)
            edit = cls(**{name: value for name, value in given.items() if value is not None})
        except KeyError as error:
            raise PlanError(f"an edit needs the field {error}") from error
        except (TypeError, ValueError, OverflowError) as error:
            raise PlanError(str(error)) from error
        check(edit)
        return edit


def _check_choice(name: str, value: object, known: Sequence[str]) -> None:
    if value not in known:
        raise PlanError(f"{name} is {value!r}; expected one of {', '.join(known)}")


def _plain(value: Any) -> Any:
    if isinstance(value, Box):
        return value.xywh()
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, Subject):
        return value.to_dict()
    if isinstance(value, Round | Proposed):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _history(name: str, value: Any) -> tuple[Round, ...]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise TypeError(f"{name} must be a list of rounds, not {value!r:.80}")
    return tuple(_round(one) for one in value)


def _proposed(name: str, value: Any) -> Proposed:
    if not isinstance(value, dict):
        raise TypeError(f"{name} must be an object {{…}}, not {value!r:.80}")
    _check_choice("edit", value["edit"], get_args(Kind))
    return Proposed(
        edit=value["edit"],
        box=_optional(value, "box", plain.box),
        to=_optional(value, "to", plain.text),
        picture=_optional(value, "picture", plain.text),
    )


def subject(name: str, value: Any) -> Subject:
    """Read a subject; a KeyError, TypeError or ValueError says what is wrong."""
    if not isinstance(value, dict):
        raise TypeError(f"{name} must be an object {{…}}, not {value!r:.80}")
    return Subject(
        picture=plain.text("picture", value["picture"]),
        split=_optional(value, "split", plain.text),
        digest=_optional(value, "digest", plain.text),
        size=_optional(value, "size", plain.size),
    )


def _optional(
    value: dict[str, Any], name: str, read: Callable[[str, Any], _Value]
) -> _Value | None:
    return None if value.get(name) is None else read(name, value[name])


def _round(value: dict[str, Any]) -> Round:
    return Round(
        round=plain.whole("round", value["round"]),
        box=None if value["box"] is None else plain.box("box", value["box"]),
        score=plain.number("score", value["score"]),
        predicted=plain.text("predicted", value["predicted"]),
        changed=plain.flag("changed", value["changed"]),
    )


_FIELDS = frozenset(one.name for one in fields(Edit))
_TEXTS = ("label", "split", "digest", "reason", "check", "model", "to", "error")
_FROM_PLAIN: dict[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(_TEXTS, plain.text),
    **dict.fromkeys(("score_before", "score_after"), plain.number),
    "box": plain.box,
    "size": plain.size,
    "instance": plain.whole,
    "kept": subject,
    "history": _history,
    "proposed": _proposed,
}


def check(edit: Edit) -> None:
    """Refuse an edit that does not say what to do.

    Raises:
        PlanError: no kind of edit, a crop without a box, a relabel without a label, a move to no
            split.
    """
    if edit.edit not in get_args(Kind):
        known = ", ".join(get_args(Kind))
        raise PlanError(f"{edit.picture}: there is no edit {edit.edit!r}; known: {known}")
    if edit.edit == "crop" and edit.box is None:
        raise PlanError(f"{edit.picture}: a crop needs a box")
    if edit.edit == "relabel" and clean(edit.to) is None:
        raise PlanError(f"{edit.picture}: a relabel needs the new label in 'to'")
    if edit.edit == "move" and (edit.to or "").lower() not in SPLITS:
        known = ", ".join(dict.fromkeys(SPLITS.values()))
        raise PlanError(f"{edit.picture}: cannot move to {edit.to!r}; the splits are {known}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Edits of one dataset. States can change; the edits stay as they were proposed."""

    dataset: Path
    """What the plan was made for, as ``garim.read`` takes it."""
    edits: tuple[Edit, ...]
    selection: dict[str, Any] = field(default_factory=dict)
    """Part of the dataset that was looked at."""
    method: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    model: str | None = None
    """Digest of the model that gave the evidence."""
    seconds: float | None = None

    def __len__(self) -> int:
        return len(self.edits)

    def __iter__(self) -> Iterator[Edit]:
        return iter(self.edits)

    def counts(self) -> dict[str, int]:
        """Count the edits that change something, by kind."""
        return dict(Counter(edit.edit for edit in self.edits if edit.edit != "keep"))

    def states(self) -> dict[str, int]:
        """Count the edits by state, every state listed."""
        counted = Counter(edit.state for edit in self.edits)
        return {state: counted[state] for state in get_args(State)}

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Pictures that could not be looked at."""
        return tuple(Failure(e.picture, e.error) for e in self.edits if e.error is not None)

    def with_state(self, state: State, chosen: Iterable[int]) -> Plan:
        """Set the state of the edits at some positions."""
        positions = set(chosen)
        edits = tuple(
            replace(edit, state=state) if index in positions else edit
            for index, edit in enumerate(self.edits)
        )
        return replace(self, edits=edits)

    def _repr_html_(self) -> str:
        """Show the plan in Jupyter: how many edits of each kind, by state."""
        counted = Counter((edit.edit, edit.state) for edit in self.edits)
        kinds = [kind for kind in get_args(Kind) if any(e.edit == kind for e in self.edits)]
        table = [(kind, *(counted[kind, state] for state in get_args(State))) for kind in kinds]
        title = f"Plan of {len(self)} edits for {self.dataset}"
        return files.html_table(title, ("edit", *get_args(State)), table)

    def header(self) -> dict[str, Any]:
        """Give the first line of the file."""
        return {
            "garim_plan": VERSION,
            "dataset": str(self.dataset),
            "selection": self.selection,
            "method": self.method,
            "settings": self.settings,
            "model": self.model,
            "seconds": self.seconds,
        }

    def digest(self) -> str:
        """Name the plan by its content."""
        return files.digest_of([self.header(), [edit.to_dict() for edit in self.edits]])

    def save(self, path: Path | str, lines: Iterable[dict[str, Any]] | None = None) -> None:
        """Write the plan as JSON Lines, in one step.

        Args:
            path: file to write.
            lines: edits as they stand in the file, where there are too many to hold them all;
                the plan's own by default.
        """
        listed = (edit.to_dict() for edit in self.edits) if lines is None else lines
        with (
            files.replacing(Path(path)) as temporary,
            temporary.open("w", encoding="utf-8", newline="\n") as stream,
        ):
            stream.writelines(map(to_line, chain([self.header()], listed)))


def to_line(value: dict[str, Any]) -> str:
    """Write one line of a plan."""
    return json.dumps(value, ensure_ascii=False) + "\n"


def parse_line(line: str, where: str) -> Edit:
    """Read one edit; ``where`` is for the error.

    Raises:
        PlanError: the line is not JSON or not an edit.
    """
    try:
        return Edit.from_dict(object_in(line))
    except PlanError as error:
        raise PlanError(f"{where}: {error}") from error


def object_in(line: str) -> dict[str, Any]:
    """Read a line that holds one JSON object.

    Raises:
        PlanError: it holds something else.
    """
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise PlanError(f"is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise PlanError(f"expected an object {{…}}, not {type(value).__name__}")
    return value
