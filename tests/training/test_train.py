from __future__ import annotations

import csv
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from drawn_classes import TINY, draw, settings, weights
from PIL import Image
from safetensors.torch import load_file

from garim import dataset
from garim.dataset import Dataset
from garim.errors import DatasetError, ModelError
from garim.evaluation import evaluate
from garim.models.classifier import load
from garim.training import Recipe, Trained, TrainSettings, lightning_loop, train
from garim.training.callbacks import Best
from garim.training.run_folder import UNFINISHED
from garim.training.settings import resolve

train_module = sys.modules["garim.training.train"]  # the name means the function


@pytest.fixture
def drawn(tmp_path) -> Dataset:
    return draw(tmp_path / "data")


def state(trained: Trained) -> dict[str, torch.Tensor]:
    return trained.classifier.network.state_dict()


def test_training_learns_and_leaves_what_it_should(drawn, tmp_path) -> None:
    out = tmp_path / "model"
    made = train(drawn, settings(epochs=8, validation=0.3), out)
    assert made.classifier.card.metrics["validation_accuracy"] >= 0.9
    assert not (out / "checkpoints").exists()
    assert not (out / UNFINISHED).exists()
    with (out / "curves" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == list(range(8))
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    assert all(float(row["val_loss"]) > 0 for row in rows)
    again = load(out)
    assert again.digest() == made.classifier.digest()
    unseen = draw(tmp_path / "unseen", seed=1)
    assert evaluate(again, unseen).accuracy >= 0.9
    assert made.to_dict().keys() >= {"model", "task", "classes", "seconds", "metrics", "failed"}


def test_the_kept_weights_are_those_of_the_best_epoch(drawn, tmp_path) -> None:
    out = tmp_path / "model"
    metrics = train(drawn, settings(epochs=6, learning_rate=0.1), out).classifier.card.metrics
    with (out / "curves" / "metrics.csv").open() as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
    assert metrics["validation_loss"] == pytest.approx(min(losses), abs=1e-4)


def test_same_seed_same_weights(drawn) -> None:
    one, two, other = (train(drawn, settings(seed=seed)) for seed in (3, 3, 4))
    assert all(torch.equal(t, state(two)[n]) for n, t in state(one).items())
    assert not all(torch.equal(t, state(other)[n]) for n, t in state(one).items())


def test_it_stops_when_nothing_gets_better(drawn, tmp_path) -> None:
    chosen = settings(epochs=30, patience=2, learning_rate=1e-12)
    train(drawn, chosen, tmp_path / "model")
    lines = (tmp_path / "model" / "curves" / "metrics.csv").read_text().splitlines()
    assert len(lines) - 1 < 30


@pytest.mark.parametrize(("last", "kept"), [(False, 1.0), (True, 2.0)])
def test_the_best_weights_are_kept_or_the_last(last: bool, kept: float) -> None:
    best, module = Best(patience=0, last=last), torch.nn.Linear(1, 1)
    for epoch, loss in enumerate((0.9, 0.5, 0.7)):
        torch.nn.init.constant_(module.weight, epoch)
        best.on_validation_end(SimpleNamespace(callback_metrics={"val_loss": loss}), module)
    assert float(best.weights["weight"]) == kept


def test_tensorboard_is_optional(drawn, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(lightning_loop, "find_spec", lambda name: None)
    train(drawn, settings(epochs=1), tmp_path / "model")
    assert [p.name for p in (tmp_path / "model" / "curves").iterdir()] == ["metrics.csv"]


def test_each_training_picture_has_a_network_that_has_not_seen_it(drawn, tmp_path) -> None:
    chosen = settings(backbone=TINY, weights=weights(tmp_path / "w.safetensors"), folds=3, copies=1)
    made = train(drawn, chosen, tmp_path / "model")
    card = made.classifier.card
    assert len(card.fold_of) == made.pictures
    assert set(card.fold_of.values()) == {0, 1, 2}
    assert 0 <= card.metrics["out_of_fold_accuracy"] <= 1
    again = load(tmp_path / "model")
    for digest, fold in card.fold_of.items():
        assert again.unbiased(digest) is again.folds[fold]
    assert not list((tmp_path / "model").rglob("checkpoints"))


def test_a_fold_never_trains_on_its_own_part(drawn, monkeypatch) -> None:
    from garim.training.learners import OnPictures

    shown = []
    fit = OnPictures.fit

    def watched(self, examples, validation):
        shown.append(set(examples.digests))
        return fit(self, examples, validation)

    monkeypatch.setattr(OnPictures, "fit", watched)
    card = train(drawn, settings(folds=2, epochs=1)).classifier.card
    for digest, fold in card.fold_of.items():
        assert digest not in shown[1 + fold]
        assert digest in shown[2 - fold]


def test_more_folds_than_pictures(tmp_path) -> None:
    with pytest.raises(DatasetError, match="Give fewer folds"):
        train(draw(tmp_path, each=2), settings(folds=7))


def test_one_class_says_what_to_do(drawn) -> None:
    with pytest.raises(
        DatasetError, match=r"at least two classes; there is only 'red'.*one folder"
    ):
        train(drawn.where(classes=["red"]), settings())


def test_a_class_with_one_picture_is_trained_on_and_noted(tmp_path) -> None:
    draw(tmp_path, each=6)
    (tmp_path / "white").mkdir()
    Image.new("RGB", (40, 40), "white").save(tmp_path / "white" / "1.png")
    made = train(dataset.read(tmp_path), settings(epochs=1))
    assert "white" in made.classifier.classes
    assert made.notes == ("classes with very few pictures to train on: white (1)",)


def test_an_unreadable_picture_is_listed(tmp_path) -> None:
    draw(tmp_path, each=4)
    (tmp_path / "red" / "0.png").write_bytes(b"broken")
    made = train(dataset.read(tmp_path), settings(epochs=1))
    assert [failure.picture for failure in made.failures] == ["red/0.png"]


def test_the_test_split_is_never_looked_at(tmp_path) -> None:
    draw(tmp_path, each=4, split="train")
    whole = draw(tmp_path, each=2, split="test", seed=1)
    made = train(whole, settings(epochs=1))
    assert made.pictures + 3 >= 12 >= made.pictures
    with pytest.raises(DatasetError, match=r"no train split, only test.*garim split"):
        train(whole.where(split=["test"]), settings())


def test_a_validation_split_may_lack_classes(tmp_path) -> None:
    draw(tmp_path, each=4, split="train")
    (tmp_path / "val" / "red").mkdir(parents=True)
    Image.new("RGB", (40, 40), "red").save(tmp_path / "val" / "red" / "1.png")
    made = train(dataset.read(tmp_path), settings(epochs=1))
    assert made.pictures == 12
    assert "validation_accuracy" in made.classifier.card.metrics


def test_folders_that_must_not_be_written_to(drawn, tmp_path) -> None:
    out = tmp_path / "model"
    train(drawn, settings(epochs=1), out)
    with pytest.raises(ModelError, match="already holds a model"):
        train(drawn, settings(epochs=1), out)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    with pytest.raises(ModelError, match="not empty"):
        train(drawn, settings(epochs=1), tmp_path / "full")
    with pytest.raises(ModelError, match="is a file"):
        train(drawn, settings(epochs=1), tmp_path / "full" / "letter.txt")


def test_what_cannot_start_leaves_nothing_behind(drawn, tmp_path) -> None:
    out = tmp_path / "model"
    with pytest.raises(ModelError, match="no such weights file"):
        train(drawn, settings(backbone=TINY, weights=str(tmp_path / "none.pth")), out)
    assert not out.exists()
    train(drawn, settings(epochs=1), out)


def test_a_network_that_cannot_take_the_size_is_named(drawn, tmp_path) -> None:
    out = tmp_path / "model"
    with pytest.raises(ModelError, match=r"small_cnn cannot take pictures of size 3: .*--size"):
        train(drawn, settings(size=3), out)
    assert not out.exists()


def test_a_transformer_that_is_built_for_one_size_has_no_localizer(drawn) -> None:
    made = train(drawn, settings(backbone="test_vit", weights="none", epochs=1, localizer=True))
    assert made.classifier.localizer is None


def test_what_is_chosen_depends_on_what_is_trained_on_only(tmp_path, monkeypatch) -> None:
    seen: list[int] = []

    def watched(chosen: TrainSettings, pictures: int) -> Recipe:
        seen.append(pictures)
        return resolve(chosen, pictures)

    monkeypatch.setattr(train_module, "resolve", watched)
    monkeypatch.setattr(train_module, "reasons", lambda *given: (str(given[2]),))
    data = draw(tmp_path, each=4, split="train")
    draw(tmp_path, each=20, split="test")
    Image.new("RGB", (40, 40)).save(tmp_path / "train" / "bare.png")
    made = train(dataset.read(data.origin), settings(epochs=1))
    assert (seen, made.chosen) == ([12], (str(made.pictures),))


def test_the_callers_random_numbers_are_left_alone(drawn) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(drawn, settings(epochs=1))
    assert torch.equal(torch.rand(3), expected)


def test_only_the_first_epochs_of_a_flattened_head(drawn, tmp_path: Path) -> None:
    chosen = settings(backbone=TINY, weights=weights(tmp_path / "w.safetensors"), copies=1,
                      head="flatten-mlp", hidden=8, epochs=2)  # fmt: skip
    made = train(drawn, chosen, tmp_path / "model")
    assert load(tmp_path / "model").digest() == made.classifier.digest()


def test_a_grey_model_keeps_seeing_grey(drawn, tmp_path) -> None:
    made = train(drawn, settings(epochs=1, grey=True), tmp_path / "model")
    again = load(tmp_path / "model")
    assert (again.card.architecture, again.card.options) == ("grey", {"of": "small_cnn"})
    red = np.zeros((1, 32, 32, 3), dtype=np.uint8)
    red[..., 0] = 200
    grey = np.full_like(red, round(0.299 * 200))
    assert again.scores(red) == pytest.approx(again.scores(grey), abs=0.02)
    assert again.digest() == made.classifier.digest()


@pytest.mark.parametrize("way", ["pictures", "features"])
@pytest.mark.parametrize("chosen", [{"noise": "elr"}, {"imbalance": "balanced-sampling"}])
def test_remedies_work_in_both_ways_and_in_folds(chosen, way, drawn, tmp_path) -> None:
    if way == "features":
        path = weights(tmp_path / "w.safetensors")
        chosen = {**chosen, "backbone": TINY, "weights": path, "copies": 1}
    card = train(drawn, settings(**chosen, folds=2, epochs=2)).classifier.card
    assert card.folds == 2
    assert card.trained["imbalance"] == chosen.get("imbalance", "plain")


def test_batch_norm_keeps_the_statistics_it_came_with(drawn, tmp_path) -> None:
    path = weights(tmp_path / "w.safetensors")
    before = load_file(path)
    made = train(drawn, settings(backbone=TINY, weights=path, tune="all", epochs=1))
    after = made.classifier.network.state_dict()
    means = [name for name in before if name.endswith("running_mean")]
    assert means and all(torch.equal(before[name], after[name]) for name in means)
    assert not torch.equal(before["conv_stem.weight"], after["conv_stem.weight"])
