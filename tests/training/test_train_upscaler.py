from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import garim
from drawn_pictures import shapes
from garim.errors import DatasetError, ModelError, SettingsError
from garim.training.pairs import read_pairs
from garim.training.upscaling import Enlarging, UpscaleTrainSettings, resolve, train_upscaler

# Networks this small gain nothing from threads, and lose much on a busy machine.
torch.set_num_threads(1)


def draw(folder: Path, count: int = 12) -> garim.Dataset:
    folder.mkdir(parents=True)
    for number in range(count):
        Image.fromarray(shapes(50, 40, number)).save(folder / f"{number}.png")
    return garim.read(folder)


def settings(**given: Any) -> UpscaleTrainSettings:
    chosen = {"patch": 24, "epochs": 2, "batch": 8, "network_options": ("width=8", "depth=1")}
    return UpscaleTrainSettings(**{**chosen, **given})


def test_it_learns_and_says_how(tmp_path: Path) -> None:
    data = draw(tmp_path / "data")
    (tmp_path / "data" / "bad.png").write_bytes(b"no")
    trained = train_upscaler(garim.read(tmp_path / "data"), settings(epochs=30), tmp_path / "run")
    card = trained.upscaler.card
    assert (trained.pictures, trained.pairs) == (11, 22)
    assert [one.picture for one in trained.failures] == ["bad.png"]
    told = trained.to_dict()
    assert told["task"] == "upscale" and set(told) >= {"model", "classes", "seconds", "metrics"}
    assert card.dataset and card.trained["cutting"]["patch"] == 24
    again = garim.load_model(tmp_path / "run")
    assert again.card.metrics == card.metrics == told["metrics"]
    judged = garim.evaluate(again, data)
    assert judged.mean("psnr") > judged.mean("bicubic_psnr") + 0.3
    kept = sorted(p.name for p in (tmp_path / "run" / "pairs" / "train").iterdir())
    assert kept == ["check.csv", "pairs.csv"]
    with pytest.raises(ModelError, match="already holds a model"):
        train_upscaler(data, settings(), tmp_path / "run")


def test_the_documents_recipe(tmp_path: Path) -> None:
    recipe = resolve(UpscaleTrainSettings(network="document"))
    assert (recipe.loss, recipe.batch, recipe.constant) == ("mse", 64, True)
    chosen = settings(network="document", network_options=(), whole=True, patch=32)
    trained = train_upscaler(draw(tmp_path / "data"), chosen)
    assert (trained.pairs, trained.folder) == (11, None)
    assert trained.to_dict()["parameters"] == (3 * 27 + 27 * 9 + 9 * 3) * 9 + 27 + 9 + 3


def test_same_seed_same_model_and_resuming(tmp_path: Path, monkeypatch: Any) -> None:
    data = draw(tmp_path / "data")
    whole = train_upscaler(data, settings())

    def interrupted(self: Enlarging, model: Any, batch: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Enlarging, "loss", interrupted)
        train_upscaler(data, settings(), tmp_path / "run")
    cut = read_pairs(tmp_path / "run" / "pairs" / "train")
    assert len(cut) == whole.pairs  # and not cut again
    resumed = train_upscaler(data, settings(), tmp_path / "run")
    for one, other in zip(
        whole.upscaler.network.parameters(), resumed.upscaler.network.parameters(), strict=True
    ):
        assert torch.equal(one, other)


def test_a_validation_split_is_used(tmp_path: Path) -> None:
    draw(tmp_path / "data" / "train", 6)
    draw(tmp_path / "data" / "validation", 2)
    draw(tmp_path / "data" / "test", 2)
    trained = train_upscaler(garim.read(tmp_path / "data"), settings(epochs=1), tmp_path / "run")
    assert trained.pictures == 6
    listed = (tmp_path / "run" / "pairs" / "validation" / "pairs.csv").read_text()
    assert "validation/0.png" in listed and "test/" not in listed


def test_objective() -> None:
    low = torch.randint(0, 256, (2, 4, 4, 3), dtype=torch.uint8)
    high = low.repeat_interleave(2, 1).repeat_interleave(2, 2)
    model = torch.nn.Upsample(scale_factor=2)
    assert Enlarging("mse").loss(model, (low, high)) == 0
    off = (high.int() + 10).clamp(max=255).to(torch.uint8)
    off[..., 0] = high[..., 0]
    figures = Enlarging("l1").figures(model, (low, off))
    wrong = (off.float() - high.float()).div(255)
    assert figures["loss"].item() == pytest.approx(wrong.abs().mean().item(), rel=1e-4)
    psnr = -10 * np.log10(wrong.square().mean(dim=(1, 2, 3)).numpy()).mean()
    assert figures["psnr"].item() == pytest.approx(psnr, rel=1e-4)


def test_all_problems_at_once(tmp_path: Path) -> None:
    wrong = UpscaleTrainSettings(
        network="x", scale=5, most=0, epochs=0, learning_rate=0.0, loss="l3", blur=-1,  # type: ignore[arg-type]
        validation=1, patience=-1, precision="8",
    )  # fmt: skip
    with pytest.raises(SettingsError) as caught:
        resolve(wrong)
    assert len(caught.value.problems) == 10
    with pytest.raises(SettingsError, match="multiple of the scale"):
        resolve(UpscaleTrainSettings(scale=3, patch=32))
    with pytest.raises(DatasetError, match="too few to hold any out"):
        train_upscaler(draw(tmp_path / "one", 1), settings())
    with pytest.raises(DatasetError, match="no pair could be cut"):
        train_upscaler(draw(tmp_path / "data"), settings(patch=96))
