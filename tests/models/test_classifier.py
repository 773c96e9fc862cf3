import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from garim.errors import ModelError
from garim.models.classifier import Card, Classifier, load
from garim.models.networks import create

CARD = Card(architecture="small_cnn", options={"width": 8}, classes=("가", "나"), size=32,
            mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), metrics={"validation_accuracy": 0.123456},
            trained={"mean": (0.5, 0.5, 0.5), "seed": 1})  # fmt: skip
BATCH = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)


def made(seed: int = 0, card: Card = CARD) -> Classifier:
    torch.manual_seed(seed)
    return Classifier(create("small_cnn", 2, {"width": 8}), card)


def test_the_digest_stays_when_saved_and_differs_otherwise(tmp_path) -> None:
    one = made()
    one.save(tmp_path)
    assert load(tmp_path).digest() == one.digest() == made().digest()
    backbone = made()
    with torch.no_grad():
        next(backbone.network.parameters()).view(-1)[0] += 1e-3
    others = [made(1), made(0, replace(CARD, classes=("나", "가"))), backbone]
    assert len({one.digest(), *(other.digest() for other in others)}) == 4


def test_the_card_stays_when_saved(tmp_path) -> None:
    made().save(tmp_path)
    again = load(tmp_path).card
    assert again == replace(CARD, trained={"mean": [0.5, 0.5, 0.5], "seed": 1})


def test_scores_are_probabilities_and_do_not_depend_on_the_batch() -> None:
    scores = made().scores(BATCH)
    assert scores.shape == (3, 2)
    assert np.allclose(scores.sum(axis=1), 1)
    assert np.allclose(made().scores(BATCH, batch_size=1), scores, atol=1e-6)
    assert made().scores(BATCH[:0]).shape == (0, 2)


def test_folds_are_kept_and_chosen_by_digest(tmp_path) -> None:
    card = replace(CARD, folds=2, fold_of={"abc": 1})
    folds = [made(1), made(2)]
    Classifier(made().network, card, folds).save(tmp_path)
    again = load(tmp_path)
    assert (again.unbiased("abc").scores(BATCH) == folds[1].scores(BATCH)).all()
    assert again.unbiased("never seen") is again


def broken(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        change(config)
        (folder / "config.json").write_text(json.dumps(config))

    return spoil


def truncate(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


SPOILT = {
    "no config": lambda folder: (folder / "config.json").unlink(),
    "no JSON": lambda folder: (folder / "config.json").write_text("{"),
    "no object": lambda folder: (folder / "config.json").write_text("[1]"),
    "not Garim's": broken(lambda c: c.pop("garim")),
    "another task": broken(lambda c: c["garim"].update(task="segment")),
    "newer": broken(lambda c: c["garim"].update(version=99)),
    "classes": broken(lambda c: c["garim"].update(classes="ab")),
    "no classes": broken(lambda c: c["garim"].update(classes=[])),
    "more classes": broken(lambda c: c["garim"].update(classes=["a", "b", "c"])),
    "mean": broken(lambda c: c["pretrained_cfg"].update(mean=[0.5])),
    "size": broken(lambda c: c["pretrained_cfg"].update(input_size="big")),
    "network": broken(lambda c: c.update(architecture="small_cn")),
    "another network": broken(lambda c: c.update(architecture="resnet10t", model_args={})),
    "options": broken(lambda c: c.update(model_args=["width"])),
    "loading option": broken(lambda c: c.update(model_args={"checkpoint_path": "x.pth"})),
    "folds": broken(lambda c: c["garim"].update(folds=2)),
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "truncated weights": truncate,
    "other weights": lambda folder: (folder / "model.safetensors").write_text("hello"),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_a_broken_folder_is_a_model_error(fault: str, tmp_path) -> None:
    made().save(tmp_path)
    SPOILT[fault](tmp_path)
    with pytest.raises(ModelError):
        load(tmp_path)


def test_a_folder_that_is_not_there(tmp_path) -> None:
    with pytest.raises(ModelError, match="no folder of a trained model"):
        load(tmp_path / "nowhere")


def test_a_models_files_can_be_read_by_others(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("")
    made().save(tmp_path / "model")
    modes = {path.stat().st_mode for path in (tmp_path / "model").iterdir()}
    assert modes == {plain.stat().st_mode}
