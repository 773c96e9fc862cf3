from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import nn

import garim
from drawn_pictures import shapes
from garim.errors import DatasetError
from garim.evaluation.upscaling import evaluate_upscaler, luminance, psnr, ssim
from garim.models.networks.compact import Compact
from garim.models.upscaler import Upscaler, UpscalerCard


def planes(width: int = 40, height: int = 30) -> tuple[np.ndarray, np.ndarray]:
    first = luminance(shapes(width, height))
    return first, first + np.random.default_rng(0).normal(0, 9, first.shape)


def test_equal_to_scikit_image() -> None:
    first, second = planes()
    assert psnr(first, second) == pytest.approx(
        peak_signal_noise_ratio(first, second, data_range=255)
    )
    theirs = structural_similarity(
        first, second, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(first, second) == pytest.approx(theirs)
    assert psnr(first, first) == float("inf") and ssim(first, first) == pytest.approx(1)


def test_luminance_is_matlabs() -> None:
    corners = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0]]], np.uint8)
    assert luminance(corners)[0] == pytest.approx([16, 235, 81.481])


def bicubic_upscaler(scale: int = 2) -> Upscaler:
    network = Compact(scale, width=4, depth=1)
    nn.init.zeros_(network.last.weight)
    nn.init.zeros_(network.last.bias)
    return Upscaler(network, UpscalerCard(architecture="compact", scale=scale))


def draw(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number in range(3):
        Image.fromarray(shapes(61 + number, 43, number)).save(folder / f"{number}.png")


def test_bicubic_against_itself(tmp_path: Path) -> None:
    draw(tmp_path / "data")
    (tmp_path / "data" / "broken.png").write_bytes(b"no")
    found = garim.evaluate(bicubic_upscaler(), garim.read(tmp_path / "data"))
    assert [one.picture for one in found.pictures] == ["0.png", "1.png", "2.png"]
    assert found.mean("psnr") == pytest.approx(found.mean("bicubic_psnr"), abs=0.1)
    assert found.mean("ssim") == pytest.approx(found.mean("bicubic_ssim"), abs=2e-3)
    told = found.to_dict()
    assert told["pictures"] == 3 and [one["picture"] for one in told["failed"]] == ["broken.png"]
    assert set(told) >= {"psnr", "ssim", "bicubic_psnr", "bicubic_ssim"}
    example = found.examples[0]
    assert example.target.shape == example.enlarged.shape == example.bicubic.shape == (42, 60, 3)
    assert example.small.shape == (21, 30, 3)
    assert (example.target == shapes(61, 43)[:42, :60]).all()


def test_judged_on_what_it_was_trained_for(tmp_path: Path) -> None:
    draw(tmp_path / "data")
    data = garim.read(tmp_path / "data")
    plain = bicubic_upscaler()
    trained = {"cutting": {"degradation": {"blur": 2.0, "noise": 0.0, "jpeg": None}}}
    card = UpscalerCard(architecture="compact", trained=trained)
    blurred = Upscaler(plain.network, card)
    gap = evaluate_upscaler(plain, data).mean("psnr") - evaluate_upscaler(blurred, data).mean(
        "psnr"
    )
    assert gap > 1


def test_nothing_to_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (6, 5)).save(tmp_path / "a.png")
    with pytest.raises(DatasetError, match="too few"):
        evaluate_upscaler(bicubic_upscaler(), garim.read(tmp_path))
