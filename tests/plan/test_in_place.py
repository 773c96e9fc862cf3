from __future__ import annotations

import errno
import multiprocessing
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_datasets import (
    NFD,
    draw,
    edit,
    forks,
    hard_plan,
    killed_at,
    snapshot,
    visible,
)

import garim
from garim import files, pictures
from garim.boxes import Box
from garim.errors import DatasetError, GarimError, PlanError, SettingsError
from garim.plan import ApplySettings, Plan, apply, undo
from garim.plan.journal import journals, locked


def test_apply_makes_every_edit(root: Path) -> None:
    before = {name: (root / name).read_bytes() for name in ("train/dog/1.png", "train/dog/2.png")}
    plan = hard_plan(root)
    applied = apply(plan, in_place=True)
    assert applied.failures == ()
    assert applied.edits == {"drop": 1, "relabel": 4, "crop": 2, "move": 1}
    assert applied.pictures == 7
    names = {name for name, one in visible(root).items() if one and name.endswith(".png")}
    assert names == {
        "train/dog/1.png", "train/dog/3.png", "train/dog/그대로.png", f"train/{NFD}/1-2.png",
        f"train/{NFD}/2.png", "train/새 이름/4.png", "test/dog/5.png",
    }  # fmt: skip
    assert (root / f"train/{NFD}/1-2.png").read_bytes() == before["train/dog/1.png"]
    assert (root / f"train/{NFD}/2.png").read_bytes() == before["train/dog/2.png"]
    assert pictures.open_picture(root / "train/새 이름/4.png").size == (20, 15)
    found = {row.file_name: (row.label, row.split) for row in garim.read(root)}
    assert found[f"train/{NFD}/1-2.png"] == ("고양이", "train")
    assert found["test/dog/5.png"] == ("dog", "test")


def test_undo_brings_back_every_byte_and_time(root: Path) -> None:
    before = snapshot(root)
    apply(hard_plan(root), in_place=True)
    undone = undo(root)
    assert (undone.pictures, undone.failures, undone.edits) == (8, (), {"undone": 7})
    assert snapshot(root) == before
    with pytest.raises(DatasetError, match="nothing to undo"):
        undo(root)
    assert snapshot(root) == before


@forks
@pytest.mark.slow
def test_killed_at_any_moment_an_apply_goes_on_or_is_undone(root: Path, tmp_path: Path) -> None:
    plan, before = hard_plan(root), snapshot(root)
    wanted = _uninterrupted(root, tmp_path, plan)
    for number in range(1, 1000, 2):
        if not _killed(number, plan, root):
            break
        if number % 4 == 1:
            _apply_unless_done(plan)
            assert visible(root) == wanted, f"gone on after a kill before change {number}"
        _undo_if_any(root)
        assert snapshot(root) == before, f"undone after a kill before change {number}"
    assert number > 60


def _apply_unless_done(plan: Plan) -> None:
    try:
        assert apply(plan, in_place=True).edits["relabel"] == 4
    except DatasetError as error:
        assert "is applied already" in str(error)


def _killed(number: int, plan: Plan, root: Path) -> bool:
    return killed_at(number, lambda: apply(plan, in_place=True))


def _undo_if_any(root: Path) -> None:
    try:
        assert undo(root).failures == ()
    except DatasetError as error:
        assert "nothing to undo" in str(error)


def _uninterrupted(root: Path, tmp_path: Path, plan: Plan) -> dict[str, Any]:
    whole = shutil.copytree(root, tmp_path / "whole")
    apply(plan, in_place=True, data=whole)
    return visible(whole)


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
        _undo_if_any(root)
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
    wanted = _uninterrupted(root, tmp_path, plan)
    kills = sum(_killed(rng.randrange(3, 40), plan, root) for _ in range(6))
    assert kills >= 2
    _apply_unless_done(plan)
    assert visible(root) == wanted
    for _ in range(6):
        killed_at(rng.randrange(3, 30), lambda: _undo_if_any(root))
    _undo_if_any(root)
    assert snapshot(root) == before


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_journal_cut_off_while_it_was_written(root: Path, tmp_path: Path, cut: int) -> None:
    plan, before = hard_plan(root), snapshot(root)
    wanted = _uninterrupted(root, tmp_path, plan)
    with pytest.raises(KeyboardInterrupt):
        _apply_until(plan, root, 4)
    journal = root / ".garim/applied/0001/journal.jsonl"
    line = journal.read_bytes() + b'{"file": "train/dog/3.png", "before": "0123456789"}'
    journal.write_bytes(line[: -cut or None])
    apply(plan, in_place=True)
    assert visible(root) == wanted
    undo(root)
    assert snapshot(root) == before


def _apply_until(plan: Plan, root: Path, number: int) -> None:
    """Stop between two steps."""
    from garim.plan import in_place

    seen = [0]
    change = in_place.change

    def counted(*values: Any) -> list[str]:
        seen[0] += 1
        if seen[0] == number:
            raise KeyboardInterrupt
        return change(*values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(in_place, "change", counted)
        apply(plan, in_place=True)


def test_a_killed_first_line_is_no_journal(root: Path) -> None:
    before = snapshot(root)
    folder = root / ".garim/applied/0001"
    folder.mkdir(parents=True)
    (folder / "journal.jsonl").write_text('{"plan": "01')
    apply(hard_plan(root), in_place=True)
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


def test_a_plan_that_names_files_outside_touches_nothing(root: Path, tmp_path: Path) -> None:
    outside = draw(tmp_path / "outside.png", 1)
    names = ["../outside.png", str(outside), "../../etc/passwd", "train/../../outside.png", "."]
    edits = [
        replace(edit(root, "train/dog/1.png", "drop"), picture=name, label=label, digest=None)
        for name in names
        for label in (None, "..", "dog")
    ]
    before = snapshot(tmp_path)
    applied = apply(Plan(dataset=root, edits=tuple(edits)), in_place=True)
    assert len(applied.failures) == 15 and applied.edits == {}
    shutil.rmtree(root / ".garim")
    assert {n: v for n, v in snapshot(tmp_path).items() if ".garim" not in n} == before


def test_a_picture_behind_a_link_is_left_alone(root: Path, tmp_path: Path) -> None:
    outside = draw(tmp_path / "outside/a.png", 1)
    (root / "train/linked").symlink_to(outside.parent)
    (root / "train/dog/link.png").symlink_to(outside)
    box = Box(1, 1, 9, 9)
    edits = (
        edit(root, "train/linked/a.png", "drop"),
        edit(root, "train/dog/link.png", "crop", box=box),
        edit(root, "train/dog/1.png", "relabel", to="linked"),
    )
    before = snapshot(tmp_path / "outside")
    applied = apply(Plan(dataset=root, edits=edits), in_place=True)
    assert len(applied.failures) == 3 and all("link" in f.error for f in applied.failures)
    assert snapshot(tmp_path / "outside") == before


def test_a_picture_changed_since_the_plan_is_refused_and_the_rest_goes_on(root: Path) -> None:
    plan = hard_plan(root)
    changed = draw(root / "train/dog/3.png", 99).read_bytes()
    applied = apply(plan, in_place=True)
    assert [failure.picture for failure in applied.failures] == ["train/dog/3.png"]
    assert "has changed since the plan" in applied.failures[0].error
    assert applied.edits == {"drop": 1, "relabel": 4, "crop": 1, "move": 1}
    assert (root / "train/dog/3.png").read_bytes() == changed


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


def test_the_same_plan_twice_is_refused(root: Path) -> None:
    plan = hard_plan(root)
    apply(plan, in_place=True)
    before = snapshot(root)
    with pytest.raises(DatasetError, match="is applied already"):
        apply(plan, in_place=True)
    assert snapshot(root) == before


def test_another_plan_on_top_of_an_unfinished_one_is_refused(root: Path) -> None:
    plan = hard_plan(root)
    with pytest.raises(KeyboardInterrupt):
        _apply_until(plan, root, 3)
    before = snapshot(root)
    with pytest.raises(DatasetError, match="another plan was interrupted"):
        apply(replace(plan, edits=plan.edits[4:]), in_place=True)
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


def _hold(root: Path, held: Any, go: Any) -> None:
    with locked(root):
        held.set()
        go.wait(20)


@forks
def test_a_second_process_is_told_to_wait(root: Path) -> None:
    before = snapshot(root)
    context = multiprocessing.get_context("fork")
    held, go = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(root, held, go))
    other.start()
    try:
        assert held.wait(20)
        for change in (lambda: apply(hard_plan(root), in_place=True), lambda: undo(root)):
            with pytest.raises(DatasetError, match="another Garim is changing this dataset"):
                change()
    finally:
        go.set()
        other.join()
    assert snapshot(root) == before


def test_a_dataset_with_boxes_or_labels_elsewhere_is_refused(root: Path, tmp_path: Path) -> None:
    for format in ("huggingface", "coco", "csv", "yolo"):
        made = garim.write(garim.read(root), tmp_path / format, format)
        before = snapshot(made.root)
        plan = Plan(dataset=made.origin, edits=())
        with pytest.raises(DatasetError, match="use --to"):
            apply(plan, in_place=True, data=made.root)
        assert snapshot(made.root) == before


def test_several_crops_of_one_picture_are_refused(root: Path) -> None:
    crop = edit(root, "train/dog/1.png", "crop", box=Box(0, 0, 9, 9))
    plan = Plan(dataset=root, edits=(crop, replace(crop, box=Box(9, 9, 20, 20))))
    _refused(root, plan, PlanError, "several crops")


BAD_LABELS = ["", " ", "../x", "a/b", "a\\b", ".hidden", "test", "Train", "__MACOSX", "가" * 100]


@pytest.mark.parametrize("label", [*BAD_LABELS, None])
def test_a_label_that_cannot_be_a_folder_is_refused(root: Path, label: str | None) -> None:
    first = edit(root, "train/dog/3.png", "drop")
    bad = edit(root, "train/dog/1.png", "relabel", to=label)
    _refused(root, Plan(dataset=root, edits=(first, bad)), PlanError, "relabel")


@pytest.mark.parametrize("split", ["holdout", "", "dog", None])
def test_a_move_to_what_is_no_split_is_refused(root: Path, split: str | None) -> None:
    bad = edit(root, "train/dog/1.png", "move", to=split)
    _refused(root, Plan(dataset=root, edits=(bad,)), PlanError, "the splits are train")


def _refused(root: Path, plan: Plan, error: type[GarimError], words: str) -> None:
    before = snapshot(root)
    with pytest.raises(error, match=words):
        apply(plan, in_place=True)
    assert snapshot(root) == before


def test_wrong_settings_are_refused(root: Path, tmp_path: Path) -> None:
    plan = hard_plan(root)
    for choice in ({}, {"to": tmp_path / "x", "in_place": True}):
        with pytest.raises(SettingsError, match="--in-place"):
            apply(plan, **choice)
    with pytest.raises(SettingsError, match="new dataset only"):
        apply(plan, in_place=True, settings=ApplySettings(as_boxes=True))


def test_names_are_found_in_either_unicode_form(root: Path) -> None:
    before, plan = snapshot(root), hard_plan(root)
    composed = tuple(
        replace(one, picture=files.nfc(one.picture), to=NFD if one.to == "고양이" else one.to)
        for one in plan.edits
    )
    applied = apply(replace(plan, edits=composed), in_place=True)
    assert applied.failures == ()
    assert (root / f"train/{NFD}/1-2.png").exists()
    assert not (root / "train/고양이").exists()  # no second folder of one name
    undo(root)
    assert snapshot(root) == before


def test_move_takes_the_folder_that_means_the_split(root: Path) -> None:
    draw(root / "val/dog/9.png", 9)
    draw(root / "train/test/8.png", 8)  # a class named test
    before = snapshot(root)
    edits = (
        edit(root, "train/dog/1.png", "move", to="validation"),
        edit(root, "train/test/8.png", "move", to="valid"),
    )
    assert apply(Plan(dataset=root, edits=edits), in_place=True).failures == ()
    assert (root / "val/dog/1.png").exists()
    assert (root / "val/test/8.png").exists()
    undo(root)
    assert snapshot(root) == before


def test_where_no_folder_says_it_the_edit_is_listed(tmp_path: Path) -> None:
    draw(tmp_path / "dog/1.png", 1)
    draw(tmp_path / "2.png", 2)
    relabel = replace(edit(tmp_path, "dog/1.png", "relabel", to="x"), picture="2.png", label=None)
    move = edit(tmp_path, "dog/1.png", "move", to="test")
    relabel = replace(relabel, digest=None)
    applied = apply(Plan(dataset=tmp_path, edits=(move, relabel)), in_place=True)
    assert {failure.picture for failure in applied.failures} == {"dog/1.png", "2.png"}
    assert (tmp_path / "dog/1.png").exists() and (tmp_path / "2.png").exists()


def test_everything_can_be_dropped_and_undone(tmp_path: Path) -> None:
    names = ("dog/1.png", "dog/2.png")
    for index, name in enumerate(names):
        draw(tmp_path / name, index)
    before = snapshot(tmp_path)
    plan = Plan(dataset=tmp_path, edits=tuple(edit(tmp_path, name, "drop") for name in names))
    assert apply(plan, in_place=True).pictures == 0
    assert undo(tmp_path).pictures == 2
    assert snapshot(tmp_path) == before


def test_going_on_when_the_selected_class_is_gone(root: Path) -> None:
    selection = {"classes": ["고양이"], "split": ["train"]}
    plan = replace(hard_plan(root), edits=hard_plan(root).edits[3:4], selection=selection)
    before = snapshot(root)
    with pytest.raises(KeyboardInterrupt):
        _apply_until(plan, root, 1)
    assert apply(plan, in_place=True).failures == ()
    undo(root)
    assert snapshot(root) == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(root: Path) -> None:
    plan = hard_plan(root)
    root.chmod(0o555)
    try:
        with pytest.raises(DatasetError, match="cannot be written"):
            apply(plan, in_place=True)
    finally:
        root.chmod(0o755)


def _full(*values: object, **named: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _after(number: int, function: Callable[..., Any]) -> Callable[..., Any]:
    seen = [0]

    def call(*values: Any, **named: Any) -> Any:
        seen[0] += 1
        return _full() if seen[0] > number else function(*values, **named)

    return call


@pytest.mark.parametrize("what", ["replace", "link", "mkdir", "fsync"])
@pytest.mark.parametrize("number", [0, 1, 4, 9])
def test_a_full_disk_stops_the_apply_and_undo_works(root: Path, what: str, number: int) -> None:
    before, plan = snapshot(root), hard_plan(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, what, _after(number, getattr(os, what)))
        if what == "link":
            patch.setattr(shutil, "copy2", _full)
        try:
            apply(plan, in_place=True)
        except DatasetError as error:
            assert "No space left" in str(error)
    _undo_if_any(root)
    assert snapshot(root) == before


@pytest.mark.parametrize("going_on", [True, False])
def test_a_disk_full_of_crops(root: Path, tmp_path: Path, going_on: bool) -> None:
    before, plan = snapshot(root), hard_plan(root)
    wanted = _uninterrupted(root, tmp_path, plan)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "write_bytes", _after(1, files.write_bytes))
        with pytest.raises(DatasetError, match=r"No space left.*apply the plan again"):
            apply(plan, in_place=True)
    if going_on:
        apply(plan, in_place=True)
        assert visible(root) == wanted
    undo(root)
    assert snapshot(root) == before


def test_a_disk_without_hard_links(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", _after(0, os.link))
    before = snapshot(root)
    apply(hard_plan(root), in_place=True)
    undo(root)
    assert snapshot(root) == before


def test_undo_of_what_is_not_there_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        undo(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DatasetError, match="no such file"):
        apply(Plan(dataset=tmp_path / "nowhere", edits=()), in_place=True)
    assert list(tmp_path.iterdir()) == []
