from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from garim.boxes import Box
from garim.dataset import Dataset
from garim.errors import DatasetError
from garim.evaluation import evaluate
from garim.formats.rows import Object, Row
from garim.plan import Edit, Plan

WHOLE = (100, 100)


def truth_of(boxes: dict[str, Box], *others: str, label: str = "cat") -> Dataset:
    rows = [Row(file_name=n, label=label, objects=(Object(label, b),)) for n, b in boxes.items()]
    rows += [Row(file_name=name, label=label) for name in others]
    root = Path("truth")
    return Dataset(root=root, rows=tuple(rows), classes=("cat", "dog"), origin=root)


def plan_of(*edits: Edit) -> Plan:
    return Plan(dataset=Path("data"), edits=edits)


def crop(picture: str, box: Box | None, **more: Any) -> Edit:
    return Edit(**{"picture": picture, "edit": "crop", "label": "cat", "box": box, **more})


def test_a_plan_from_end_to_end() -> None:
    boxes = {f"cat/{i}.png": Box(0, 0, 50, 100) for i in range(5)}
    plan = plan_of(
        crop("cat/0.png", Box(0, 0, 50, 100)),
        crop("cat/1.png", Box(0, 0, 100, 100), edit="keep", score_after=0.9, size=WHOLE),
        crop("cat/2.png", None, edit="keep", score_after=0.9, size=WHOLE),
        crop("cat/3.png", None, edit="keep"),
        crop("cat/4.png", None, edit="drop"),
        crop("cat/9.png", Box(0, 0, 9, 9)),
    )
    report = evaluate(plan, truth_of(boxes))
    assert [one.iou for one in report.located] == [1, 0.5, 0.5, 0]
    assert report.skipped == ("cat/9.png",)
    told = report.to_dict()
    assert told["corloc"] == {"0.3": 0.75, "0.5": 0.75, "0.7": 0.25}
    assert (told["boxes"], told["coverage"], told["purity"]) == (4, 0.75, 1)


def test_pictures_that_could_not_be_looked_at_are_not_judged() -> None:
    plan = plan_of(crop("a.png", Box(0, 0, 9, 9)), crop("b.png", None, edit="keep", error="broken"))
    truth = truth_of({"a.png": Box(0, 0, 9, 9), "b.png": Box(0, 0, 9, 9)})
    assert evaluate(plan, truth).boxes == 1


A, B = Box(0, 0, 10, 10), Box(50, 50, 90, 90)


@pytest.mark.parametrize("names", [
    {"cat/1.png": A, "dog/1.png": B},
    {"messy/cat/1.png": A, "messy/dog/1.png": B},
    {"x/y/cat/1.png": A, "x/y/dog/1.png": B},
    {"dog/1.png": B, "cat/1.png": A, "1.png": B},
    {"1.png": B, "cat/1.png": A},
])  # fmt: skip
def test_pictures_are_found_under_another_root(names: dict[str, Box]) -> None:
    for picture in ("cat/1.png", "data/cat/1.png"):
        assert evaluate(plan_of(crop(picture, A)), truth_of(names)).corloc(0.9) == 1


def test_the_whole_name_wins_in_any_order() -> None:
    for names in ({"1.png": A, "a/1.png": B}, {"a/1.png": B, "1.png": A}):
        assert evaluate(plan_of(crop("1.png", A)), truth_of(names)).corloc(0.9) == 1


@pytest.mark.parametrize(("picture", "names"), [
    ("cat/1.png", {"dog/1.png": B}),
    ("train/1.png", {"test/1.png": B}),
    ("train/cat/1.png", {"test/dog/1.png": B}),
    ("data/1.png", {"x/1.png": B, "y/1.png": B}),
])  # fmt: skip
def test_another_folders_picture_is_never_taken(picture: str, names: dict[str, Box]) -> None:
    plan = plan_of(crop(picture, A), crop("sure.png", A))
    report = evaluate(plan, truth_of({**names, "sure.png": A}))
    assert report.skipped == (picture,)
    assert report.boxes == 1


def test_a_picture_without_boxes_is_not_mixed_up_with_its_namesake() -> None:
    truth = truth_of({"b/1.png": B, "c/2.png": A}, "a/1.png")
    report = evaluate(plan_of(crop("root/1.png", A), crop("2.png", A)), truth)
    assert report.skipped == ("root/1.png",)


def test_two_pictures_of_a_plan_never_share_a_truth() -> None:
    plan = plan_of(crop("a/1.png", A), crop("b/1.png", A), crop("sure.png", A))
    report = evaluate(plan, truth_of({"images/1.png": A, "sure.png": A}))
    assert report.boxes == 1


def test_flat_pictures_are_found_by_their_unique_names() -> None:
    plan = plan_of(crop("cat/1.png", A), crop("cat/2.png", B))
    report = evaluate(plan, truth_of({"images/1.png": A, "images/2.png": B}))
    assert report.corloc(0.9) == 1


def test_korean_names_are_found_in_either_spelling() -> None:
    plan = plan_of(crop("고양이/가.png", A))  # composed
    truth = truth_of({"\u1100\u1169\u110b\u1163\u11bc\u110b\u1175/\u1100\u1161.png": A})
    assert evaluate(plan, truth).corloc(0.9) == 1


def test_truth_without_boxes() -> None:
    with pytest.raises(DatasetError, match="has no boxes to compare with"):
        evaluate(plan_of(crop("1.png", A)), truth_of({}, "1.png"))
    with pytest.raises(DatasetError, match="no box for any picture"):
        evaluate(plan_of(crop("1.png", A)), truth_of({"2.png": A}))
