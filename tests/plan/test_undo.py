from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from small_datasets import (
    NFD,
    draw,
    edit,
    hard_plan,
    snapshot,
    visible,
)

from garim import pictures
from garim.boxes import Box
from garim.errors import DatasetError
from garim.plan import Plan, apply, undo


def test_undo_brings_back_every_byte_and_time(root: Path) -> None:
    before = snapshot(root)
    apply(hard_plan(root), in_place=True)
    undone = undo(root)
    assert (undone.pictures, undone.failures, undone.edits) == (8, (), {"undone": 7})
    assert snapshot(root) == before
    with pytest.raises(DatasetError, match="nothing to undo"):
        undo(root)
    assert snapshot(root) == before


def test_a_broken_journal_is_named_and_nothing_is_lost(root: Path) -> None:
    apply(hard_plan(root), in_place=True)
    journal = root / ".garim/applied/0001/journal.jsonl"
    journal.write_text("{}\nnonsense\n" + journal.read_text())
    with pytest.raises(DatasetError, match=r"journal\.jsonl:2: cannot be read"):
        undo(root)
    assert (root / ".garim/applied/0001/kept/train/dog/3.png").exists()


@pytest.mark.parametrize("name", ["../stolen.png", "/tmp/stolen.png", "a/../../stolen.png"])
def test_a_journal_that_leads_outside_is_refused(root: Path, name: str) -> None:
    before = snapshot(root)
    folder = root / ".garim/applied/0001"
    draw(folder / "kept" / "stolen.png", 1)
    (folder / "journal.jsonl").write_text(
        f'{{"plan": "x"}}\n{{"file": "{name}", "before": "y", "after": null}}\n'
    )
    with pytest.raises(DatasetError, match="not inside the dataset"):
        undo(root)
    shutil.rmtree(root / ".garim")
    assert snapshot(root) == before


def test_undo_leaves_a_picture_that_changed_after_apply(root: Path) -> None:
    before, plan = snapshot(root), hard_plan(root)
    apply(plan, in_place=True)
    mine = draw(root / "train/dog/3.png", 77).read_bytes()
    undone = undo(root)
    assert [failure.picture for failure in undone.failures] == ["train/dog/3.png"]
    assert "has changed since the plan was applied" in undone.failures[0].error
    assert (root / "train/dog/3.png").read_bytes() == mine
    now = {name: one for name, one in snapshot(root).items() if not name.startswith(".garim")}
    assert {n for n in before if before[n] != now.get(n)} == {"train/dog/3.png"}
    (root / "train/dog/3.png").unlink()  # "move it away and undo again"
    assert undo(root).failures == ()
    assert snapshot(root) == before


def test_what_undo_brought_back_may_change_before_the_rest_is_undone(root: Path) -> None:
    apply(hard_plan(root), in_place=True)
    draw(root / "train/dog/3.png", 77)
    assert undo(root).failures
    mine = draw(root / "train/dog/4.png", 78).read_bytes()
    (root / "train/dog/3.png").unlink()
    assert undo(root).failures == ()
    assert (root / "train/dog/4.png").read_bytes() == mine
    assert not (root / ".garim").exists()


def test_undo_never_overwrites_a_changed_picture_in_a_swapped_place(root: Path) -> None:
    apply(hard_plan(root), in_place=True)
    mine = draw(root / "train/dog/1.png", 77).read_bytes()  # was the cat 1.png
    undone = undo(root)
    assert (root / "train/dog/1.png").read_bytes() == mine
    assert (root / f"train/{NFD}/1-2.png").exists()  # the dog 1.png stays where it went
    assert {failure.picture for failure in undone.failures} == {
        f"train/{NFD}/1.png", "train/dog/1.png",
    }  # fmt: skip


def test_after_an_undo_that_left_something_a_plan_can_be_applied(root: Path) -> None:
    plan = hard_plan(root)
    apply(plan, in_place=True)
    draw(root / "train/dog/3.png", 77)
    assert undo(root).failures
    before = snapshot(root)
    again = apply(plan, in_place=True)
    assert [failure.picture for failure in again.failures] == ["train/dog/3.png"]
    assert undo(root).failures == ()
    assert snapshot(root) == before


def test_two_plans_are_undone_one_after_another(root: Path) -> None:
    first_state = snapshot(root)
    apply(hard_plan(root), in_place=True)
    second_state = visible(root)
    box = Box(0, 0, 5, 5)
    edits = (
        edit(root, "train/dog/3.png", "crop", box=box),
        edit(root, "train/새 이름/4.png", "drop"),
        edit(root, f"train/{NFD}/1-2.png", "relabel", to="dog"),
    )
    apply(Plan(dataset=root, edits=edits), in_place=True)
    assert pictures.open_picture(root / "train/dog/3.png").size == (5, 5)
    undo(root)
    assert visible(root) == second_state
    undo(root)
    assert snapshot(root) == first_state


def test_everything_can_be_dropped_and_undone(tmp_path: Path) -> None:
    names = ("dog/1.png", "dog/2.png")
    for index, name in enumerate(names):
        draw(tmp_path / name, index)
    before = snapshot(tmp_path)
    plan = Plan(dataset=tmp_path, edits=tuple(edit(tmp_path, name, "drop") for name in names))
    assert apply(plan, in_place=True).pictures == 0
    assert undo(tmp_path).pictures == 2
    assert snapshot(tmp_path) == before


def test_undo_of_what_is_not_there_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        undo(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DatasetError, match="no such file"):
        apply(Plan(dataset=tmp_path / "nowhere", edits=()), in_place=True)
    assert list(tmp_path.iterdir()) == []
