from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import box_iou

from garim.boxes import Box
from garim.evaluation import localization_report
from garim.evaluation.localization import THRESHOLDS, locate
from garim.formats.rows import Object

SIDE = 24
edge = st.integers(0, SIDE)
boxes = st.builds(Box, edge, edge, edge, edge)
corner, side = st.integers(0, SIDE - 1), st.integers(1, SIDE)
solid = st.builds(
    lambda x, y, w, h: Box(x, y, min(x + w, SIDE), min(y + h, SIDE)), corner, corner, side, side
)
objects = st.builds(Object, st.sampled_from(["cat", "dog"]), boxes)


def mask(box: Box) -> np.ndarray:
    drawn = np.zeros((SIDE, SIDE), dtype=bool)
    left, top, right, bottom = (int(v) for v in box.xyxy())
    drawn[top:bottom, left:right] = True
    return drawn


def union(found: list[Box]) -> np.ndarray:
    return np.any([np.zeros((SIDE, SIDE), bool), *map(mask, found)], axis=0)


@settings(max_examples=300, deadline=None)
@given(solid, st.lists(objects, max_size=5))
def test_figures_are_those_of_painted_masks(box: Box, truth: list[Object]) -> None:
    judged = locate("1.png", "cat", box, truth)
    own = [o.box for o in truth if o.label == "cat" and not o.box.is_degenerate]
    if not own:
        assert judged is None
        return
    assert judged is not None
    painted = [(mask(b) & mask(box)).sum() / (mask(b) | mask(box)).sum() for b in own]
    assert judged.iou == pytest.approx(max(painted))
    theirs = box_iou(torch.tensor([box.xyxy()]), torch.tensor([b.xyxy() for b in own]))
    assert judged.iou == pytest.approx(float(theirs.max()), abs=1e-6)
    cats = union(own) & mask(box)
    dogs = union([o.box for o in truth if o.label == "dog" and not o.box.is_degenerate]) & mask(box)
    annotated = (cats | dogs).sum()
    assert judged.purity == pytest.approx(cats.sum() / annotated if annotated else 0)
    covered = [(mask(b) & mask(box)).sum() for b in own]
    best = max(range(len(own)), key=lambda i: (round(painted[i], 9), covered[i]))
    assert judged.coverage == pytest.approx(covered[best] / mask(own[best]).sum())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.none() | boxes, solid), min_size=1, max_size=6))
def test_corloc_is_the_share_of_good_boxes(pairs: list[tuple[Box | None, Box]]) -> None:
    proposed = [(f"{i}.png", "cat", box) for i, (box, _) in enumerate(pairs)]
    truth = [(f"{i}.png", Object("cat", true)) for i, (_, true) in enumerate(pairs)]
    report = localization_report(proposed, truth)
    assert report.boxes == len(pairs)
    for threshold in THRESHOLDS:
        good = [
            box is not None
            and not box.is_degenerate
            and (mask(box) & mask(true)).sum() / (mask(box) | mask(true)).sum() >= threshold
            for box, true in pairs
        ]
        assert report.corloc(threshold) == pytest.approx(np.mean(good))


def test_no_box_is_wrong_and_has_no_purity() -> None:
    truth = [("1.png", Object("cat", Box(0, 0, 10, 10))), ("2.png", Object("cat", Box(0, 0, 4, 4)))]
    report = localization_report([("1.png", "cat", None), ("2.png", "cat", Box(0, 0, 4, 4))], truth)
    assert (report.corloc(), report.coverage, report.mean_iou) == (0.5, 0.5, 0.5)
    assert report.purity == 1
    assert localization_report([("1.png", "cat", None)], truth).purity == 0


def test_pictures_and_labels_without_true_boxes_are_skipped() -> None:
    flat = ("1.png", Object("cat", Box(5, 5, 5, 9)))
    box = Box(0, 0, 9, 9)
    report = localization_report([("1.png", "cat", box), ("2.png", "cat", box)], [flat])
    assert report.boxes == 0
    assert report.skipped == ("1.png", "2.png")


def test_the_figures_of_each_class() -> None:
    truth = [("1.png", Object("cat", Box(0, 0, 9, 9))), ("1.png", Object("dog", Box(9, 9, 12, 12)))]
    proposed = [("1.png", "cat", Box(0, 0, 9, 9)), ("1.png", "dog", Box(0, 0, 12, 12))]
    told = localization_report(proposed, truth).to_dict()
    assert told["corloc"] == {"0.3": 0.5, "0.5": 0.5, "0.7": 0.5}
    assert told["per_class"]["cat"]["purity"] == 1
    assert told["per_class"]["dog"]["purity"] == pytest.approx(0.1)
    assert told["per_class"]["dog"]["coverage"] == 1
