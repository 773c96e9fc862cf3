from typing import Any

import cv2
import numpy as np
import pytest

from garim.training import augmentation
from garim.training.augmentation import AUGMENTATIONS, _warp

RNG = np.random.default_rng(0)
STILL: dict[str, Any] = {"angle": 0.0, "shift": (0.0, 0.0), "zoom": (1.0, 1.0), "flip": False}


def picture(height: int = 32, width: int = 32) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_augmentation_keeps_the_contract(name: str) -> None:
    augment, given = AUGMENTATIONS[name], picture(20, 33)
    given.setflags(write=False)  # the pictures in memory are shared
    before = given.copy()
    results = [augment(given, np.random.default_rng([1, copy])) for copy in range(5)]
    for copy, result in enumerate(results):
        assert (result.shape, result.dtype) == (given.shape, np.uint8)
        assert (result == augment(given, np.random.default_rng([1, copy]))).all()
    assert (given == before).all()
    assert len({r.tobytes() for r in results}) == (1 if name == "none" else 5)


def test_the_documents_changes_have_the_documents_ranges(monkeypatch) -> None:
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(augmentation, "_warp", lambda p, **given: seen.append(given) or p)
    rng = np.random.default_rng(0)
    for _ in range(2000):
        AUGMENTATIONS["document"](picture(4, 4), rng)
    drawn = {
        "angle": ([g["angle"] for g in seen], -40, 40),
        "across": ([g["shift"][0] for g in seen], -0.2, 0.2),
        "down": ([g["shift"][1] for g in seen], -0.2, 0.2),
        "wide": ([1 / g["zoom"][0] for g in seen], 0.8, 1.2),
        "high": ([1 / g["zoom"][1] for g in seen], 0.8, 1.2),
    }
    for values, low, high in drawn.values():
        slack = (high - low) / 100
        assert low <= min(values) < low + slack
        assert high - slack < max(values) <= high
    assert 0.4 < np.mean([g["flip"] for g in seen]) < 0.6


def test_nothing_asked_changes_nothing() -> None:
    given = picture(20, 33)
    assert (_warp(given, **STILL) == given).all()


def test_a_flip_is_numpys() -> None:
    given = picture(20, 33)
    assert (_warp(given, **{**STILL, "flip": True}) == given[:, ::-1]).all()


def test_a_shift_moves_right_and_down_and_continues_the_edge() -> None:
    given = picture(20, 40)
    moved = _warp(given, **{**STILL, "shift": (0.1, 0.25)})
    padded = np.pad(given, ((5, 0), (4, 0), (0, 0)), mode="edge")
    assert (moved == padded[:20, :40]).all()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_are_opencvs(turns: int) -> None:
    given = picture()
    codes = [cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE]
    assert (
        _warp(given, **{**STILL, "angle": 90.0 * turns}) == cv2.rotate(given, codes[turns - 1])
    ).all()


def test_any_turn_is_opencvs_rotation_matrix() -> None:
    given = cv2.GaussianBlur(picture(), (7, 7), 2)
    matrix = cv2.getRotationMatrix2D((15.5, 15.5), -25, 1.3)
    theirs = cv2.warpAffine(given, matrix, (32, 32), borderMode=cv2.BORDER_REPLICATE)
    ours = _warp(given, **{**STILL, "angle": 25.0, "zoom": (1.3, 1.3)})
    assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_zoom_enlarges_about_the_centre() -> None:
    given = np.zeros((40, 40, 3), np.uint8)
    given[15:25, 10:30] = 255
    enlarged = _warp(given, **{**STILL, "zoom": (1.5, 2.0)})[..., 0] > 127
    assert (enlarged.any(axis=0).sum(), enlarged.any(axis=1).sum()) == (30, 20)
