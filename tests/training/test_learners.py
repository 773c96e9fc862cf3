from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from drawn_classes import TINY, draw, recipe, weights
from torch import nn

from garim.training import data
from garim.training.data import Examples, collect
from garim.training.learners import OnFeatures, OnPictures, _Body, batches, build, learner
from garim.training.settings import Recipe

CLASSES = ("blue", "green", "red")


def frozen_recipe(tmp_path: Path, **more: object) -> Recipe:
    path = tmp_path / "w.safetensors"
    given = {"backbone": TINY, "weights": weights(path), "copies": 2, "epochs": 4, "dropout": 0.0}
    return recipe(**{**given, **more})


def pictures(tmp_path: Path) -> Examples:
    return collect(draw(tmp_path / "data", each=5), CLASSES)[0]


def state(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def changed(before: dict[str, torch.Tensor], network: nn.Module) -> set[str]:
    return {n for n, t in network.state_dict().items() if not torch.equal(before[n], t)}


@pytest.mark.parametrize("head", ["linear", "flatten-mlp"])
def test_features_give_the_head_that_pictures_give(head: str, tmp_path) -> None:
    chosen = frozen_recipe(tmp_path, head=head, hidden=8)
    shown = pictures(tmp_path)
    networks = []
    for way in (OnFeatures, OnPictures):
        torch.manual_seed(0)
        network, _ = build(chosen, CLASSES, None)
        before = state(network)
        way(network, chosen, tmp_path / way.__name__).fit(shown, shown)
        assert changed(before, network) >= {"classifier.weight", "classifier.bias"}
        networks.append(network)
    first, second = (network.state_dict() for network in networks)
    for name, tensor in first.items():
        assert torch.allclose(tensor, second[name], atol=1e-4), name


def test_the_way_is_chosen_by_what_is_saved(tmp_path) -> None:
    network, _ = build(frozen_recipe(tmp_path), CLASSES, None)
    assert isinstance(learner(network, frozen_recipe(tmp_path), tmp_path), OnFeatures)
    for more in ({"copies": 4}, {"tune": "last"}):
        chosen = frozen_recipe(tmp_path, **more)
        assert isinstance(learner(network, chosen, tmp_path), OnPictures)


@pytest.mark.parametrize("way", [OnFeatures, OnPictures])
def test_a_frozen_backbone_stays_to_the_bit(way: type, tmp_path) -> None:
    chosen = frozen_recipe(tmp_path, dropout=0.5)
    network, _ = build(chosen, CLASSES, None)
    before = state(network)
    way(network, chosen, tmp_path / "out").fit(pictures(tmp_path), None)
    assert changed(before, network) == {"classifier.weight", "classifier.bias"}


def test_tune_last_changes_the_last_stage_and_the_head_only(tmp_path) -> None:
    chosen = frozen_recipe(tmp_path, tune="last")
    network, _ = build(chosen, CLASSES, None)
    before = state(network)
    OnPictures(network, chosen, tmp_path / "out").fit(pictures(tmp_path), None)
    touched = changed(before, network)
    assert {"classifier.weight", "conv_head.weight"} <= touched
    first_stages = ("conv_stem", "bn1", "blocks.0", "blocks.1", "blocks.2", "blocks.3")
    assert not [name for name in touched if name.startswith(first_stages)]


def test_dropout_is_on_in_training_and_off_in_judging(tmp_path) -> None:
    chosen = frozen_recipe(tmp_path, dropout=0.5, tune="head", copies=4)
    network, _ = build(chosen, CLASSES, None)
    body = _Body(network, chosen)
    batch = torch.randint(0, 256, (4, 32, 32, 3), dtype=torch.uint8)
    with torch.inference_mode():
        body.train()
        assert not torch.equal(body(batch), body(batch))
        dropped = body.head[0]
        share = (dropped(torch.ones(10_000)) == 0).float().mean()
        assert 0.45 < share < 0.55
        assert not network.training  # or the backbone's own dropout would come on top
        body.eval()
        assert torch.equal(body(batch), body(batch))
        assert torch.allclose(body(batch), network(normal(batch, chosen)), atol=1e-5)


def normal(batch: torch.Tensor, chosen: Recipe) -> torch.Tensor:
    centre, spread = torch.tensor(chosen.mean), torch.tensor(chosen.std)
    return ((batch / 255 - centre) / spread).permute(0, 3, 1, 2)


def test_the_flattened_head_drops_after_features_were_computed(tmp_path) -> None:
    chosen = frozen_recipe(tmp_path, head="flatten-mlp", hidden=8, dropout=0.9, epochs=2, copies=1)
    network, _ = build(chosen, CLASSES, None)
    modes = []
    network.drop.register_forward_hook(lambda module, given, result: modes.append(module.training))
    OnFeatures(network, chosen, tmp_path / "out").fit(pictures(tmp_path), pictures(tmp_path))
    assert set(modes) == {True, False}
    assert modes[0] is True


def test_folds_share_the_frozen_backbone(tmp_path) -> None:
    chosen = frozen_recipe(tmp_path, folds=2)
    network, _ = build(chosen, CLASSES, None)
    main = OnFeatures(network, chosen, tmp_path / "out")
    fold = main.fresh(0, 3)
    assert fold.network.conv_stem.weight is network.conv_stem.weight
    assert fold.network.classifier.weight is not network.classifier.weight


def test_a_batch_of_one_picture_is_left_to_the_next_epoch(tmp_path) -> None:
    chosen = recipe(backbone=TINY, weights="none", batch=7, epochs=2, patience=0)
    network, _ = build(chosen, CLASSES, None)
    assert OnPictures(network, chosen, tmp_path / "out").fit(pictures(tmp_path), None).epochs == 2


def test_workers_decode_what_is_too_much_for_memory(tmp_path, monkeypatch) -> None:
    shown, chosen = pictures(tmp_path), recipe(augment="light")
    wholes = []
    for memory in (2**30, 0):
        monkeypatch.setattr(data, "IN_MEMORY", memory)
        pictured = data.SquarePictures(shown, 32, data_augment(chosen), 3, chosen.seed)
        loader = batches(pictured, replace(chosen, batch=4), True)
        assert bool(loader.num_workers) == (memory == 0)
        loader.sampler.epoch = 2
        wholes.append([inputs for inputs, _, _ in loader])
    assert all(torch.equal(a, b) for a, b in zip(*wholes, strict=True))


def data_augment(chosen: Recipe):
    from garim.training.augmentation import AUGMENTATIONS

    return AUGMENTATIONS[chosen.augment]
