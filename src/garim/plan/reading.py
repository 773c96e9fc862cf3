"""Read a plan from its file, with what a reviewer decided about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from garim import remote
from garim.errors import PlanError
from garim.plan.decisions import Decisions, key_of, merged
from garim.plan.edits import VERSION, Plan, object_in, parse_line
from garim.plan.plain import number, text


@dataclass(frozen=True, slots=True)
class Proposals:
    """A plan as it was proposed, and the name of each of its lines."""

    plan: Plan
    keys: tuple[str, ...]


def load(path: Path | str) -> Plan:
    """Read a plan, with the decisions of a review where there was one.

    Raises:
        PlanError: no plan, or a line that cannot be read (named by its number).
    """
    found = proposals(path)
    verdicts = Decisions(Path(path)).verdicts
    if not verdicts:
        return found.plan
    return replace(found.plan, edits=merged(found.plan.edits, found.keys, verdicts))


def proposals(path: Path | str) -> Proposals:
    """Read a plan as it was proposed, without any decision.

    Raises:
        PlanError: no plan, or a line that cannot be read (named by its number).
    """
    name = Path(path)
    try:
        # Not splitlines(): JSON may hold other line separators of Unicode.
        lines = remote.local(name).read_text(encoding="utf-8-sig").split("\n")
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a null byte in the name
        raise PlanError(f"{name}: cannot be read: {error}") from error
    header = _header(name, lines)
    numbered = [(at, line) for at, line in enumerate(lines[1:], start=2) if line.strip()]
    edits = tuple(parse_line(line, f"{name}:{at}") for at, line in numbered)
    return Proposals(Plan(edits=edits, **header), tuple(key_of(line) for _, line in numbered))


def _header(path: Path, lines: Sequence[str]) -> dict[str, Any]:
    """Read the first line: what a Plan is made of besides its edits."""
    try:
        header = object_in(lines[0])
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
