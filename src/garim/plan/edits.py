"""A plan: proposed edits of a dataset, one JSON line each, with their reasons and evidence.

The first line is the header: which dataset, which model, which settings. Every other line is one
picture (under one label): an edit, or ``keep`` with the reason why nothing is proposed, so that a
plan is also the full record of what was looked at.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from garim import files
from garim.boxes import Box
from garim.errors import Failure, PlanError

VERSION = 1

Kind = Literal["crop", "keep", "drop", "relabel", "move"]
State = Literal["proposed", "accepted", "rejected"]

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
    reason: str = ""
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
            PlanError: an unknown kind or state, or a value of the wrong shape.
        """
        known = {one.name for one in fields(cls)}
        given = {name: value for name, value in values.items() if name in known}
        try:
            _check_choice("edit", given["edit"], get_args(Kind))
            _check_choice("state", given.get("state", "proposed"), get_args(State))
            if not isinstance(given["picture"], str):
                raise TypeError("picture must be text")
            for name, convert in _FROM_PLAIN.items():
                if given.get(name) is not None:
                    given[name] = convert(given[name])
            return cls(**given)
        except KeyError as error:
            raise PlanError(f"an edit needs the field {error}") from error
        except (TypeError, ValueError, OverflowError) as error:
            raise PlanError(str(error)) from error


def _check_choice(name: str, value: object, known: Sequence[str]) -> None:
    if value not in known:
        raise PlanError(f"{name} is {value!r}; expected one of {', '.join(known)}")


def _plain(value: Any) -> Any:
    if isinstance(value, Box):
        return value.xywh()
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, Round):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _box(value: Sequence[float]) -> Box:
    if len(value) != 4:
        raise ValueError(f"box must be [x, y, width, height], not {value!r}")
    return Box.from_xywh(value)


def _size(value: Sequence[int]) -> tuple[int, int]:
    width, height = value
    return int(width), int(height)


def _history(values: Sequence[dict[str, Any]]) -> tuple[Round, ...]:
    return tuple(
        Round(**{**value, "box": None if value["box"] is None else _box(value["box"])})
        for value in values
    )


_FROM_PLAIN: dict[str, Any] = {"box": _box, "size": _size, "history": _history}


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

    def save(self, path: Path | str) -> None:
        """Write the plan as JSON Lines, in one step."""
        lines = [self.header(), *(edit.to_dict() for edit in self.edits)]
        files.write_text(Path(path), "".join(to_line(line) for line in lines))


def to_line(value: dict[str, Any]) -> str:
    """Write one line of a plan."""
    return json.dumps(value, ensure_ascii=False) + "\n"


def load(path: Path | str) -> Plan:
    """Read a plan.

    Raises:
        PlanError: no plan, or a line that cannot be read (named by its number).
    """
    name = Path(path)
    try:
        lines = name.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{name}: cannot be read: {error}") from error
    header = _header(name, lines)
    edits = tuple(
        parse_line(line, f"{name}:{number}")
        for number, line in enumerate(lines[1:], start=2)
        if line.strip()
    )
    return Plan(
        dataset=Path(header["dataset"]),
        edits=edits,
        selection=header.get("selection") or {},
        method=str(header.get("method") or ""),
        settings=header.get("settings") or {},
        model=header.get("model"),
        seconds=header.get("seconds"),
    )


def parse_line(line: str, where: str) -> Edit:
    """Read one edit; ``where`` is for the error.

    Raises:
        PlanError: the line is not JSON or not an edit.
    """
    try:
        return Edit.from_dict(_object(line))
    except PlanError as error:
        raise PlanError(f"{where}: {error}") from error


def _object(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise PlanError(f"is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise PlanError(f"expected an object {{…}}, not {type(value).__name__}")
    return value


def _header(path: Path, lines: Sequence[str]) -> dict[str, Any]:
    try:
        header = _object(lines[0]) if lines else {}
    except PlanError:
        header = {}
    if "garim_plan" not in header or not isinstance(header.get("dataset"), str):
        raise PlanError(f"{path}: is no plan; its first line must name the dataset")
    if header["garim_plan"] != VERSION:
        found = header["garim_plan"]
        raise PlanError(f"{path}: is a plan of version {found}; this Garim reads {VERSION}")
    return header
