from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_datasets import NFD, draw, edit, forks, hard_plan, killed_at, snapshot

import garim
from garim import files
from garim.boxes import Box
from garim.errors import DatasetError, PlanError, SettingsError
from garim.formats.rows import Object, Row
from garim.plan import Applied, ApplySettings, Edit, Plan, apply


def _by_source(target: Path) -> dict[str | None, list[Row]]:
    found: dict[str | None, list[Row]] = {}
    for row in garim.read(target):
        found.setdefault(row.source, []).append(row)
    return found


def _pixels(path: Path) -> Any:
    return np.asarray(Image.open(path))


def test_the_new_dataset_has_every_edit(root: Path, tmp_path: Path) -> None:
    before, to = snapshot(root), tmp_path / "새 것"
    applied = apply(hard_plan(root), to=to)
    assert snapshot(root) == before
    edits = {"drop": 1, "relabel": 4, "crop": 2, "move": 1}
    assert applied == Applied(to=to, pictures=7, edits=edits)
    assert len(garim.read(to)) == 7
    found = {source: rows[0] for source, rows in _by_source(to).items()}
    assert f"train/{NFD}/2.png" not in found
    both = found["train/dog/4.png"]
    assert both.label == "새 이름" and both.edits == ("relabel from dog", "crop")
    assert both.source_box == Box(3, 4, 23, 19)
    assert both.objects == (Object("새 이름", Box(0, 0, 20, 15)),)
    assert (found["train/dog/5.png"].split, found["train/dog/5.png"].edits) == (
        "test", ("move from train",),
    )  # fmt: skip
    assert found["train/dog/그대로.png"].edits == ()
    assert not list(tmp_path.glob(".*"))


def test_pixels_and_bytes_are_those_of_the_originals(root: Path, tmp_path: Path) -> None:
    apply(hard_plan(root), to=tmp_path / "to")
    for source, (row,) in _by_source(tmp_path / "to").items():
        made, original = tmp_path / "to" / row.file_name, root / (source or "")
        if row.source_box is None:
            assert made.read_bytes() == original.read_bytes()
        else:
            assert (_pixels(made) == _pixels(original)[4:19, 3:23]).all()


def test_a_box_of_fractions_is_noted_as_it_was_cut(root: Path, tmp_path: Path) -> None:
    crop = edit(root, "train/dog/1.png", "crop", box=Box(-2.5, 3.4, 10.6, 99))
    apply(Plan(dataset=root, edits=(crop,)), to=tmp_path / "to")
    (row,) = _by_source(tmp_path / "to")["train/dog/1.png"]
    assert row.source_box == Box(0, 3, 11, 30)
    assert row.objects[0].box == Box(0, 0, 11, 27)
    assert _pixels(tmp_path / "to" / row.file_name).shape == (27, 11, 3)


def test_crops_of_crops_name_the_first_source(root: Path, tmp_path: Path) -> None:
    first = edit(root, "train/dog/1.png", "crop", box=Box(5, 6, 35, 26))
    apply(Plan(dataset=root, edits=(first,)), to=tmp_path / "once")
    name = _by_source(tmp_path / "once")["train/dog/1.png"][0].file_name
    again = edit(tmp_path / "once", name, "crop", box=Box(2, 3, 12, 13))
    apply(Plan(dataset=tmp_path / "once", edits=(again,)), to=tmp_path / "twice")
    (row,) = _by_source(tmp_path / "twice")["train/dog/1.png"]
    assert row.source_box == Box(7, 9, 17, 19) and row.edits == ("crop", "crop")
    made = _pixels(tmp_path / "twice" / row.file_name)
    assert (made == _pixels(root / "train/dog/1.png")[9:19, 7:17]).all()


def test_objects_and_masks_fit_the_crop(root: Path, tmp_path: Path) -> None:
    data = garim.read(root).where(classes=["dog"])
    objects = (Object("dog", Box(0, 0, 10, 10)), Object("cat", Box(30, 20, 40, 30)))
    mask = data.rows[1].file_name
    rows = (replace(data.rows[0], objects=objects, mask_file_name=mask), *data.rows[1:])
    boxed = garim.write(replace(data, rows=rows), tmp_path / "boxed")
    name = next(row.file_name for row in boxed if row.objects)
    crop = edit(boxed.root, name, "crop", box=Box(4, 4, 20, 20))
    apply(Plan(dataset=boxed.root, edits=(crop,)), to=tmp_path / "to")
    (row,) = _by_source(tmp_path / "to")[name]
    assert row.objects == (Object("dog", Box(0, 0, 16, 16)), Object("dog", Box(0, 0, 6, 6)))
    assert row.mask_file_name is None


@pytest.mark.parametrize("occupied", ["file", "folder"])
def test_a_target_that_holds_something_is_refused(
    root: Path, tmp_path: Path, occupied: str
) -> None:
    to = tmp_path / "to"
    if occupied == "file":
        to.write_text("mine")
    else:
        draw(to / "mine.png", 1)
    before = snapshot(tmp_path)
    with pytest.raises(DatasetError, match="is not empty"):
        apply(hard_plan(root), to=to)
    assert snapshot(tmp_path) == before


def test_an_empty_target_and_the_current_folder_are_taken(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "to").mkdir()
    monkeypatch.chdir(tmp_path / "to")
    assert apply(hard_plan(root), to=".").pictures == 7
    assert len(garim.read(tmp_path / "to")) == 7


def test_a_folder_in_the_way_is_not_touched(root: Path, tmp_path: Path) -> None:
    draw(tmp_path / ".to.unfinished/mine.png", 1)
    before = snapshot(tmp_path)
    with pytest.raises(DatasetError, match="is in the way"):
        apply(hard_plan(root), to=tmp_path / "to")
    assert snapshot(tmp_path) == before


def test_changed_broken_and_unknown_pictures_are_listed(root: Path, tmp_path: Path) -> None:
    plan = hard_plan(root)
    draw(root / "train/dog/3.png", 99)
    broken = root / "train/dog/그대로.png"
    broken.write_bytes(broken.read_bytes()[:60])
    unknown = Edit(picture="../../etc/passwd", edit="drop", label="dog")
    applied = apply(replace(plan, edits=(*plan.edits, unknown)), to=tmp_path / "to")
    errors = {failure.picture: failure.error for failure in applied.failures}
    assert set(errors) == {"train/dog/3.png", "train/dog/그대로.png", "../../etc/passwd"}
    assert "has changed since the plan" in errors["train/dog/3.png"]
    assert "is not in the dataset" in errors["../../etc/passwd"]
    assert applied.pictures == 6 == len(garim.read(tmp_path / "to"))
    assert applied.edits["crop"] == 1
    kept = _by_source(tmp_path / "to")["train/dog/3.png"][0]
    assert kept.source_box is None  # as it is now, whole


def test_a_box_outside_the_picture_is_listed(root: Path, tmp_path: Path) -> None:
    crops = [
        edit(root, f"train/dog/{number}.png", "crop", box=box)
        for number, box in ((1, Box(100, 100, 120, 120)), (2, Box(5, 5, 5, 9)))
    ]
    applied = apply(Plan(dataset=root, edits=tuple(crops)), to=tmp_path / "to")
    assert {failure.picture for failure in applied.failures} == {c.picture for c in crops}
    assert (applied.pictures, applied.edits) == (6, {})


def test_as_boxes_keeps_the_pictures_whole(root: Path, tmp_path: Path) -> None:
    name = "train/dog/1.png"
    crop = edit(root, name, "crop", box=Box(1, 2, 20, 30))
    second = replace(crop, box=Box(20, 2, 40, 30))
    keep = edit(root, "train/dog/2.png", "keep", size=(40, 30), score_after=0.9)
    unseen = edit(root, "train/dog/3.png", "keep")
    plan = Plan(dataset=root, edits=(crop, second, keep, unseen))
    applied = apply(plan, to=tmp_path / "to", settings=ApplySettings(as_boxes=True))
    assert (applied.pictures, applied.edits) == (8, {"crop": 3})
    found = _by_source(tmp_path / "to")
    (row,) = found[name]
    assert (tmp_path / "to" / row.file_name).read_bytes() == (root / name).read_bytes()
    assert [one.box for one in row.objects] == [crop.box, second.box]
    assert row.edits == ("box",) and row.source_box is None
    assert found["train/dog/2.png"][0].objects == (Object("dog", Box(0, 0, 40, 30)),)
    assert found["train/dog/3.png"][0].objects == ()


@pytest.mark.parametrize("labels", ["folder", "all"])
def test_boxes_of_other_labels_stay(root: Path, tmp_path: Path, labels: Any) -> None:
    name, old, new = "train/dog/1.png", Box(0, 0, 9, 9), Box(20, 0, 39, 9)
    data = garim.read(root).where(classes="dog")
    objects = (Object("dog", old), Object("cat", old))
    rows = tuple(replace(r, objects=objects) if r.file_name == name else r for r in data.rows)
    boxed = garim.write(replace(data, rows=rows), tmp_path / "boxed")
    plan = Plan(
        dataset=boxed.origin,
        edits=(edit(boxed.root, name, "crop", box=new),),
        selection={"labels": labels},
    )
    apply(plan, to=tmp_path / "to", settings=ApplySettings(as_boxes=True))
    (row,) = _by_source(tmp_path / "to")[name]
    assert sorted(row.objects, key=str) == [Object("cat", old), Object("dog", new)]


def test_only_the_part_that_a_plan_was_made_for_is_written(root: Path, tmp_path: Path) -> None:
    part = garim.read(root).where(split="train", classes="dog")
    plan = Plan(dataset=root, edits=(), selection=asdict(part.selection))
    assert apply(plan, to=tmp_path / "part").pictures == len(part) == 6
    divided = garim.split(part, garim.SplitSettings(test=0.5, validation=0)).where(split="test")
    plan = Plan(dataset=root, edits=(), selection=asdict(divided.selection))
    assert apply(plan, to=tmp_path / "test", data=divided).pictures == len(divided) == 3
    assert garim.read(tmp_path / "test").splits == ("test",)
    with pytest.raises(SettingsError, match="no split 'test'"):
        apply(plan, to=tmp_path / "none")


def test_several_labels_and_several_boxes_give_several_crops(root: Path, tmp_path: Path) -> None:
    name = "train/dog/1.png"
    data = garim.read(root).where(classes=["dog"])
    boxes = {"dog": Box(0, 0, 9, 9), "cat": Box(10, 10, 30, 30)}
    objects = tuple(Object(label, box) for label, box in boxes.items())
    rows = tuple(replace(r, objects=objects) if r.file_name == name else r for r in data.rows)
    boxed = garim.write(replace(data, rows=rows), tmp_path / "boxed")
    crops = [edit(boxed.root, name, "crop", label=one, box=box) for one, box in boxes.items()]
    crops.append(replace(crops[0], box=Box(20, 0, 29, 9)))
    plan = Plan(dataset=boxed.root, edits=tuple(crops), selection={"labels": "all"})
    assert apply(plan, to=tmp_path / "to").edits == {"crop": 3}
    made = _by_source(tmp_path / "to")[name]
    assert len(made) == 3 == len({row.file_name for row in made})
    original = _pixels(boxed.root / name)
    for row in made:
        assert row.source_box is not None
        left, top, right, bottom = (int(v) for v in row.source_box.xyxy())
        cut = _pixels(tmp_path / "to" / row.file_name)
        assert (cut == original[top:bottom, left:right]).all()
    assert sorted(row.label or "" for row in made) == ["cat", "dog", "dog"]


def test_states_choose_the_edits(root: Path, tmp_path: Path) -> None:
    names = ["train/dog/1.png", "train/dog/2.png", "train/dog/3.png"]
    plan = Plan(dataset=root, edits=tuple(edit(root, name, "drop") for name in names))
    plan = plan.with_state("accepted", [0]).with_state("rejected", [1])
    apply(plan, to=tmp_path / "all")
    accepted = ApplySettings(only_accepted=True)
    apply(plan, to=tmp_path / "accepted", settings=accepted)
    assert set(names) & set(_by_source(tmp_path / "all")) == {names[1]}
    assert set(names) & set(_by_source(tmp_path / "accepted")) == set(names[1:])


def test_a_moved_dataset_and_other_unicode_forms(root: Path, tmp_path: Path) -> None:
    plan = hard_plan(root)
    root.rename(tmp_path / "elsewhere")
    composed = tuple(replace(one, picture=files.nfc(one.picture)) for one in plan.edits)
    with pytest.raises(DatasetError, match="no such file or folder"):
        apply(plan, to=tmp_path / "to")
    again = replace(plan, edits=composed)
    applied = apply(again, to=tmp_path / "to", data=tmp_path / "elsewhere")
    assert applied.failures == () and applied.pictures == 7


@pytest.mark.parametrize(
    "selection",
    [{"split": "train"}, {"classes": [1]}, {"labels": "some"}, {"format": 3}, {"split": [[]]}],
)
def test_a_selection_that_cannot_be_is_refused(
    root: Path, tmp_path: Path, selection: dict[str, Any]
) -> None:
    plan = replace(hard_plan(root), selection=selection)
    with pytest.raises(PlanError, match="the plan's selection"):
        apply(plan, to=tmp_path / "to")


@pytest.mark.parametrize("wrong", [{"edit": "crop"}, {"edit": "relabel"}, {"edit": "move"}])
def test_edits_that_do_not_say_what_to_do_are_refused(
    root: Path, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    plan = Plan(dataset=root, edits=(Edit(picture="train/dog/1.png", label="dog", **wrong),))
    with pytest.raises(PlanError, match=r"train/dog/1\.png"):
        apply(plan, to=tmp_path / "to")
    assert not list(tmp_path.glob("*to*"))


def test_an_unlabelled_picture_can_be_cropped(tmp_path: Path) -> None:
    draw(tmp_path / "DATA/1.png", 1)
    draw(tmp_path / "DATA/dog/2.png", 2)
    crop = Edit(picture="1.png", edit="crop", box=Box(1, 1, 9, 9))
    plan = Plan(dataset=tmp_path / "DATA", edits=(crop,))
    apply(plan, to=tmp_path / "to")
    (row,) = _by_source(tmp_path / "to")["1.png"]
    assert (row.label, row.objects, row.source_box) == (None, (), crop.box)
    boxes = apply(plan, to=tmp_path / "boxes", settings=ApplySettings(as_boxes=True))
    assert [failure.error for failure in boxes.failures] == ["has no label for its box"]


@forks
@pytest.mark.slow
def test_killed_at_any_moment_an_apply_goes_on(root: Path, tmp_path: Path) -> None:
    plan, to = _in_one_split(root), tmp_path / "to"
    apply(plan, to=tmp_path / "whole")
    wanted = snapshot(tmp_path / "whole", times=False)
    for number in range(1, 1000, 2):
        killed = killed_at(number, lambda: apply(plan, to=to))
        _finish(lambda: apply(plan, to=to))
        assert snapshot(to, times=False) == wanted, f"after a kill before change {number}"
        assert not list(tmp_path.glob(".*"))
        if not killed:
            break
        to.rename(tmp_path / f"to-{number}")
    assert number > 30


def _in_one_split(root: Path) -> Plan:
    """Leave out the move: it would have Polars write Parquet, whose threads do not survive fork."""
    return replace(hard_plan(root), edits=hard_plan(root).edits[:-1])


def _finish(go_on: Callable[[], object]) -> None:
    try:
        go_on()
    except DatasetError as error:
        assert "is not empty" in str(error)


@forks
def test_killed_again_and_again(root: Path, tmp_path: Path) -> None:
    plan, to, rng = _in_one_split(root), tmp_path / "to", random.Random(0)
    apply(plan, to=tmp_path / "whole")
    kills = sum(killed_at(rng.randrange(3, 12), lambda: apply(plan, to=to)) for _ in range(6))
    assert kills == 6
    _finish(lambda: apply(plan, to=to))
    assert snapshot(to, times=False) == snapshot(tmp_path / "whole", times=False)


def test_what_is_unfinished_of_changed_pictures_is_begun_again(root: Path, tmp_path: Path) -> None:
    plan, to = hard_plan(root), tmp_path / "to"
    _stop_after(plan, to, 4)
    draw(root / "train/dog/그대로.png", 99)
    draw(root / "train/dog/0.png", 98)
    apply(plan, to=to)
    apply(plan, to=tmp_path / "whole")
    assert snapshot(to, times=False) == snapshot(tmp_path / "whole", times=False)


def _stop_after(plan: Plan, to: Path, number: int) -> None:
    seen = [0]
    write = files.replacing

    def full(path: Path, size: int | None = None) -> Any:
        seen[0] += 1
        if seen[0] > number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "replacing", full)
        with pytest.raises(DatasetError, match="No space left on device"):
            apply(plan, to=to)


@pytest.mark.parametrize("number", [0, 1, 2, 5, 8])
def test_a_full_disk_stops_and_goes_on(root: Path, tmp_path: Path, number: int) -> None:
    before, plan, to = snapshot(root), hard_plan(root), tmp_path / "to"
    _stop_after(plan, to, number)
    assert not to.exists() and snapshot(root) == before
    assert apply(plan, to=to).pictures == 7
    apply(plan, to=tmp_path / "whole")
    assert snapshot(to, times=False) == snapshot(tmp_path / "whole", times=False)


def test_boxes_of_one_picture_under_several_labels_stand_together(tmp_path: Path) -> None:
    Image.new("RGB", (60, 40)).save(tmp_path / "both.png")
    (tmp_path / "list.csv").write_text("file,label\nboth.png,cat\nboth.png,dog\n")
    edits = tuple(
        Edit(picture="both.png", edit="crop", label=label, box=Box(left, 5, left + 20, 25))
        for label, left in (("cat", 0), ("dog", 30))
    )
    plan = Plan(dataset=tmp_path / "list.csv", edits=edits)
    done = apply(plan, to=tmp_path / "boxed", settings=ApplySettings(as_boxes=True))
    (row,) = garim.read(tmp_path / "boxed").rows
    assert done.pictures == 1
    assert {o.label: o.box for o in row.objects} == {e.label: e.box for e in edits}


class _Twice:
    """Repeats pixels."""

    scale = 2

    def __call__(self, image: Image.Image) -> Image.Image:
        return image.resize((2 * image.width, 2 * image.height), Image.Resampling.NEAREST)


def test_small_crops_are_enlarged_with_their_boxes(root: Path, tmp_path: Path) -> None:
    plan = Plan(
        dataset=root,
        edits=tuple(
            edit(root, f"train/dog/{n}.png", "crop", label="dog", box=Box(3, 4, 3 + w, 4 + h))
            for n, w, h in ((4, 20, 15), (5, 12, 10))
        ),
    )
    settings = ApplySettings(enlarge_below=12)
    apply(plan, to=tmp_path / "to", settings=settings, enlarger=_Twice())
    found = {source: rows[0] for source, rows in _by_source(tmp_path / "to").items()}
    large, small = found["train/dog/4.png"], found["train/dog/5.png"]
    assert (large.edits, small.edits) == (("crop",), ("crop", "enlarge 2"))
    assert small.objects == (Object("dog", Box(0, 0, 24, 20)),)
    assert small.source_box == Box(3, 4, 15, 14)
    original = _pixels(root / "train/dog/5.png")[4:14, 3:15]
    made = _pixels(tmp_path / "to" / small.file_name)
    assert np.array_equal(made, original.repeat(2, axis=0).repeat(2, axis=1))
    assert _pixels(tmp_path / "to" / large.file_name).shape[:2] == (15, 20)


def test_what_enlarges_must_be_there_and_in_place_it_is_refused(root: Path, tmp_path: Path) -> None:
    settings = ApplySettings(enlarge_below=12)
    with pytest.raises(SettingsError, match=r"garim\.enlarger\(\)"):
        apply(hard_plan(root), to=tmp_path / "to", settings=settings)
    with pytest.raises(SettingsError, match="use --to"):
        apply(hard_plan(root), in_place=True, settings=settings, enlarger=_Twice())
    with pytest.raises(SettingsError, match="at least 0"):
        apply(hard_plan(root), to=tmp_path / "to", settings=ApplySettings(enlarge_below=-1))
