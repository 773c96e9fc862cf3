"""What is varied: settings by name, with the values that each takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any, get_type_hints

from garim.comparison.results import Value
from garim.errors import SettingsError
from garim.training.settings import TrainSettings, resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonSettings:
    """What is compared."""

    vary: tuple[str, ...] = ()
    """Settings to vary as name=value,value, such as imbalance=plain,focal; every combination is
    trained."""
    seeds: int = 5
    """Trainings of each combination, with seeds counted from --seed."""


def parse_vary(texts: Sequence[str]) -> dict[str, list[Value]]:
    """Read ``name=value,value`` with the types of `TrainSettings`.

    Raises:
        SettingsError: what cannot be read, all in one message.
    """
    kinds, found, problems = get_type_hints(TrainSettings), dict[str, list[Value]](), []
    for text in texts:
        name, equals, values = text.partition("=")
        name = name.replace("-", "_")
        if name not in kinds or not equals or not values:
            problems.append(f"vary {text!r} must be name=value,value with the name of a setting")
            continue
        try:
            found[name] = [_parsed(value, kinds[name]) for value in values.split(",")]
        except ValueError as error:
            problems.append(f"vary {name}: {error}")
    if problems:
        raise SettingsError(problems)
    return found


def _parsed(text: str, kind: Any) -> Value:
    """Read a value; a setting that takes text, such as a choice of words, keeps it."""
    allowed = {kind, *getattr(kind, "__args__", ())}
    if bool in allowed:
        if text.lower() not in {"true", "false"}:
            raise ValueError(f"expected true or false, not {text!r}")
        return text.lower() == "true"
    for number in (int, float):
        if number in allowed:
            return number(text)
    if tuple in {getattr(one, "__origin__", None) for one in allowed}:
        raise ValueError("a setting that takes several values cannot be varied")
    return text


Planned = list[tuple[dict[str, Value], list[TrainSettings]]]


def planned(base: TrainSettings, vary: Mapping[str, Sequence[Value]], seeds: int) -> Planned:
    """List every combination with its settings for each seed; nothing starts if one cannot work."""
    known = {one.name for one in fields(TrainSettings)} - {"seed", "folds", "localizer"}
    problems = [f"{name!r} is no setting that can be varied" for name in vary if name not in known]
    if seeds < 2:
        problems.append(f"seeds must be at least 2, not {seeds}: an interval needs them")
    if problems:
        raise SettingsError(problems)
    plain = replace(base, folds=0, localizer=False)
    result: Planned = []
    for values in product(*vary.values()):
        chosen = dict(zip(vary, values, strict=True))
        arm = [replace(plain, **chosen, seed=base.seed + number) for number in range(seeds)]  # type: ignore[arg-type]
        resolve(arm[0])
        result.append((chosen, arm))
    return result
