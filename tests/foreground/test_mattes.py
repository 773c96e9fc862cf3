"""The foreground of drawn pictures, whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from garim.errors import ModelError, SettingsError
from garim.foreground import METHODS, ForegroundSettings, foreground
from garim.foreground.backgrounds import blurred
from garim.foreground.classical import without_specks
from garim.foreground.colours import foreground_colours
from garim.foreground.guided import fitted
from garim.foreground.superpixels import superpixels, to_lab


def disc(height: int = 96, width: int = 128, radius: int = 25) -> np.ndarray:
    """A soft disc in the middle, antialiased."""
    big = np.zeros((height * 4, width * 4), np.float32)
    cv2.circle(big, (width * 2, height * 2), radius * 4, 1, -1)
    return np.asarray(cv2.resize(big, (width, height), interpolation=cv2.INTER_AREA))


def mixed(alpha: np.ndarray, front: tuple[int, ...], back: tuple[int, ...]) -> np.ndarray:
    a = alpha[..., None]
    return np.round(a * np.array(front) + (1 - a) * np.array(back)).astype(np.uint8)


def overlap(found: np.ndarray, truth: np.ndarray) -> float:
    a, b = found > 0.5, truth > 0.5
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize(
    ("front", "back"),
    [((200, 40, 30), (60, 120, 60)), ((250, 250, 250), (238, 239, 240)), ((10, 10, 10), (90,) * 3)],
)
def test_a_disc_is_found_also_white_on_white(front: tuple[int, ...], back: tuple[int, ...]) -> None:
    truth = disc()
    noise = np.random.default_rng(0).normal(0, 1.5, (*truth.shape, 3))
    pixels = np.clip(mixed(truth, front, back) + noise, 0, 255).astype(np.uint8)
    found = foreground(pixels)
    assert found.dtype == np.float32 and found.shape == truth.shape
    assert found.min() >= 0 and found.max() <= 1
    assert overlap(found, truth) > 0.93


def test_an_object_that_the_border_cuts_off_is_found() -> None:
    truth = np.zeros((96, 128), np.float32)
    truth[30:, 45:80] = 1
    assert overlap(foreground(mixed(truth, (30, 60, 200), (200, 190, 180))), truth) > 0.9


@pytest.mark.parametrize("value", [0, 127, 255])
def test_an_even_picture_has_no_foreground(value: int) -> None:
    assert not foreground(np.full((70, 90, 3), value, np.uint8)).any()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 200), (40, 2)])
def test_any_size_is_looked_at(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert foreground(pixels).shape == size


def test_the_same_picture_has_the_same_foreground() -> None:
    pixels = mixed(disc(), (200, 40, 30), (60, 120, 60))
    assert np.array_equal(foreground(pixels), foreground(pixels))


def test_a_coarse_matte_is_fitted_to_the_edges_of_the_full_picture() -> None:
    truth = disc(384, 512, 120)
    full = mixed(truth, (210, 60, 40), (40, 90, 150))
    small = cv2.resize(full, (64, 48), interpolation=cv2.INTER_AREA)
    coarse = (cv2.resize(truth, (64, 48), interpolation=cv2.INTER_AREA) > 0.5).astype(np.float32)
    found = fitted(coarse, small, full, 2)
    plain = cv2.resize(coarse, (512, 384), interpolation=cv2.INTER_LINEAR)
    assert np.abs(found - truth).mean() < 0.5 * np.abs(plain - truth).mean()
    assert np.array_equal(fitted(coarse, small, full, 0), plain)


def test_colours_at_soft_edges_are_those_of_the_foreground() -> None:
    alpha = cv2.GaussianBlur(disc(), (0, 0), 3)
    pixels = mixed(alpha, (200, 40, 30), (20, 160, 60))
    soft = (alpha > 0.2) & (alpha < 0.8)
    found = foreground_colours(pixels, alpha).astype(float)
    error, before = (
        np.abs(one[soft].astype(float) - (200, 40, 30)).mean() for one in (found, pixels)
    )
    assert error < 0.15 * before
    assert np.array_equal(found[alpha == 1], pixels[alpha == 1])


def test_colours_do_not_depend_on_the_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    alpha = cv2.GaussianBlur(disc(240, 60, 20), (0, 0), 3)
    pixels = np.random.default_rng(0).integers(0, 256, (240, 60, 3), dtype=np.uint8)
    whole = foreground_colours(pixels, alpha)
    monkeypatch.setattr("garim.foreground.colours.BAND", 50)
    assert np.abs(foreground_colours(pixels, alpha).astype(int) - whole).max() <= 1


def test_a_blurred_background_has_nothing_of_the_object() -> None:
    alpha = disc()
    found = blurred(mixed(alpha, (255, 0, 0), (20, 160, 60)), alpha, 0.05)
    away = np.abs(found[alpha < 0.99].astype(int) - (20, 160, 60))
    assert away.max() <= 8  # the soft edge, which is a mixture, leaks a little


def test_superpixels_do_not_cross_a_clear_edge() -> None:
    pixels = np.zeros((60, 90, 3), np.uint8)
    pixels[:, 37:] = 200
    patches = superpixels(to_lab(pixels), 30)
    assert not set(np.unique(patches.labels[:, :37])) & set(np.unique(patches.labels[:, 37:]))
    assert 15 < len(patches.colours) < 60


def test_specks_are_dropped() -> None:
    inside = np.zeros((40, 40), bool)
    inside[5:25, 5:25] = inside[30:37, 30:37] = inside[0, 39] = True
    kept = without_specks(inside)
    assert kept[10, 10] and kept[33, 33] and not kept[0, 39]


def save_network(path: Path, channels: int = 3, scale: float = 1.0, side: int = 64) -> None:
    """A network whose map is the red channel of its input."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    take = [helper.make_node("Slice", ["x", "zero", "one", "axis"], ["red"]),
            helper.make_node("Mul", ["red", "scale"], ["y"])]  # fmt: skip
    numbers = [onnx.numpy_helper.from_array(np.array([v]), n)
               for n, v in (("zero", 0), ("one", 1), ("axis", 1))]  # fmt: skip
    numbers.append(onnx.numpy_helper.from_array(np.array(scale, np.float32), "scale"))
    graph = helper.make_graph(
        take, "red", [helper.make_tensor_value_info("x", kind, [1, channels, side, side])],
        [helper.make_tensor_value_info("y", kind, [1, 1, side, side])], numbers,
    )  # fmt: skip
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)


def test_any_network_of_one_map(tmp_path: Path) -> None:
    save_network(tmp_path / "red.onnx")
    pixels = mixed(disc(), (255, 0, 0), (0, 0, 255))
    settings = ForegroundSettings(method="onnx", weights=tmp_path / "red.onnx")
    assert overlap(foreground(pixels, settings), disc()) > 0.95
    assert overlap(foreground(pixels[..., ::-1].copy(), replace(settings, bgr=True)), disc()) > 0.95


@pytest.mark.parametrize("wrong", [{"channels": 1}, {"scale": 9.0}])
def test_a_network_of_another_kind_is_refused(wrong: dict[str, float], tmp_path: Path) -> None:
    save_network(tmp_path / "odd.onnx", **wrong)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"odd\.onnx"):
        foreground(
            mixed(disc(), (255, 0, 0), (0, 0, 255)),
            ForegroundSettings(method="onnx", weights=tmp_path / "odd.onnx"),
        )


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(ModelError, match=r"text\.onnx"):
        foreground(
            np.zeros((8, 8, 3), np.uint8),
            ForegroundSettings(method="onnx", weights=tmp_path / "text.onnx"),
        )


def test_rembgs_networks(tmp_path: Path) -> None:
    pytest.importorskip("rembg")
    save_network(tmp_path / "u2netp.onnx", side=320)
    pixels = mixed(disc(), (255, 0, 0), (0, 0, 255))
    settings = ForegroundSettings(method="matting", weights=tmp_path / "u2netp.onnx")
    assert overlap(foreground(pixels, settings), disc()) > 0.9


def test_rembg_fetches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rembg")
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    with pytest.raises(ModelError, match=r"weights to its FILE\.onnx"):
        foreground(np.zeros((8, 8, 3), np.uint8), ForegroundSettings(method="matting"))


def test_settings_that_cannot_work_are_named_together(tmp_path: Path) -> None:
    wrong = ForegroundSettings(method="magic", weights=tmp_path / "none", longest=3, softness=1)
    with pytest.raises(SettingsError) as caught:
        wrong.check(tuple(METHODS))
    assert len(caught.value.problems) == 4
    with pytest.raises(SettingsError, match="weights to FILE"):
        foreground(np.zeros((8, 8, 3), np.uint8), ForegroundSettings(method="onnx"))
