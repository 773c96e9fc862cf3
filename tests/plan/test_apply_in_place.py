from __future__ import annotations

from dataclasses import replace
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

import garim
from garim import files, pictures
from garim.boxes import Box
from garim.errors import DatasetError, GarimError, PlanError, SettingsError
from garim.plan import ApplySettings, Plan, apply, undo


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


def test_a_plan_that_names_files_outside_touches_nothing(root: Path, tmp_path: Path) -> None:
    outside = draw(tmp_path / "outside.png", 1)
    names = ["../outside.png", str(outside), "../../etc/passwd", "train/../../outside.png", "."]
    edits = [
        replace(edit(root, "train/dog/1.png", "drop"), picture=name, label=label, digest=None)
        for name in names
        for label in (None, "..", "dog")
    ]
    before = snapshot(tmp_path)
    edits.append(edit(root, "train/dog/1.png", "drop"))
    applied = apply(Plan(dataset=root, edits=tuple(edits)), in_place=True)
    assert len(applied.failures) == 15 and applied.edits == {"drop": 1}
    garim.undo(root)
    assert snapshot(tmp_path) == before


def test_a_plan_of_another_dataset_is_refused(root: Path, tmp_path: Path) -> None:
    other = edit(root, "train/dog/1.png", "drop", label="wolf")
    plan = Plan(dataset=root, edits=(replace(other, picture="wolf/a.png"),))
    before = snapshot(tmp_path)
    for how in ({"in_place": True}, {"to": tmp_path / "to"}):
        with pytest.raises(PlanError, match=r"none of the 1 pictures to edit is in.*--data"):
            apply(plan, **how)
    assert snapshot(tmp_path) == before


def test_a_second_undo_counts_what_it_takes_back(root: Path) -> None:
    names = ["train/dog/1.png", "train/dog/2.png", "train/dog/3.png"]
    apply(Plan(dataset=root, edits=tuple(edit(root, n, "drop") for n in names)), in_place=True)
    (root / names[0]).write_bytes(b"another")
    first = garim.undo(root)
    assert (first.edits, [f.picture for f in first.failures]) == ({"undone": 2}, names[:1])
    (root / names[0]).unlink()
    assert garim.undo(root).edits == {"undone": 1}


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


def test_the_same_plan_twice_is_refused(root: Path) -> None:
    plan = hard_plan(root)
    apply(plan, in_place=True)
    before = snapshot(root)
    with pytest.raises(DatasetError, match="is applied already"):
        apply(plan, in_place=True)
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
