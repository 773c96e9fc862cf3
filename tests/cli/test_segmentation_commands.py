from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import Command, World
from garim.cli import app


@pytest.fixture
def masked(tmp_path: Path) -> Path:
    rng, root = np.random.default_rng(0), tmp_path / "masked"
    for split, count in (("train", 6), ("test", 2)):
        for part in ("images", "masks"):
            (root / split / part).mkdir(parents=True)
        for number in range(count):
            picture = rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)
            mask = np.zeros((40, 48), np.uint8)
            picture[8:30, 10:35], mask[8:30, 10:35] = (220, 30, 30), 1
            Image.fromarray(picture).save(root / split / "images" / f"{number}.png")
            Image.fromarray(mask).save(root / split / "masks" / f"{number}.png")
    (root / "train" / "masks" / "0.png").unlink()
    return root


def test_train_evaluate_predict_export(command, masked: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    options = ("--network", "fcn8s", "--backbone", "small_cnn", "--size", 48, "--epochs", 2,
               "--batch", 2, "--mask-classes", "nothing", "--mask-classes", "red")  # fmt: skip
    trained = command("train", masked, "--task", "segment", "--out", model, *options, "--json")
    assert trained.status == 3  # a mask is missing
    assert trained.json["classes"] == ["nothing", "red"]
    assert trained.json["failed"] == [{"picture": "train/images/0.png", "error": "has no mask"}]
    assert "Curves" in (model / "report.html").read_text()
    judged = command("evaluate", model, masked, "--json")
    assert judged.status == 0
    assert judged.json.keys() >= {"pixel_accuracy", "miou", "per_class"}
    assert set(judged.json["per_class"]["red"]) == {"iou", "accuracy", "boundary_f", "pixels"}
    assert (model / "evaluation" / "worst.png").exists()
    shown = command("evaluate", model, masked)
    assert "mean IoU" in shown.out and "boundary F" in shown.out
    found = command("predict", model, masked / "test" / "images", "--to", tmp_path / "masks")
    assert found.status == 0 and "red" in found.out
    assert len(list((tmp_path / "masks" / "masks").iterdir())) == 2
    assert command("export", model, "--to", tmp_path / "model.onnx").status == 0


def test_a_segmenter_is_no_classifier(command, masked: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    command("train", masked, "--task", "segment", "--out", model, "--network", "fcn16s",
            "--backbone", "small_cnn", "--size", 48, "--epochs", 1)  # fmt: skip
    refused = command("extract", masked, "--model", model)
    assert refused.status == 2 and "segment" in refused.err


@pytest.mark.parametrize("task", ["segment", "instances"])
def test_help_explains_every_option(command, task: str) -> None:
    for argument in app[f"train-{task}"].assemble_argument_collection(parse_docstring=True):
        assert not argument.show or argument.parameter.help, argument.name
    assert "masks" in command("train", "data", "--task", task, "--help").out


def test_masks(world: World, command: Command, tmp_path: Path) -> None:
    out = tmp_path / "made"
    arguments = ("masks", world.data, world.model, "--to", out, "--patches", 100,
                 "--foreground.longest", 64)  # fmt: skip
    ended = command(*arguments, "--json")
    assert (ended.status, ended.err) == (0, "")
    found = ended.json
    assert (found["pictures"], found["written"], found["kept"]) == (24, 24, 0)
    assert found["classes"] == ["background", "blue", "green", "빨강"]
    assert sum(found["shares"].values()) == pytest.approx(1, abs=1e-4)
    assert Image.open(found["sheet"]).width > 1000
    again = command(*arguments)
    assert again.status == 0 and "24 masks, 24 kept from before" in again.out
    refused = command(*arguments, "--sure", 0.9)
    assert refused.status == 2 and "other settings" in refused.err
    model = tmp_path / "model"
    options = ("--network", "fcn16s", "--backbone", "small_cnn", "--size", 32, "--epochs", 1)
    learned = command("train", out, "--task", "segment", "--out", model, *options, "--json")
    assert learned.status == 0 and learned.json["classes"] == found["classes"]
