from __future__ import annotations

import cv2
import numpy as np
import pytest

from garim.similarity.contours import (
    POINTS,
    height_distance,
    height_distances,
    heights,
    hu_distances,
    resampled,
)


def star(arms: int, depth: float, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    far = 100 * (1 + depth * np.sin(arms * angle) + 0.15 * np.sin(angle + 1))
    far += noise * np.random.default_rng(seed).normal(size=len(angle))
    return np.column_stack([200 + far * np.cos(angle), 200 + far * np.sin(angle)])


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points @ turn.T


def test_place_size_turn_start_direction_and_mirror_play_no_part() -> None:
    one, described = star(5, 0.3), heights(star(5, 0.3))
    other = height_distance(described, heights(star(4, 0.3)))
    for same in (
        one + np.array([30, -80]),
        3 * one,
        turned(one, 70),
        np.roll(one, 133, axis=0),
        one[::-1],
        one * np.array([-1, 1]),
        star(5, 0.3, noise=0.5),
    ):
        assert height_distance(described, heights(same)) < 0.35 * other


def test_distances_to_many_are_those_one_by_one() -> None:
    shapes = [heights(star(arms, 0.3)) for arms in range(2, 8)] * 30
    many = height_distances(shapes[0], shapes)
    assert np.allclose(many, [height_distance(shapes[0], one) for one in shapes], atol=1e-6)
    assert many.reshape(30, 6)[:, 0].max() < 1e-3 < many.reshape(30, 6)[:, 1:].min()


def test_a_stretched_part_is_followed() -> None:
    """Dynamic programming lets corresponding points run ahead of each other."""
    one, longer = star(5, 0.3), star(5, 0.3)
    longer[:100] += [60, 0] * np.sin(np.linspace(0, np.pi, 100))[:, None]
    near = height_distance(heights(one), heights(longer))
    assert near < height_distance(heights(one), heights(star(3, 0.3)))


def test_samples_lie_evenly_on_the_contour() -> None:
    points = resampled(np.array([[0, 0], [10, 0], [10, 30], [0, 30]]), 8)
    steps = np.linalg.norm(np.diff(np.vstack([points, points[:1]]), axis=0), axis=1)
    assert np.allclose(steps, 10) and len(points) == 8
    assert heights(star(3, 0.2)).shape[0] == POINTS


@pytest.mark.parametrize("flat", [np.zeros((0, 2)), np.array([[0, 0], [5, 5]]), np.ones((4, 2))])
def test_what_encloses_nothing_is_refused(flat: np.ndarray) -> None:
    with pytest.raises(ValueError, match="encloses nothing"):
        heights(flat)


def test_hu_distances_are_opencvs() -> None:
    one, other = (p.astype(np.float32).reshape(-1, 1, 2) for p in (star(5, 0.3), star(4, 0.2)))
    found = hu_distances(one.reshape(-1, 2), other.reshape(-1, 2))
    assert found == {f"I{n}": cv2.matchShapes(one, other, n, 0) for n in (1, 2, 3)}
