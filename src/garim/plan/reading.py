"""Read a plan from its file, with what a reviewer decided about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from garim import remote
from garim.errors import PlanError
from garim.plan.decisions import Decisions, Verdict, decided, key_of
from garim.plan.edits import VERSION, Edit, Plan, object_in, parse_line
from garim.plan.plain import number, text


@dataclass(frozen=True, slots=True)
class Proposals:
    """A plan as it was proposed, and the name of each of its lines."""

    plan: Plan
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A plan that stays in its file: its edits are read one at a time, whenever they are gone over.

    Going over them raises a PlanError for a line that cannot be read (named by its number).
    """

    path: Path
    plan: Plan
    """All but the edits."""
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    """What a reviewer decided, by the key of a line."""

    def __iter__(self) -> Iterator[Edit]:
        for at, line in _lines(self.path):
            edit = parse_line(line, f"{self.path}:{at}")
            yield decided(edit, self.verdicts.get(key_of(line))) if self.verdicts else edit


def check_undecided(path: Path) -> None:
    """Refuse to write a plan over one in whose lines somebody has decided.

    Raises:
        PlanError: it has edits that are accepted or rejected.
    """
    if remote.address_of(path) is not None or not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as stream:
        decided = sum(_state(line) in ("accepted", "rejected") for line in stream)
    if decided:
        raise PlanError(
            f"{path}: is there, and {decided} of its edits are accepted or rejected; name another "
            "file with --out, or delete it"
        )


def _state(line: str) -> object:
    with suppress(ValueError, RecursionError, AttributeError):
        return json.loads(line).get("state")
    return None


def load(path: Path | str) -> Plan:
    """Read a plan, with the decisions of a review where there was one.

    Raises:
        PlanError: no plan, or a line that cannot be read (named by its number).
    """
    found = opened(path)
    return replace(found.plan, edits=tuple(found))


def opened(path: Path | str, *, reviewed: bool = True) -> PlanFile:
    """Read the first line of a plan.

    Args:
        path: the file.
        reviewed: with the decisions of a review where there was one.

    Raises:
        PlanError: no plan.
    """
    name = Path(path)
    verdicts = Decisions(name).verdicts if reviewed else {}
    return PlanFile(name, Plan(edits=(), **_header(name)), verdicts)


def proposals(path: Path | str) -> Proposals:
    """Read a plan as it was proposed, without any decision.

    Raises:
        PlanError: no plan, or a line that cannot be read (named by its number).
    """
    found = opened(path, reviewed=False)
    keys = tuple(key_of(line) for _, line in _lines(found.path))
    return Proposals(replace(found.plan, edits=tuple(found)), keys)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Give the lines after the first that are not empty, with their numbers."""
    for at, line in enumerate(_text(path), start=1):
        if at > 1 and line.strip():
            yield at, line


def _text(path: Path) -> Iterator[str]:
    """Read line by line; JSON may hold Unicode's other line separators, so only ``\\n`` is one."""
    try:
        with remote.local(path).open(encoding="utf-8-sig", newline="\n") as stream:
            yield from stream
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a null byte in the name
        raise PlanError(f"{path}: cannot be read: {error}") from error


def _header(path: Path) -> dict[str, Any]:
    """Read the first line: what a Plan is made of besides its edits."""
    first = next(_text(path), "")
    try:
        header = object_in(first)
    except PlanError:
        header = {}
    if "garim_plan" not in header or not isinstance(header.get("dataset"), str):
        raise PlanError(f"{path}: is no plan; its first line must name the dataset")
    if header["garim_plan"] != VERSION:
        found = header["garim_plan"]
        raise PlanError(f"{path}: is a plan of version {found!r:.80}; this Garim reads {VERSION}")
    result = {name: header[name] for name in _HEADER if header.get(name) is not None}
    try:
        for name, value in result.items():
            result[name] = _HEADER[name](name, value)
    except (TypeError, ValueError, OverflowError) as error:
        raise PlanError(f"{path}:1: {error}") from error
    return {**result, "dataset": Path(result["dataset"])}


def _table(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{name} must be an object {{…}}, not {value!r:.80}")
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()  # a ValueError, if it cannot be
    return value


_HEADER: dict[str, Callable[[str, Any], Any]] = {
    "dataset": text,
    "selection": _table,
    "method": text,
    "settings": _table,
    "model": text,
    "seconds": number,
}
