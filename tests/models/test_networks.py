import copy

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from torch import nn

from garim.errors import ModelError
from garim.models import networks
from garim.models.classifier import Card, Classifier, load, normalised
from garim.models.networks import OURS, create, frozen_part, trained_part
from garim.models.networks.grey import without_colour
from garim.models.weights import load_file_state, load_into

TINY = "mobilenetv3_small_050"
MLP = {"backbone": TINY, "input_size": 32, "hidden": 16}
OPTIONS = {"flatten_mlp": MLP, "small_cnn": {"width": 8}, "grey": {"of": TINY}}
NAMES = [*OURS, TINY, "resnet10t", "test_vit", "dla46_c"]
SIZES = {"test_vit": 160}


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    return create(name, 5, OPTIONS.get(name)).eval()


def pictures(name: str) -> torch.Tensor:
    size = SIZES.get(name, 32)
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", NAMES)
def test_shapes_and_a_new_head(name: str) -> None:
    network = build(name)
    with torch.inference_mode():
        assert network(pictures(name)).shape == (2, 5)
        network.reset_classifier(3)
        assert network(pictures(name)).shape == (2, 3)
        assert network.num_classes == 3


@pytest.mark.parametrize("name", NAMES)
def test_frozen_and_trained_part_make_the_network(name: str) -> None:
    network = build(name)
    with torch.inference_mode():
        parts = trained_part(network).eval()(frozen_part(network)(pictures(name)))
        assert torch.allclose(parts, network(pictures(name)), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded_by_us_and_by_timm(name: str, tmp_path) -> None:
    size = SIZES.get(name, 32)
    card = Card(architecture=name, options=OPTIONS.get(name, {}), classes=tuple("abcde"),
                size=size, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))  # fmt: skip
    made = Classifier(build(name), card)
    made.save(tmp_path)
    batch = (pictures(name).permute(0, 2, 3, 1) * 255).byte()
    again = load(tmp_path)
    assert (made.scores(batch.numpy()) == again.scores(batch.numpy())).all()
    by_timm = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    with torch.inference_mode():
        inputs = normalised(batch, card.mean, card.std)
        assert torch.equal(by_timm(inputs), made.network(inputs))
    assert by_timm.pretrained_cfg["input_size"] == [3, size, size]


def test_an_unknown_network_names_the_nearest() -> None:
    with pytest.raises(ModelError, match=r"no network 'mobilenetv2_10'; did you .*mobilenetv2_100"):
        create("mobilenetv2_10", 2)
    with pytest.raises(ModelError, match=r"did you mean .*vgg16"):
        create("vgg61.tv_in1k", 2)
    with pytest.raises(ModelError, match=r"no network 'qqqqqq'\. "):
        create("qqqqqq", 2)


@pytest.mark.parametrize("options", [
    {"nonsense": 1}, {"width": "wide"}, {"num_classes": 3}, {"width": -1},
])  # fmt: skip
def test_a_bad_option_is_a_model_error(options: dict[str, object]) -> None:
    with pytest.raises(ModelError, match=f"small_cnn.*{next(iter(options))}"):
        create("small_cnn", 2, options)


@pytest.mark.parametrize("options", [
    {"pretrained": True},
    {"checkpoint_path": "/etc/passwd"},
    {"pretrained_cfg": {"url": "https://example.org"}},
    {**MLP, "backbone_options": {"checkpoint_path": "x"}},
    {**MLP, "backbone": "hf-hub:someone/something"},
])  # fmt: skip
def test_options_cannot_load_anything(options: dict[str, object], monkeypatch) -> None:
    monkeypatch.setattr(networks.timm, "create_model", lambda *a, **k: pytest.fail("was built"))
    with pytest.raises(ModelError):
        create("flatten_mlp", 2, options)


def test_the_documents_network_has_the_documents_parameters() -> None:
    network = create("flatten_mlp", 149, {"backbone": "vgg16"})
    counts = [
        sum(p.numel() for p in part.parameters())
        for part in (network.backbone, network.hidden, network.classifier)
    ]
    assert counts == [14_714_688, 2_097_408, 38_293]
    assert network.drop.p == 0.3
    config = network.pretrained_cfg
    assert (config["input_size"], config["mean"], config["std"]) == (
        (3, 150, 150),
        (0,) * 3,
        (1,) * 3,
    )
    white = normalised(torch.full((1, 2, 2, 3), 255, dtype=torch.uint8), (0,) * 3, (1,) * 3)
    assert torch.equal(white, torch.ones(1, 3, 2, 2))


def test_a_head_of_several_layers_cannot_be_trained_alone() -> None:
    network = create("deit_tiny_distilled_patch16_224", 2)
    with pytest.raises(ModelError, match="several heads"):
        trained_part(network)
    load_into(network, create("deit_tiny_distilled_patch16_224", 3).state_dict(), "other head")


def test_a_flattened_network_passes_options_on_and_takes_its_own_weights(tmp_path) -> None:
    options = {**MLP, "backbone": "mobilenetv2_035", "backbone_options": {"pad_type": "same"}}
    network = create("flatten_mlp", 2, options)
    assert any("same" in type(m).__name__.lower() for m in network.backbone.modules())
    assert network.backbone.training
    card = Card(architecture="flatten_mlp", options=options, classes=("a", "b"), size=32,
                mean=(0, 0, 0), std=(1, 1, 1))  # fmt: skip
    Classifier(network, card).save(tmp_path)
    other = create("flatten_mlp", 3, options)
    load_into(other, load_file_state(tmp_path / "model.safetensors"), "ours")
    assert load(tmp_path).network.backbone is not None
    for name, tensor in network.backbone.state_dict().items():
        assert torch.equal(other.backbone.state_dict()[name], tensor)


@pytest.mark.parametrize("of", ["small_cnn", TINY, "resnet10t", "flatten_mlp"])
def test_a_grey_network_sees_what_pillow_turns_grey(of: str) -> None:
    options = OPTIONS.get(of, {})
    plain, grey = create(of, 5, options).eval(), create("grey", 5, {"of": of, **options})
    grey = copy.deepcopy(grey.eval())
    grey.load_state_dict(plain.state_dict())
    coloured = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    as_grey = np.stack([np.asarray(Image.fromarray(p).convert("L").convert("RGB"))
                        for p in coloured])  # fmt: skip
    seen = [normalised(torch.from_numpy(p), (0.5,) * 3, (0.5,) * 3) for p in (coloured, as_grey)]
    with torch.inference_mode():
        rounding = (grey(seen[0]) - plain(seen[1])).abs().max()
        colour = (plain(seen[0]) - plain(seen[1])).abs().max()
        assert rounding < 0.2 * colour
        if hasattr(plain, "forward_intermediates"):
            as_luma = without_colour(seen[0])
            maps = (grey.forward_intermediates(seen[0]), plain.forward_intermediates(as_luma))
            for one, two in zip(*maps, strict=True):
                assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_a_grey_network_of_nothing() -> None:
    with pytest.raises(ModelError, match="no network 'hf-hub:someone/something'"):
        create("grey", 2, {"of": "hf-hub:someone/something"})
