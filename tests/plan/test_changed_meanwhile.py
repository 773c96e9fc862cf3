"""Pictures that change, vanish or come while a plan is carried out: named, and left as they are."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_datasets import NFD, draw, edit, forks, hard_plan, killed_at, snapshot

import garim
from garim import pictures
from garim.boxes import Box
from garim.plan import Plan, apply, in_place, new_dataset, undo

Change = Callable[[Path], object]


def _change(path: Path) -> None:
    draw(path.with_name("other.tmp.png"), 99).replace(path)


CHANGES: dict[str, Change] = {"changed": _change, "gone": Path.unlink}


def _then(
    patch: pytest.MonkeyPatch, module: object, name: str, number: int, change: Callable[[], object]
) -> None:
    """Make a change right after the n-th call of a function."""
    plain, seen = getattr(module, name), [0]

    def call(*values: Any, **named: Any) -> Any:
        result = plain(*values, **named)
        seen[0] += 1
        if seen[0] == number:
            change()
        return result

    patch.setattr(module, name, call)


def _three(root: Path) -> Plan:
    box = Box(3, 4, 23, 19)
    return Plan(dataset=root, edits=(
        edit(root, "train/dog/1.png", "crop", box=box),
        edit(root, "train/dog/2.png", "relabel", to="고양이"),
        edit(root, "train/dog/3.png", "drop"),
    ))  # fmt: skip


@pytest.mark.parametrize("how", CHANGES)
@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("when", ["_prepare", "_may_finish"])
def test_in_place_between_the_look_and_the_change(
    root: Path, monkeypatch: pytest.MonkeyPatch, how: str, number: int, when: str
) -> None:
    plan, name = _three(root), f"train/dog/{number}.png"
    if when == "_may_finish":  # after the file was kept, before it is touched
        monkeypatch.setattr(in_place, "_finish", _before(in_place._finish, name, CHANGES[how]))
    else:
        _then(monkeypatch, in_place, when, number, lambda: CHANGES[how](root / name))
    applied = apply(plan, in_place=True)
    mine = (root / name).read_bytes() if how == "changed" else None
    if how == "gone" and when == "_may_finish" and number > 1:
        assert applied.failures == ()  # it was to go from there
    else:
        assert [failure.picture for failure in applied.failures] == [name]
    assert sum(applied.edits.values()) == 3 - len(applied.failures)
    undo(root)
    if mine is not None:
        assert (root / name).read_bytes() == mine


def _before(plain: Callable[..., bool], name: str, change: Change) -> Callable[..., bool]:
    def call(journal: Any, step: Any) -> bool:
        if step.file == name:
            change(journal.root / name)
        return plain(journal, step)

    return call


@forks
@pytest.mark.parametrize("number", range(1, 60, 4))
def test_what_changed_after_a_kill_is_not_overwritten(
    root: Path, tmp_path: Path, number: int
) -> None:
    """Whatever is put into a dataset between a kill and the next run is there afterwards."""
    plan = hard_plan(root)
    killed_at(number, lambda: apply(plan, in_place=True))
    mine = {}
    for seed, path in enumerate([*root.glob("t*/*/*.png"), root / f"train/{NFD}/1-2.png"]):
        mine[path] = draw(path, 200 + seed).read_bytes()
    applied = apply(plan, in_place=True, data=root)
    assert {path: path.read_bytes() for path in mine if path.exists()} == mine
    assert sum(applied.edits.values()) + len(applied.failures) >= 7


@forks
@pytest.mark.parametrize("number", range(1, 60, 4))
def test_after_a_kill_and_a_change_the_originals_are_kept(root: Path, number: int) -> None:
    """An original that a step has replaced can be had back, though its place has changed since."""
    plan = _three(root)
    before = {name: one for name, one in snapshot(root).items() if one}
    killed_at(number, lambda: apply(plan, in_place=True))
    crop = root / "train/dog/1.png"
    replaced = crop.exists() and pictures.open_picture(crop).size == (20, 15)
    if replaced:
        draw(crop, 77)
    apply(plan, in_place=True)
    if replaced:
        crop.unlink()  # "move it away and undo again"
    undo(root)
    assert {name: one for name, one in snapshot(root).items() if one} == before


@pytest.mark.parametrize("how", CHANGES)
@pytest.mark.parametrize("as_boxes", [False, True])
def test_into_a_new_dataset(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, as_boxes: bool
) -> None:
    box = Box(3, 4, 23, 19)
    edits = [edit(root, f"train/dog/{number}.png", "crop", box=box) for number in (1, 2, 3)]
    wrong, plain = "train/dog/3.png", new_dataset._write_picture

    def write(source: Path, *rest: Any) -> None:
        if source == root / wrong:
            CHANGES[how](source)
        plain(source, *rest)

    monkeypatch.setattr(new_dataset, "_write_picture", write)
    settings = garim.ApplySettings(as_boxes=as_boxes)
    applied = apply(Plan(dataset=root, edits=tuple(edits)), to=tmp_path / "to", settings=settings)
    assert [failure.picture for failure in applied.failures] == [wrong]
    assert applied.edits == {"crop": 2} and applied.pictures == 7
    assert wrong not in {row.source for row in garim.read(tmp_path / "to")}


def test_an_unchanged_picture_that_vanishes_is_named(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, plain = root / f"train/{NFD}/1.png", new_dataset._write_picture

    def write(source: Path, *rest: Any) -> None:
        if source == gone:
            gone.unlink()
        plain(source, *rest)

    monkeypatch.setattr(new_dataset, "_write_picture", write)
    plan = replace(hard_plan(root), edits=hard_plan(root).edits[4:6])
    applied = apply(plan, to=tmp_path / "to")
    assert [failure.picture for failure in applied.failures] == [f"train/{NFD}/1.png"]
    assert applied.pictures == 7


def test_a_class_that_vanishes_is_named(root: Path) -> None:
    plan = hard_plan(root)
    shutil.rmtree(root / "train" / NFD)
    applied = apply(plan, in_place=True)
    assert {failure.picture for failure in applied.failures} == {
        f"train/{NFD}/1.png", f"train/{NFD}/2.png",
    }  # fmt: skip
    assert applied.edits == {"relabel": 3, "crop": 2, "move": 1}
