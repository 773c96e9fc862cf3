import numpy as np
import pytest
import torch

from drawn_pictures import shapes
from garim.pictures import Pixels
from garim.resizing import as_pixels, as_values, imresize, resize


def keys(x: float) -> float:
    """The cubic of Keys (1981) with a = −0.5, written out."""
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def one_line(line: np.ndarray, length: int) -> np.ndarray:
    """MATLAB's ``imresize`` of one line, pixel by pixel, as its documentation tells it."""
    scale = length / len(line)
    wide = max(1 / scale, 1)
    found = []
    for place in range(length):
        centre = (place + 0.5) / scale - 0.5
        taps = range(int(centre - 2 * wide) - 2, int(centre + 2 * wide) + 3)
        weights = np.array([keys((centre - tap) / wide) for tap in taps])
        values = np.array([line[min(max(tap, 0), len(line) - 1)] for tap in taps])
        found.append(np.tensordot(weights, values, 1) / weights.sum())
    return np.clip(np.floor(np.array(found) + 0.5), 0, 255)


def slowly(pixels: Pixels, size: tuple[int, int]) -> np.ndarray:
    """Both directions, first the one that shrinks more."""
    if size[0] / pixels.shape[1] < size[1] / pixels.shape[0]:
        return slowly(pixels.swapaxes(0, 1), size[::-1]).swapaxes(0, 1)
    lines = one_line(pixels.astype(float), size[1])
    return one_line(lines.swapaxes(0, 1), size[0]).swapaxes(0, 1)


@pytest.mark.parametrize("size", [(32, 24), (16, 12), (128, 96), (21, 16), (64, 48)])
def test_equals_matlab_written_out(size: tuple[int, int]) -> None:
    pixels = shapes()
    found = imresize(pixels, size)
    assert found.dtype == np.uint8 and found.shape == (size[1], size[0], 3)
    assert (found == slowly(pixels, size)).all()


@pytest.mark.parametrize("size", [(32, 24), (128, 96)])
def test_agrees_with_torch_inside(size: tuple[int, int]) -> None:
    pixels = shapes()
    batch = torch.from_numpy(as_values(pixels)).permute(2, 0, 1)[None]
    theirs = torch.nn.functional.interpolate(
        batch, (size[1], size[0]), mode="bicubic", antialias=True
    )[0].permute(1, 2, 0)
    wrong = np.abs(resize(as_values(pixels), size) - theirs.numpy())
    assert wrong[8:-8, 8:-8].max() < 1e-5


def test_directions_and_grey() -> None:
    pixels = shapes()
    turned = imresize(pixels.transpose(1, 0, 2), (17, 40)).astype(int).transpose(1, 0, 2)
    assert np.abs(turned - imresize(pixels, (40, 17))).max() <= 1  # the other way first, rounded
    assert (imresize(pixels[..., 1], (40, 17)) == imresize(pixels, (40, 17))[..., 1]).all()


def test_a_plane_of_one_value_stays() -> None:
    assert (imresize(np.full((5, 7, 3), 93, np.uint8), (40, 3)) == 93).all()
    assert resize(np.full((1, 1), 0.25, np.float32), (3, 2)) == pytest.approx(np.full((2, 3), 0.25))


def test_values_and_back() -> None:
    levels = np.arange(256, dtype=np.uint8)
    assert (as_pixels(as_values(levels)) == levels).all()
    assert as_pixels(np.array([-1.0, 2.0], np.float32)).tolist() == [0, 255]
