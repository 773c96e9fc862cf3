from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from small_datasets import (
    apply_until,
    forks,
    hard_plan,
    killed_at,
    snapshot,
    undo_if_any,
    uninterrupted,
    visible,
)

from garim.errors import DatasetError
from garim.plan import Plan, apply, undo
from garim.plan.journal import journals


@forks
@pytest.mark.slow
def test_killed_at_any_moment_an_apply_goes_on_or_is_undone(root: Path, tmp_path: Path) -> None:
    plan, before = hard_plan(root), snapshot(root)
    wanted = uninterrupted(root, tmp_path, plan)
    for number in range(1, 1000, 2):
        if not _killed(number, plan, root):
            break
        if number % 4 == 1:
            _apply_unless_done(plan)
            assert visible(root) == wanted, f"gone on after a kill before change {number}"
        undo_if_any(root)
        assert snapshot(root) == before, f"undone after a kill before change {number}"
    assert number > 60


def _apply_unless_done(plan: Plan) -> None:
    try:
        assert apply(plan, in_place=True).edits["relabel"] == 4
    except DatasetError as error:
        assert "is applied already" in str(error)


def _killed(number: int, plan: Plan, root: Path) -> bool:
    return killed_at(number, lambda: apply(plan, in_place=True))


@forks
@pytest.mark.slow
def test_killed_at_any_moment_an_undo_goes_on(root: Path) -> None:
    plan, before = hard_plan(root), snapshot(root)
    for number in range(1, 1000, 2):
        apply(plan, in_place=True)
        killed = killed_at(number, lambda: undo(root))
        if _is_being_undone(root):
            with pytest.raises(DatasetError, match="an undo was interrupted"):
                apply(plan, in_place=True)
        undo_if_any(root)
        assert snapshot(root) == before, f"undone after a kill before change {number}"
        if not killed:
            break
    assert number > 40


def _is_being_undone(root: Path) -> bool:
    return any(journal.undoing for journal in journals(root))


@forks
@pytest.mark.parametrize("seed", range(5))
def test_killed_again_and_again(root: Path, tmp_path: Path, seed: int) -> None:
    plan, before, rng = hard_plan(root), snapshot(root), random.Random(seed)
    wanted = uninterrupted(root, tmp_path, plan)
    kills = sum(_killed(rng.randrange(3, 40), plan, root) for _ in range(6))
    assert kills >= 2
    _apply_unless_done(plan)
    assert visible(root) == wanted
    for _ in range(6):
        killed_at(rng.randrange(3, 30), lambda: undo_if_any(root))
    undo_if_any(root)
    assert snapshot(root) == before


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_journal_cut_off_while_it_was_written(root: Path, tmp_path: Path, cut: int) -> None:
    plan, before = hard_plan(root), snapshot(root)
    wanted = uninterrupted(root, tmp_path, plan)
    with pytest.raises(KeyboardInterrupt):
        apply_until(plan, root, 4)
    journal = root / ".garim/applied/0001/journal.jsonl"
    line = journal.read_bytes() + b'{"file": "train/dog/3.png", "before": "0123456789"}'
    journal.write_bytes(line[: -cut or None])
    apply(plan, in_place=True)
    assert visible(root) == wanted
    undo(root)
    assert snapshot(root) == before


def test_a_killed_first_line_is_no_journal(root: Path) -> None:
    before = snapshot(root)
    folder = root / ".garim/applied/0001"
    folder.mkdir(parents=True)
    (folder / "journal.jsonl").write_text('{"plan": "01')
    apply(hard_plan(root), in_place=True)
    undo(root)
    assert snapshot(root) == before


def test_another_plan_on_top_of_an_unfinished_one_is_refused(root: Path) -> None:
    plan = hard_plan(root)
    with pytest.raises(KeyboardInterrupt):
        apply_until(plan, root, 3)
    before = snapshot(root)
    with pytest.raises(DatasetError, match="another plan was interrupted"):
        apply(replace(plan, edits=plan.edits[4:]), in_place=True)
    assert snapshot(root) == before


def test_going_on_when_the_selected_class_is_gone(root: Path) -> None:
    selection = {"classes": ["고양이"], "split": ["train"]}
    plan = replace(hard_plan(root), edits=hard_plan(root).edits[3:4], selection=selection)
    before = snapshot(root)
    with pytest.raises(KeyboardInterrupt):
        apply_until(plan, root, 1)
    assert apply(plan, in_place=True).failures == ()
    undo(root)
    assert snapshot(root) == before
