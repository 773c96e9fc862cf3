from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from sklearn.decomposition import PCA
from torch.nn import functional

import garim
from garim.errors import DatasetError, ModelError
from garim.models.embedder import Embedder, EmbedderCard, Projection, load
from garim.models.networks import create
from garim.training.embedders import whitening

CARD = EmbedderCard(architecture="resnet10t", size=32, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))


def pictures(count: int = 3, side: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return create("resnet10t", 0).eval()


def inputs(pixels: np.ndarray) -> torch.Tensor:
    values = (pixels / 255.0 - np.array(CARD.mean)) / np.array(CARD.std)
    return torch.from_numpy(values.astype(np.float32)).permute(0, 3, 1, 2)


def unit(features: torch.Tensor) -> np.ndarray:
    return functional.normalize(features).numpy()


def test_own_pooling_is_timms_network_without_a_classifier(network: torch.nn.Module) -> None:
    with torch.no_grad():
        expected = unit(network(inputs(pictures())))
    assert np.allclose(Embedder(network, CARD)(pictures()), expected, atol=1e-5)


def test_pooling(network: torch.nn.Module) -> None:
    with torch.no_grad():
        cells = network.forward_features(inputs(pictures()))
    expected = {
        "avg": cells.mean(dim=(2, 3)),
        "max": cells.amax(dim=(2, 3)),
        "gem": functional.avg_pool2d(cells.clamp(min=1e-6) ** 3, cells.shape[2:])[..., 0, 0]
        ** (1 / 3),
    }
    for name, features in expected.items():
        found = Embedder(network, replace(CARD, pooling=name))(pictures())
        assert np.allclose(found, unit(features), atol=1e-5), name


SMALL = {
    "vit_tiny_patch16_224": {"img_size": 32, "depth": 1},
    "swin_tiny_patch4_window7_224": {"img_size": 32, "window_size": 1, "depths": (1, 1, 1, 1)},
}


@pytest.mark.parametrize("name", SMALL)
def test_tokens_and_last_channels_are_pooled_too(name: str) -> None:
    network = timm.create_model(name, num_classes=0, **SMALL[name]).eval()
    found = Embedder(network, replace(CARD, pooling="avg"))(pictures())
    with torch.no_grad():
        features = network.forward_features(inputs(pictures()))
    cells = features[:, 1:] if features.ndim == 3 else features.flatten(1, 2)
    assert np.allclose(found, unit(cells.mean(dim=1)), atol=1e-5)


def test_views(network: torch.nn.Module) -> None:
    flipped = Embedder(network, replace(CARD, views="flip"))
    assert np.allclose(flipped(pictures()), flipped(pictures()[:, :, ::-1]), atol=1e-5)
    five = Embedder(network, replace(CARD, views="five"))
    assert five.side == 37
    large, plain = pictures(2, 37), Embedder(network, CARD)
    crops = [large[:, y : y + 32, x : x + 32] for y, x in ((2, 2), (0, 0), (0, 5), (5, 0), (5, 5))]
    total = np.sum([plain(np.ascontiguousarray(one)) for one in crops], axis=0)
    assert np.allclose(five(large), total / np.linalg.norm(total, axis=1)[:, None], atol=1e-5)


def test_saved_and_opened(network: torch.nn.Module, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    projection = Projection(rng.random(512).astype("f4"), rng.random((512, 6)).astype("f4"))
    plain = Embedder(network, CARD)
    made = plain.projected(projection, {"loss": "none"})
    made.save(tmp_path / "e")
    again = garim.load_model(tmp_path / "e")
    assert isinstance(again, Embedder) and again.card == made.card
    assert np.array_equal(again(pictures()), made(pictures())) and again.components == 6
    assert np.allclose(np.linalg.norm(again(pictures()), axis=1), 1, atol=1e-5)
    others = [
        plain,
        Embedder(network, replace(CARD, pooling="max")),
        Embedder(create("resnet10t", 0), CARD),
    ]
    digests = {one.digest() for one in (made, *others)}
    assert again.digest() == made.digest() and len(digests) == 4
    (tmp_path / "e" / "projection.safetensors").write_bytes(b"broken")
    with pytest.raises(ModelError, match="projection"):
        load(tmp_path / "e")


def test_whitening_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(200, 5)) @ rng.normal(size=(5, 12))).astype(np.float32)
    made = whitening(vectors, 4)
    found = (vectors - made.mean) @ made.matrix
    expected = PCA(4, whiten=True).fit_transform(vectors)
    assert np.allclose(np.abs(found), np.abs(expected), atol=1e-3)
    assert whitening(vectors, 9).matrix.shape == (12, 5)  # no more than there are directions
    with pytest.raises(DatasetError, match="two different pictures"):
        whitening(vectors[:1].repeat(3, axis=0), 4)
