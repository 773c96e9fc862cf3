"""From votes to boxes."""

from __future__ import annotations

import numpy as np
import pytest

from garim.boxes import Box, iou, to_array
from garim.models.instances import Instance, instances, is_there

GRID = 16


def found_in(evidence: np.ndarray, boxes: np.ndarray) -> list[Instance]:
    """Two classes; all evidence is for the second."""
    scores = np.stack([np.zeros_like(evidence), np.full_like(evidence, -9), evidence])
    return list(instances(scores, 1, boxes.astype(np.float32), 160, 160))


def voting(*objects: tuple[int, int, int, int], noise: float = 0.0) -> list[Instance]:
    """Each cell of an object (left, top, right, bottom; a later one covers) votes for its box."""
    rng = np.random.default_rng(0)
    evidence = np.full((GRID, GRID), -3.0, np.float32)
    boxes = rng.uniform(0, 1, (4, GRID, GRID))
    for one in objects:
        left, top, right, bottom = one
        evidence[top:bottom, left:right] = 3
        boxes[:, top:bottom, left:right] = (np.array(one) / GRID)[:, None, None]
    return found_in(evidence, boxes + rng.normal(0, noise, boxes.shape))


def overlap(found: Instance, left: int, top: int, right: int, bottom: int) -> float:
    wanted = Box(10 * left, 10 * top, 10 * right, 10 * bottom)
    return float(iou(to_array([found.box]), to_array([wanted]))[0, 0])


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_objects_that_touch_come_apart_the_largest_first(noise: float) -> None:
    found = voting((1, 3, 8, 13), (8, 4, 14, 12), noise=noise)
    assert len(found) == 2
    assert overlap(found[0], 1, 3, 8, 13) > 0.75
    assert overlap(found[1], 8, 4, 14, 12) > 0.75
    assert found[0].votes > found[1].votes


def test_votes_for_one_box_are_one_object_whatever_its_shape() -> None:
    """A ring, or a banana: the evidence has a hole, the votes do not."""
    ring = (2, 2, 14, 14)
    evidence = np.full((GRID, GRID), 3.0, np.float32)
    evidence[:2], evidence[14:], evidence[:, :2], evidence[:, 14:] = -3, -3, -3, -3
    evidence[6:10, 6:10] = -3
    boxes = np.tile((np.array(ring, np.float32) / GRID)[:, None, None], (1, GRID, GRID))
    (found,) = found_in(evidence, boxes)
    assert overlap(found, *ring) > 0.75


def test_what_an_object_is_its_cells_say_together() -> None:
    """A stripe across it looks like the other class; the box still holds the whole."""
    whole, where = (3, 2, 12, 14), np.zeros((GRID, GRID), dtype=bool)
    where[2:14, 3:12] = True
    scores = np.full((3, GRID, GRID), -6.0, np.float32)
    scores[0, ~where] = 3
    scores[2, where] = 3
    scores[1, 6:9, 3:12], scores[2, 6:9, 3:12] = 3, 1
    boxes = np.tile(np.array(whole, np.float32)[:, None, None] / GRID, (1, GRID, GRID))
    (found,) = instances(scores, 1, boxes, 160, 160)
    assert overlap(found, *whole) > 0.75


def test_a_box_is_drawn_in_to_the_evidence() -> None:
    evidence = np.full((GRID, GRID), -3.0, np.float32)
    evidence[4:12, 4:8] = 3
    wide = np.tile(np.array([0.25, 0.25, 0.75, 0.75], np.float32)[:, None, None], (1, GRID, GRID))
    found = found_in(evidence, wide)[0]
    assert overlap(found, 4, 4, 8, 12) > 0.75


def test_no_evidence_no_box() -> None:
    assert voting() == []


def test_few_stray_votes_are_no_object() -> None:
    evidence = np.full((GRID, GRID), -3.0, np.float32)
    evidence[2:8, 2:8] = 3
    evidence[12, 12] = 3
    boxes = np.tile(np.array([2, 2, 8, 8], np.float32)[:, None, None] / GRID, (1, GRID, GRID))
    boxes[:, 12, 12] = np.array([9, 9, 16, 16]) / GRID
    assert len(found_in(evidence, boxes)) == 1


def test_boxes_lie_inside_the_picture() -> None:
    (found,) = voting((0, 0, 16, 16), noise=0.05)
    assert found.box.clip(160, 160) == found.box


def test_it_is_there_when_some_cells_are_sure() -> None:
    evidence = np.full((30, 30), -5.0)
    evidence[0, :3] = 3
    assert not is_there(evidence.astype(np.float32))
    evidence[0, :4] = 3
    assert is_there(evidence.astype(np.float32))
