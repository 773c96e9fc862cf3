from dataclasses import asdict

import pytest
import torch

from garim.errors import ModelError, SettingsError
from garim.training.choices import operations
from garim.training.presets import PRESETS
from garim.training.reasons import reasons
from garim.training.settings import PRECISIONS, TrainSettings, resolve


def test_the_documents_preset_is_the_documents() -> None:
    recipe = resolve(TrainSettings(preset="vgg16-document"))
    assert recipe.backbone == "vgg16"
    assert recipe.weights == "pretrained"
    assert recipe.tune == "head"
    assert recipe.head == "flatten-mlp"
    assert recipe.hidden == 256
    assert recipe.dropout == 0.3
    assert recipe.size == 150
    assert recipe.mean == (0, 0, 0)
    assert recipe.std == (1, 1, 1)
    assert recipe.augment == "document"
    assert recipe.epochs == 30
    assert recipe.batch == 100
    assert recipe.patience == 0
    assert recipe.copies == recipe.epochs  # a new change of each picture in every epoch
    assert not recipe.caches_features


def test_what_is_set_goes_before_the_preset() -> None:
    recipe = resolve(TrainSettings(preset="vgg16-document", epochs=3, size=64, dropout=0.0))
    assert (recipe.epochs, recipe.size, recipe.dropout, recipe.batch) == (3, 64, 0, 100)


WRONG = {
    "preset": ("vgg19", "no preset 'vgg19'; known: vgg16-document, clothing-document"),
    "augment": ("heavy", "no augmentation 'heavy'; known: none, light, document"),
    "precision": ("8-bit", "no precision '8-bit'"),
    "network_options": (("width", "=8"), "option 'width' must be name=value"),
    "devices": ("gpu", "devices must be auto, a count of at least 1, or numbers of GPUs"),
    "size": (0, "size must be at least 1"),
    "epochs": (-1, "epochs must be at least 1"),
    "batch": (0, "batch must be at least 1"),
    "copies": (0, "copies must be at least 1"),
    "hidden": (0, "hidden must be at least 1"),
    "patience": (-1, "patience must be at least 0"),
    "weight_decay": (float("nan"), "weight_decay must be at least 0"),
    "seed": (2**32, "seed must be from 0 to 4294967295"),
    "dropout": (1.0, "dropout must be at least 0 and below 1"),
    "validation": (0.9, "validation must be above 0 and below 0.9"),
    "folds": (1, "folds must be 0 or at least 2"),
    "learning_rate": (float("nan"), "learning_rate must be above 0"),
    "std": (0.0, "std must be above 0"),
    "imbalance": ("heavy", "no remedy 'heavy' for imbalance; known: plain, weighted"),
    "noise": ("loud", "no remedy 'loud' for noise; known: none, gce, elr"),
    "effective_beta": (1.5, "effective_beta must be from 0 to 1"),
    "focal_gamma": (float("nan"), "focal_gamma must be at least 0"),
    "gce_q": (-0.1, "gce_q must be from 0 to 1"),
    "elr_strength": (-1.0, "elr_strength must be at least 0"),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_wrong_value_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=WRONG[name][1]):
        resolve(TrainSettings(**{name: WRONG[name][0]}))


def test_every_problem_in_one_message() -> None:
    with pytest.raises(SettingsError) as caught:
        resolve(TrainSettings(**{name: value for name, (value, _) in WRONG.items()}))
    for _, message in WRONG.values():
        assert message in str(caught.value)
    assert len(caught.value.problems) == len(WRONG) + 1  # two bad network options


@pytest.mark.parametrize("more", [
    {"weights": "none"}, {"backbone": "small_cnn"}, {"backbone": "small_cnn", "weights": "none"},
])  # fmt: skip
def test_a_head_needs_weights_under_it(more: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="needs starting weights"):
        resolve(TrainSettings(tune="head", **more))


def test_the_flattened_head_is_no_backbone() -> None:
    with pytest.raises(SettingsError, match="--head flatten-mlp"):
        resolve(TrainSettings(backbone="flatten_mlp"))


def test_an_unknown_backbone_names_the_nearest() -> None:
    with pytest.raises(ModelError, match=r"did you mean .*mobilenetv2_100"):
        resolve(TrainSettings(backbone="mobilenetv2_10"))


def test_open_settings_are_chosen_by_network_and_weights() -> None:
    head = resolve(TrainSettings())
    assert (head.backbone, head.weights, head.tune, head.head) == (
        "mobilenetv2_100", "pretrained", "head", "linear",
    )  # fmt: skip
    assert (head.size, head.epochs, head.batch, head.learning_rate) == (224, 60, 64, 0.003)
    assert (head.augment, head.copies, head.patience, head.dropout) == ("light", 4, 15, 0)
    assert head.mean == (0.485, 0.456, 0.406)
    assert head.caches_features
    scratch = resolve(TrainSettings(backbone="small_cnn"))
    assert (scratch.weights, scratch.tune, scratch.size) == ("none", "all", 64)
    assert (scratch.epochs, scratch.learning_rate, scratch.mean) == (40, 0.003, (0.5,) * 3)
    assert not scratch.caches_features
    tuned = resolve(TrainSettings(tune="all"))
    assert (tuned.learning_rate, tuned.epochs, tuned.batch) == (3e-4, 12, 16)
    assert (tuned.patience, tuned.keep, head.keep, scratch.keep) == (0, "last", "best", "best")
    assert resolve(TrainSettings(weights="none")).tune == "all"
    assert resolve(TrainSettings(head="flatten-mlp")).dropout == 0.3
    assert resolve(TrainSettings(augment="none")).copies == 1


def test_zero_is_a_value() -> None:
    recipe = resolve(TrainSettings(patience=0, dropout=0.0, mean=0.0, head="flatten-mlp"))
    assert (recipe.patience, recipe.dropout, recipe.mean) == (0, 0, (0, 0, 0))


def test_network_options_get_their_types() -> None:
    options = ("a=1", "b=0.5", "c=true", "d=none", "e=same", "f=x=y", "g=False")
    assert resolve(TrainSettings(network_options=options)).options == {
        "a": 1, "b": 0.5, "c": True, "d": None, "e": "same", "f": "x=y", "g": False,
    }  # fmt: skip


def test_a_transformer_is_built_for_the_size() -> None:
    assert resolve(TrainSettings(backbone="test_vit", size=96)).options == {"img_size": 96}
    assert resolve(TrainSettings(backbone="test_vit")).options == {}


def test_presets_are_settings_and_precisions_are_lightnings() -> None:
    import lightning as L

    for chosen in PRESETS.values():
        assert chosen.keys() <= asdict(TrainSettings()).keys()
    assert {"32-true", "bf16-mixed", "16-mixed"} <= set(PRECISIONS)
    L.Trainer(precision="bf16-mixed", accelerator="cpu", logger=False, barebones=True)


def test_the_clothing_documents_preset_is_the_documents() -> None:
    recipe = resolve(TrainSettings(preset="clothing-document"))
    assert (recipe.backbone, recipe.weights, recipe.tune) == ("small_cnn", "none", "all")
    assert (recipe.size, recipe.grey, recipe.epochs, recipe.patience) == (32, True, 200, 0)
    assert round(0.8 * 29_688 / recipe.batch) == 186  # the steps that the document's log shows
    colour = resolve(TrainSettings(preset="clothing-document", grey=False, epochs=3))
    assert (colour.grey, colour.epochs, colour.size) == (False, 3, 32)


def test_two_losses_at_once() -> None:
    with pytest.raises(SettingsError, match="focal and gce are both losses; choose one"):
        resolve(TrainSettings(imbalance="focal", noise="gce"))
    resolve(TrainSettings(imbalance="weighted", noise="gce"))


def test_grey_is_a_setting_and_weighs_channels_alike() -> None:
    with pytest.raises(SettingsError, match="use --grey and name its --backbone"):
        resolve(TrainSettings(backbone="grey"))
    recipe = resolve(TrainSettings(grey=True))
    assert recipe.mean == pytest.approx((sum((0.485, 0.456, 0.406)) / 3,) * 3)
    assert len(set(recipe.std)) == 1


def test_copies_are_chosen_by_the_size_of_the_data_and_the_device(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    chosen = [resolve(TrainSettings(), n).copies for n in (0, 100, 5000, 8000, 100_000)]
    assert chosen == [4, 4, 4, 2, 1]
    assert resolve(TrainSettings(copies=3), 100_000).copies == 3
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve(TrainSettings(), 100_000).copies == 4


def test_what_fits_into_ten_minutes_is_fine_tuned(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    few, many = resolve(TrainSettings(), 1_000), resolve(TrainSettings(), 10_000)
    assert (few.tune, few.size, few.epochs, few.batch) == ("all", 160, 12, 16)
    assert (many.tune, many.size, many.epochs, many.batch) == ("head", 224, 60, 64)
    assert resolve(TrainSettings(size=224), 1_500).tune == "head"
    assert resolve(TrainSettings(folds=5), 1_000).tune == "head"
    assert resolve(TrainSettings(backbone="resnet50"), 1_000).tune == "head"
    assert resolve(TrainSettings(copies=2), 1_000).tune == "head"
    assert resolve(TrainSettings(backbone="test_vit"), 100).size == 160  # it is built for that
    assert resolve(TrainSettings(tune="head"), 1_000).size == 224
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    on_a_card = resolve(TrainSettings(), 100_000)
    assert (on_a_card.tune, on_a_card.size) == ("all", 224)


def test_operations_are_those_that_are_published() -> None:
    """Sandler et al. 2018, table 4: 300 million multiply-adds; He et al. 2016: 3.8 billion."""
    assert operations("mobilenetv2_100", 224) == pytest.approx(2 * 300e6, rel=0.05)
    assert operations("resnet50", 224) == pytest.approx(2 * 4.1e9, rel=0.05)


def test_what_was_chosen_is_told_with_its_reason(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    told = " ".join(reasons(TrainSettings(), resolve(TrainSettings(), 900), 900))
    assert "mobilenetv2_100" in told and "fine-tuned: 900 pictures" in told and "160" in told
    told = " ".join(reasons(TrainSettings(), resolve(TrainSettings(), 9_000), 9_000))
    assert "frozen backbone" in told and "2 augmented copies" in told and "size 224" in told
    given = TrainSettings(backbone="small_cnn", size=32)
    assert reasons(given, resolve(given), 900) == (
        "everything is trained: there are no starting weights",
    )
    preset = TrainSettings(preset="clothing-document")
    assert reasons(preset, resolve(preset), 900) == ()
