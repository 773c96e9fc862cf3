"""Cutting objects out, and pasting scenes whose boxes are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from garim.pictures import Pixels
from garim.training.composites import Cutout, best, compose, cut_out

SIDE, GRID = 192, 24


def disc(x: int, y: int, radius: int) -> tuple[Pixels, np.ndarray]:
    """A red disc on grey noise, and where it is."""
    noise = np.random.default_rng(x).integers(90, 150, (SIDE, SIDE, 1), dtype=np.uint8)
    pixels = np.repeat(noise, 3, axis=2)
    mask = cv2.circle(np.zeros((SIDE, SIDE), np.uint8), (x, y), radius, 1, -1)
    pixels[mask > 0] = (220, 30, 30)
    return pixels, mask


def coarse(mask: np.ndarray, grow: int) -> np.ndarray:
    """Evidence as a localizer gives it: on cells, too wide by some pixels."""
    wide = cv2.dilate(mask, np.ones((2 * grow + 1,) * 2, np.uint8)).astype(np.float32)
    return cv2.resize(wide, (GRID, GRID), interpolation=cv2.INTER_AREA) * 6 - 3


def test_an_object_is_cut_out_along_its_edge() -> None:
    pixels, mask = disc(100, 80, 40)
    found = cut_out(pixels, coarse(mask, 10), 2)
    assert found is not None and found.target == 2
    assert found.mask.shape == found.pixels.shape[:2]
    assert found.mask.shape == pytest.approx((81, 81), abs=4)
    inside = found.mask > 0.5
    assert (found.pixels[inside][:, 0] > 180).mean() > 0.97
    assert inside.sum() == pytest.approx(mask.sum(), rel=0.05)


def test_nothing_to_cut_out() -> None:
    pixels, _ = disc(100, 80, 40)
    nothing, everything = np.full((GRID, GRID), -3.0), np.full((GRID, GRID), 3.0)
    assert cut_out(pixels, nothing.astype(np.float32), 0) is None
    assert cut_out(pixels, everything.astype(np.float32), 0) is None


def test_whole_objects_are_better_than_clumps_and_cut_ones() -> None:
    whole = cut_out(disc(100, 80, 40)[0], coarse(disc(100, 80, 40)[1], 4), 0)
    both, mask = disc(60, 96, 32)
    both[disc(124, 96, 32)[1] > 0] = (220, 30, 30)
    clump = cut_out(both, coarse(mask | disc(124, 96, 32)[1], 4), 0)
    corner = cut_out(disc(10, 10, 50)[0], coarse(disc(10, 10, 50)[1], 4), 0)
    assert whole is not None and clump is not None and corner is not None
    assert whole.quality > clump.quality and whole.quality > corner.quality
    assert best([clump, None, whole, corner]) == {0: [whole, clump]}


def cutout(target: int) -> Cutout:
    colour = np.zeros((40, 60, 3), np.uint8)
    colour[..., target] = 255
    return Cutout(colour, np.ones((40, 60), np.float32), target, 1.0)


def test_what_is_said_to_be_where_is_there() -> None:
    """The owner of each pixel tells its colour, on plain backdrops and on pictures."""
    grey = np.full((SIDE, SIDE, 3), 128, np.uint8)
    known = {0: [cutout(0)], 2: [cutout(2)]}
    counts = set()
    for seed in range(20):
        scene = compose(np.random.default_rng(seed), [grey], known)
        counts.add(len(scene.targets))
        assert scene.backdrop in (None, 0)
        for number, target in enumerate(scene.targets, start=1):
            own = cv2.erode((scene.owner == number).astype(np.uint8), np.ones((7, 7))) > 0
            if own.sum() > 20:
                assert (scene.pixels[own].argmax(axis=1) == target).mean() > 0.95
        outside = cv2.erode((scene.owner == 0).astype(np.uint8), np.ones((9, 9))) > 0
        if scene.backdrop == 0:
            assert np.abs(scene.pixels[outside].astype(int) - 128).max(initial=0) <= 3
    assert len(counts) >= 4


def test_the_same_seed_the_same_scene() -> None:
    grey, known = np.full((64, 64, 3), 128, np.uint8), {0: [cutout(0)], 1: [cutout(1)]}
    one, again, other = (compose(np.random.default_rng(s), [grey], known) for s in (1, 1, 2))
    assert np.array_equal(one.pixels, again.pixels) and np.array_equal(one.owner, again.owner)
    assert not np.array_equal(one.pixels, other.pixels)


def test_one_class_is_enough() -> None:
    grey = np.full((64, 64, 3), 128, np.uint8)
    scenes = [compose(np.random.default_rng(s), [grey], {3: [cutout(1)]}) for s in range(10)]
    assert {t for scene in scenes for t in scene.targets} == {3}
