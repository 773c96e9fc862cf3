from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from garim.boxes import Box
from garim.errors import PlanError
from garim.plan import EDITS, Edit, Plan, Round, load
from garim.plan.edits import parse_line, to_line

names = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    st.sampled_from(
        ["고양이", unicodedata.normalize("NFD", "고양이"), "a\u2028b", "a\x85b", "a\rb"]
    ),
)
scores = st.integers(0, 10**6).map(lambda value: value / 10**6)
sides = st.integers(-(10**8), 10**8).map(lambda value: value / 10**4)
boxes = st.builds(Box, sides, sides, sides, sides)
rounds = st.builds(
    Round,
    round=st.integers(1, 9),
    box=st.none() | boxes,
    score=scores,
    predicted=names,
    changed=st.booleans(),
)


@st.composite
def edits(draw: st.DrawFn) -> Edit:
    kind = draw(st.sampled_from(sorted(EDITS)))
    return Edit(
        picture=draw(names),
        edit=kind,
        label=draw(st.none() | names),
        split=draw(st.sampled_from([None, "train", "test"])),
        digest=draw(st.none() | names),
        size=draw(st.none() | st.tuples(st.integers(1, 65_535), st.integers(1, 65_535))),
        box=draw(boxes if kind == "crop" else st.none() | boxes),
        reason=draw(st.just("") | names),
        score_before=draw(st.none() | scores),
        score_after=draw(st.none() | scores),
        to={"relabel": "새 이름", "move": "test"}.get(kind),
        state=draw(st.sampled_from(["proposed", "accepted", "rejected"])),
        error=draw(st.none() | names),
        history=tuple(draw(st.lists(rounds, max_size=3))),
    )


@given(edits())
def test_an_edit_comes_back_from_its_dict(one: Edit) -> None:
    assert Edit.from_dict(one.to_dict()) == one
    assert parse_line(to_line(one.to_dict()), "x:1") == one


@given(several=st.lists(edits(), max_size=5))
def test_a_plan_comes_back_from_its_file(
    several: list[Edit], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("plan") / "계획.jsonl"
    plan = Plan(
        dataset=Path("/데이터"),
        edits=tuple(several),
        selection={"split": ["train"], "labels": "all"},
        method="self",
        settings={"grid": 3},
        model="abc",
        seconds=1.5,
    )
    plan.save(path)
    assert load(path) == plan
    assert load(path).digest() == plan.digest()
    assert path.read_bytes().count(b"\n") == 1 + len(several)


def test_a_plan_saved_on_windows_is_read(tmp_path: Path) -> None:
    path = tmp_path / "plan.jsonl"
    plan = Plan(dataset=Path("x"), edits=(Edit(picture="가/1.png", edit="drop"),))
    plan.save(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert load(path) == plan


def test_fields_of_a_later_version_are_passed_over(tmp_path: Path) -> None:
    path = _file(tmp_path, {"picture": "a", "edit": "drop", "colour": "red", "label": None})
    assert load(path).edits == (Edit(picture="a", edit="drop"),)


GOOD = {"picture": "a.png", "edit": "crop", "box": [1, 2, 3, 4]}
ROUND = {"round": 1, "box": None, "score": 0.5, "predicted": "dog", "changed": True}

HOSTILE: list[dict[str, Any]] = [
    {"edit": "crop"},
    {"picture": "a.png"},
    {"picture": None, "edit": "drop"},
    {"picture": "a.png", "edit": "crop"},
    {**GOOD, "box": [1, 2, 3]},
    {**GOOD, "box": "1234"},
    {**GOOD, "box": {"1": 1, "2": 2, "3": 3, "4": 4}},
    {**GOOD, "box": [1, 2, 3, float("nan")]},
    {**GOOD, "box": [1, 2, 3, float("inf")]},
    {**GOOD, "box": [10**400, 2, 3, 4]},
    {**GOOD, "box": [1e308, 1, 1e308, 1]},
    {**GOOD, "box": [True, 2, 3, 4]},
    {**GOOD, "box": [[1], 2, 3, 4]},
    {**GOOD, "edit": "delete"},
    {**GOOD, "edit": ["crop"]},
    {**GOOD, "edit": {}},
    {**GOOD, "state": "maybe"},
    {**GOOD, "state": None},
    {**GOOD, "picture": ["a.png"]},
    {**GOOD, "picture": "a\0b"},
    {**GOOD, "picture": "\ud800"},
    {**GOOD, "label": ["dog"]},
    {**GOOD, "label": {"name": "dog"}},
    {**GOOD, "digest": 12},
    {**GOOD, "size": [10]},
    {**GOOD, "size": "10"},
    {**GOOD, "size": [0, -4]},
    {**GOOD, "size": [10**400, 2]},
    {**GOOD, "size": [1e400, 2]},
    {**GOOD, "score_before": float("nan")},
    {**GOOD, "score_after": "high"},
    {**GOOD, "score_after": 10**400},
    {**GOOD, "history": {}},
    {**GOOD, "history": [1]},
    {**GOOD, "history": [{}]},
    {**GOOD, "history": [{**ROUND, "box": [1, 2, 3]}]},
    {**GOOD, "history": [{**ROUND, "score": float("inf")}]},
    {**GOOD, "history": [{**ROUND, "changed": "yes"}]},
    {**GOOD, "history": [{**ROUND, "round": 1.5}]},
    {**GOOD, "history": [{**ROUND, "predicted": 3}]},
    {**GOOD, "error": ["x"]},
    {"picture": "a.png", "edit": "relabel"},
    {"picture": "a.png", "edit": "relabel", "to": " "},
    {"picture": "a.png", "edit": "move", "to": "holdout"},
]


def _file(tmp_path: Path, *lines: object, header: object = None) -> Path:
    path = tmp_path / "plan.jsonl"
    first = header or {"garim_plan": 1, "dataset": "x"}
    texts = [line if isinstance(line, str) else json.dumps(line) for line in (first, *lines)]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("values", HOSTILE, ids=lambda values: repr(values)[:60])
def test_hostile_values_are_named_with_their_line(values: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"plan\.jsonl:3: "):
        load(_file(tmp_path, GOOD, values))


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@given(st.sampled_from(sorted(Edit.__dataclass_fields__)), json_values)
def test_any_value_in_any_field_is_read_or_refused(name: str, value: Any) -> None:
    try:
        one = parse_line(json.dumps({**GOOD, name: value}), "plan.jsonl:2")
    except PlanError:
        return
    assert Edit.from_dict(one.to_dict()).picture == one.picture
    json.dumps(one.to_dict(), allow_nan=False)


@pytest.mark.parametrize("line", ["{", "[1]", "3", "null", '"x"', "[" * 100_000, "1" * 5000])
def test_lines_that_are_no_edit_are_named(line: str, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"plan\.jsonl:2: "):
        load(_file(tmp_path, line))


@pytest.mark.parametrize(
    "header",
    ["{", "[]", {"dataset": "x"}, {"garim_plan": 1}, {"garim_plan": 1, "dataset": 3}, GOOD],
)
def test_a_file_without_a_header_is_no_plan(header: object, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="is no plan; its first line must name the dataset"):
        load(_file(tmp_path, header=header))


@pytest.mark.parametrize("version", [2, "1", None, [1]])
def test_another_version_is_named(version: object, tmp_path: Path) -> None:
    header = {"garim_plan": version, "dataset": "x"}
    with pytest.raises(PlanError, match=r"is a plan of version .*; this Garim reads 1"):
        load(_file(tmp_path, header=header))


@pytest.mark.parametrize(
    "wrong",
    [
        {"dataset": "a\0b"},
        {"selection": ["train"]},
        {"selection": {"x": float("nan")}},
        {"settings": "fast"},
        {"settings": {"x": "\ud800"}},
        {"method": 3},
        {"model": {}},
        {"seconds": "long"},
    ],
)
def test_wrong_values_in_the_header_are_named(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"plan\.jsonl:1: "):
        load(_file(tmp_path, header={"garim_plan": 1, "dataset": "x", **wrong}))


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_bytes(b"")
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none", tmp_path, empty, binary):
        with pytest.raises(PlanError, match=path.name):
            load(path)


def test_counts_states_and_failures() -> None:
    several = (
        Edit(picture="a", edit="drop"),
        Edit(picture="b", edit="keep", error="broken"),
        Edit(picture="c", edit="drop"),
    )
    plan = Plan(dataset=Path("x"), edits=several)
    assert plan.counts() == {"drop": 2}
    assert [(f.picture, f.error) for f in plan.failures] == [("b", "broken")]
    reviewed = plan.with_state("rejected", [2])
    assert [one.state for one in reviewed] == ["proposed", "proposed", "rejected"]
    assert len(reviewed) == 3 and reviewed.digest() != plan.digest()
