from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.ops import box_iou

from garim import boxes
from garim.boxes import Box

coordinates = st.floats(-1e7, 1e7, allow_nan=False)
any_box = st.builds(Box, coordinates, coordinates, coordinates, coordinates)
grid = st.integers(0, 12)


@st.composite
def proper_boxes(draw: st.DrawFn, top: float = 500) -> Box:
    left, up = (draw(st.floats(-top, top)) for _ in range(2))
    width, height = (draw(st.floats(0.01, top)) for _ in range(2))
    return Box(left, up, left + width, up + height)


@st.composite
def whole_boxes(draw: st.DrawFn) -> Box:
    (left, right), (up, down) = (sorted(draw(st.tuples(grid, grid))) for _ in range(2))
    return Box(left, up, right, down)


def rasterised(some: list[Box]) -> np.ndarray:
    mask = np.zeros((12, 12), dtype=bool)
    for box in some:
        left, top, right, bottom = (int(v) for v in box.xyxy())
        mask[top:bottom, left:right] = True
    return mask


@given(any_box)
def test_both_forms_turn_into_each_other_without_a_change(box: Box) -> None:
    assert Box.from_xywh(box.xywh()) == box
    assert Box(*box.xyxy()) == box
    assert Box.from_xywh(Box.from_xywh(box.xywh()).xywh()).xywh() == box.xywh()
    assert pickle.loads(pickle.dumps(box)) == box  # noqa: S301


@given(st.integers(1, 5000), st.integers(1, 5000), st.data())
def test_relative_form_comes_back_exactly(width: int, height: int, data: st.DataObject) -> None:
    fractions = data.draw(st.lists(st.floats(0, 1), min_size=4, max_size=4))
    box = Box(*(f * s for f, s in zip(fractions, (width, height) * 2, strict=True)))
    relative = [v / s for v, s in zip(box.xyxy(), (width, height) * 2, strict=True)]
    again = Box(*(v * s for v, s in zip(relative, (width, height) * 2, strict=True)))
    assert again == box


def test_whole_numbers_are_written_without_a_fraction() -> None:
    written = Box(1, 2, 3.5, 4).xywh()
    assert [repr(v) for v in written] == ["1", "2", "2.5", "2"]
    assert repr(Box(-0.0, 0, 1, 1).left) == "0.0"
    assert repr(Box(-0.00001, 0, 1, 1).left) == "0.0"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["left", "top", "right", "bottom"])
def test_a_number_that_is_not_finite_is_refused_by_name(name: str, value: float) -> None:
    corners = {"left": 0.0, "top": 0.0, "right": 1.0, "bottom": 1.0, name: value}
    with pytest.raises(ValueError, match=f"{name} is"):
        Box(**corners)


@pytest.mark.parametrize("xywh", [[], [1, 2, 3], [1, 2, 3, 4, 5]])
def test_a_box_needs_four_numbers(xywh: list[float]) -> None:
    with pytest.raises(ValueError, match="unpack"):
        Box.from_xywh(xywh)


def test_a_box_too_wide_for_a_float_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        Box.from_xywh([1e308, 0, 1e308, 1])


@given(any_box, st.integers(1, 4000), st.integers(1, 4000))
def test_clip_stays_inside_and_is_done_at_once(box: Box, width: int, height: int) -> None:
    cut = box.clip(width, height)
    assert 0 <= cut.left <= width and 0 <= cut.right <= width
    assert 0 <= cut.top <= height and 0 <= cut.bottom <= height
    assert cut.clip(width, height) == cut
    shared = boxes.intersections(boxes.to_array([box]), boxes.to_array([Box.whole(width, height)]))[
        0, 0
    ]
    assert cut.area == pytest.approx(shared, abs=1e-2, rel=1e-9)


def test_clip_outside_leaves_no_area() -> None:
    assert Box(20, 20, 30, 30).clip(10, 10) == Box(10, 10, 10, 10)
    assert Box(-20, 2, -10, 8).clip(10, 10).is_degenerate


@given(proper_boxes(), st.floats(-99, 99), st.floats(-99, 99))
def test_shift_goes_there_and_back(box: Box, dx: float, dy: float) -> None:
    moved = box.shift(dx, dy)
    assert moved.xyxy() == pytest.approx(
        (box.left + dx, box.top + dy, box.right + dx, box.bottom + dy), abs=1e-4
    )
    assert moved.shift(-dx, -dy).xyxy() == pytest.approx(box.xyxy(), abs=2e-4)


@given(proper_boxes(), st.sampled_from([0.25, 0.5, 2, 3]), st.sampled_from([0.5, 4]))
def test_scale_composes_with_clip(box: Box, sx: float, sy: float) -> None:
    first = box.clip(100, 80).scale(sx, sy)
    second = box.scale(sx, sy).clip(100 * sx, 80 * sy)
    assert first.xyxy() == pytest.approx(second.xyxy(), abs=1e-3)
    assert first.area == pytest.approx(box.clip(100, 80).area * sx * sy, abs=0.5)


@given(any_box)
def test_rounded_moves_no_edge_by_more_than_half(box: Box) -> None:
    snapped = box.rounded()
    assert all(v == int(v) for v in snapped.xyxy())
    assert max(abs(a - b) for a, b in zip(box.xyxy(), snapped.xyxy(), strict=True)) <= 0.5


def test_swapped_corners_are_degenerate() -> None:
    swapped = Box(5, 0, 1, 2)
    assert swapped.width == -4 and swapped.is_degenerate and swapped.area == 0
    assert boxes.areas(boxes.to_array([swapped])).tolist() == [0]
    assert boxes.iou(boxes.to_array([swapped]), boxes.to_array([Box(0, 0, 9, 9)])).tolist() == [[0]]


@given(st.lists(proper_boxes(), max_size=6), st.lists(proper_boxes(), max_size=6))
def test_iou_is_torchvisions(first: list[Box], second: list[Box]) -> None:
    mine = boxes.iou(boxes.to_array(first), boxes.to_array(second))
    reference = box_iou(
        torch.from_numpy(boxes.to_array(first)), torch.from_numpy(boxes.to_array(second))
    )
    assert mine.shape == (len(first), len(second))
    np.testing.assert_allclose(mine, reference.numpy(), atol=1e-12)
    assert ((mine >= 0) & (mine <= 1)).all()


@given(st.lists(any_box, min_size=1, max_size=5))
def test_iou_is_symmetric_and_one_with_itself(some: list[Box]) -> None:
    array = boxes.to_array(some)
    found = boxes.iou(array, array)
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_array_equal(
        np.diag(found), [0.0 if (a == 0) else 1.0 for a in boxes.areas(array)]
    )


@given(whole_boxes(), whole_boxes())
def test_iou_is_that_of_the_masks(first: Box, second: Box) -> None:
    a, b = rasterised([first]), rasterised([second])
    wanted = (a & b).sum() / (a | b).sum() if (a | b).any() else 0
    found = boxes.iou(boxes.to_array([first]), boxes.to_array([second]))[0, 0]
    assert found == pytest.approx(wanted)


@given(st.lists(whole_boxes(), max_size=6), st.lists(whole_boxes(), max_size=6))
def test_covered_area_is_that_of_the_masks(first: list[Box], second: list[Box]) -> None:
    a, b = rasterised(first), rasterised(second)
    assert boxes.covered(first, second) == (a.sum(), (b & ~a).sum())
    assert boxes.union_area(first) == a.sum()


@given(st.lists(proper_boxes(), min_size=1, max_size=5))
def test_union_lies_between_the_largest_and_the_sum(some: list[Box]) -> None:
    union = boxes.union_area(some)
    assert union >= max(box.area for box in some) * (1 - 1e-9)
    assert union <= sum(box.area for box in some) * (1 + 1e-9)
    assert boxes.union_area([*some, *some]) == pytest.approx(union)


def test_no_boxes_cover_nothing() -> None:
    assert boxes.to_array([]).shape == (0, 4)
    assert boxes.union_area([]) == 0
    assert boxes.covered([], [Box(0, 0, 2, 3)]) == (0, 6)
    assert boxes.iou(boxes.to_array([]), boxes.to_array([Box(0, 0, 1, 1)])).shape == (0, 1)
