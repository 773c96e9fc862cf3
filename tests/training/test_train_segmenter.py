from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_masks import NAMES, draw, save, settings
from torch import nn

import garim
from garim.errors import DatasetError, ModelError, SettingsError
from garim.training.masks import VOID, look_at_masks, rule_of
from garim.training.objective import Fitted
from garim.training.pixel_classifiers import KINDS, PixelClassifier, pixel_features
from garim.training.run_folder import UNFINISHED
from garim.training.segmentation import Segmentation, _balanced, train_segmenter

torch.set_num_threads(1)  # networks this small gain nothing from more


def test_training_learns_and_leaves_what_it_should(tmp_path: Path) -> None:
    data, out = draw(tmp_path / "data"), tmp_path / "model"
    made = train_segmenter(data, settings(epochs=14, validation=0.2), out)
    assert made.to_dict().keys() >= {"model", "task", "classes", "seconds", "metrics", "failed"}
    assert made.model.classes == NAMES
    assert set(made.model.card.metrics) == {
        "validation_loss", "validation_pixel_accuracy", "validation_miou"
    }  # fmt: skip
    assert not (out / "checkpoints").exists() and not (out / UNFINISHED).exists()
    again = garim.load_model(out)
    assert again.digest() == made.model.digest()
    report = garim.evaluate(again, data.where(split=["test"]))
    assert report.miou > 0.6
    assert report.pixel_accuracy > report.to_dict()["largest_class_baseline"] + 0.05


def test_same_seed_same_weights(tmp_path: Path) -> None:
    data = draw(tmp_path / "data", train=6, test=0)
    made = [train_segmenter(data, settings(epochs=2, seed=seed)).model for seed in (3, 3, 4)]
    one, two, other = (m.network.state_dict() for m in made)
    assert all(torch.equal(t, two[n]) for n, t in one.items())
    assert not all(torch.equal(t, other[n]) for n, t in one.items())


def test_an_interrupted_training_ends_as_one_that_was_not(tmp_path: Path, monkeypatch) -> None:
    data, chosen = draw(tmp_path / "data", train=6, test=0), settings(epochs=3, patience=0)
    whole = train_segmenter(data, chosen, tmp_path / "whole").model

    class Stops(Segmentation):
        steps = 0

        def loss(self, model, batch):
            Stops.steps += 1
            if Stops.steps == 3:  # one step an epoch
                raise KeyboardInterrupt
            return super().loss(model, batch)

    monkeypatch.setattr("garim.training.segmentation.Segmentation", Stops)
    monkeypatch.setattr("garim.training.callbacks.SECONDS", 0)
    monkeypatch.setattr("garim.training.callbacks.SHARE", 0)
    with pytest.raises(KeyboardInterrupt):
        train_segmenter(data, chosen, tmp_path / "part")
    assert (tmp_path / "part" / UNFINISHED).exists()
    resumed = train_segmenter(data, chosen, tmp_path / "part").model
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name
    with pytest.raises(ModelError, match="already holds a model"):
        train_segmenter(data, chosen, tmp_path / "part")


def test_void_is_neither_learned_nor_judged() -> None:
    scores = torch.randn(1, 3, 4, 4)
    model = nn.Identity()
    targets = torch.randint(0, 3, (1, 4, 4))
    targets[:, :2] = VOID
    objective = Segmentation()
    right = nn.functional.cross_entropy(scores, targets, ignore_index=VOID)
    assert objective.loss(model, (scores, targets)) == pytest.approx(float(right))
    nothing = torch.full((1, 4, 4), VOID)
    assert objective.loss(model, (scores, nothing)) == 0
    figures = objective.figures(model, (scores, nothing))
    assert all(torch.isfinite(value) for value in figures.values())
    judged = (scores.argmax(1) == targets)[:, 2:].float().mean()
    found = objective.figures(model, (scores, targets))
    assert found["pixel_accuracy"] == pytest.approx(float(judged))


def test_rare_classes_weigh_more(tmp_path: Path) -> None:
    data = draw(tmp_path, train=4, test=0)
    seen, _ = look_at_masks(data)
    rule = rule_of(data, seen)
    weights, share = _balanced(seen, rule), sum(rule.counts(one) for one in seen)
    order = np.argsort(share)
    assert (np.diff(weights.numpy()[order]) <= 0).all()
    assert weights.max() <= 5 and weights.min() < 1


def test_starting_weights_keep_their_batch_norm(tmp_path: Path, monkeypatch) -> None:
    data = draw(tmp_path / "data", train=6, test=0)
    seen: list[nn.Module] = []
    monkeypatch.setattr(
        "garim.training.segmentation.fit",
        lambda model, *rest, **more: seen.append(model) or _fitted(),
    )
    file = tmp_path / "w.pth"
    torch.save(garim.models.networks.create("small_cnn", 10).state_dict(), file)
    train_segmenter(data, settings(weights=str(file)))
    train_segmenter(data, settings(weights="none"))
    started, scratch = (model.train().network.encoder.stages[0].norm for model in seen)
    assert not started.training and scratch.training


def _fitted() -> Fitted:
    return Fitted(epochs=0, metrics={})


def test_everything_that_cannot_work_is_said_at_once() -> None:
    bad = settings(network="deeplabv3plus", batch=1, size=8, void=300, precision="8", jitter=0.5)
    with pytest.raises(SettingsError) as caught:
        train_segmenter(None, bad)
    assert len(caught.value.problems) == 5


def test_data_without_masks_or_with_one_class(tmp_path: Path) -> None:
    save(np.zeros((40, 40, 3), np.uint8), tmp_path / "plain" / "cat" / "a.png")
    with pytest.raises(DatasetError, match=r"no picture with a mask.*has no mask.*masks/ beside"):
        train_segmenter(garim.read(tmp_path / "plain"), settings())
    for part in ("images", "masks"):
        save(np.zeros((40, 40), np.uint8), tmp_path / "empty" / part / "a.png")
    with pytest.raises(DatasetError, match="fewer than two classes"):
        train_segmenter(garim.read(tmp_path / "empty"), settings(mask_classes=("a", "b")))


@pytest.mark.parametrize("kind", KINDS)
def test_pixel_classifiers_tell_colours_apart(kind: str, tmp_path: Path) -> None:
    data = draw(tmp_path, train=6, test=2)
    train = data.where(split=["train"])
    seen, _ = look_at_masks(train)
    model = PixelClassifier(kind).fit(seen, rule_of(train, seen))
    from garim.evaluation import judge_masks

    report = judge_masks(model.predict, data.where(split=["test"]), NAMES)
    assert report.miou > 0.6


def test_pixel_features_are_one_row_per_pixel() -> None:
    found = pixel_features(np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8))
    assert found.shape[0] == 63 and np.isfinite(found).all()
    with pytest.raises(SettingsError, match="known: kmeans, random-forest, svm"):
        PixelClassifier("magic")
