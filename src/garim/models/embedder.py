"""A trained network that turns pictures into vectors: alike pictures, near vectors.

Its folder is like a classifier's: ``config.json`` and ``model.safetensors``; a projection that was
learned on top of the network, by whitening or from labels, is ``projection.safetensors``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional

from garim import files
from garim.errors import ModelError
from garim.models import folder
from garim.models.classifier import Card, normalised
from garim.models.networks import create
from garim.models.runtime import Prepared
from garim.pictures import Pixels

PROJECTION = "projection.safetensors"
"""File of the projection in an embedder's folder, where there is one."""

Vectors = NDArray[np.float32]
"""Embeddings, shape ``(n, components)``; each row has length 1."""

Pooling = Literal["own", "avg", "max", "gem"]
"""How a feature map becomes one vector: as the network itself does before its last layer; the mean
or maximum of its cells; or their generalised mean with exponent 3 (GeM: Radenović et al. 2018)."""

Views = Literal["one", "flip", "five"]
"""What is looked at: the picture; its mirror image too; or the middle and the four corners."""

_GEM = 3.0
_MARGIN = 8 / 7
"""Side of the picture that five crops are cut from, as a multiple of a crop's: 256 to 224."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedderCard:
    """What an embedder's folder says about it."""

    architecture: str
    options: dict[str, Any] = field(default_factory=dict)
    """More arguments for the network's builder."""
    outputs: int = 0
    """Classes of the network's last layer, which embeddings do without."""
    size: int
    """Side of the square input in pixels; pictures are resized to it without keeping aspect."""
    mean: tuple[float, float, float]
    """Subtracted per channel (RGB) from values 0 to 1."""
    std: tuple[float, float, float]
    """Divided by, per channel, after that."""
    pooling: Pooling = "own"
    views: Views = "one"
    weights_licence: str = "unknown"
    """Licence of the starting weights."""
    made_from: str = ""
    """Digest of the classifier, or name of the weights, that the network comes from."""
    trained: dict[str, Any] = field(default_factory=dict)
    """How the projection was learned, where there is one."""

    @classmethod
    def of_classifier(
        cls, card: Card, made_from: str = "", pooling: Pooling = "own", views: Views = "one"
    ) -> EmbedderCard:
        """Describe the embedder that a classifier's network is."""
        return cls(
            architecture=card.architecture, options=card.options, outputs=len(card.classes),
            size=card.size, mean=card.mean, std=card.std, pooling=pooling, views=views,
            weights_licence=card.weights_licence, made_from=made_from,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Projection:
    """A linear map of embeddings: ``(vector − mean) @ matrix``."""

    mean: Vectors
    """Shape ``(components,)``."""
    matrix: Vectors
    """Shape ``(components, projected)``."""

    def __call__(self, vectors: Vectors) -> Vectors:
        """Project vectors; the results have length 1."""
        projected = (vectors - self.mean) @ self.matrix
        lengths = np.linalg.norm(projected, axis=1, keepdims=True)
        return np.asarray(projected / np.maximum(lengths, 1e-9), dtype=np.float32)


class _Features(nn.Module):
    """Pictures, uint8 ``(n, side, side, 3)``, to features of length 1."""

    def __init__(self, network: nn.Module, card: EmbedderCard) -> None:
        super().__init__()
        self.network, self.card = network, card

    def forward(self, batch: Tensor) -> tuple[Tensor, ...]:
        inputs = normalised(batch, self.card.mean, self.card.std)
        views = [functional.normalize(self.pooled(view)) for view in self.views(inputs)]
        return (functional.normalize(torch.stack(views).sum(dim=0)),)

    def views(self, inputs: Tensor) -> Iterator[Tensor]:
        """Give all views of pictures."""
        if self.card.views != "five":
            yield inputs
        if self.card.views == "flip":
            yield inputs.flip(3)
        if self.card.views == "five":
            side = self.card.size
            far = inputs.shape[2] - side
            for top, left in ((far // 2, far // 2), (0, 0), (0, far), (far, 0), (far, far)):
                yield inputs[:, :, top : top + side, left : left + side]

    def pooled(self, inputs: Tensor) -> Tensor:
        """Give one vector per picture."""
        network: Any = self.network
        found: Tensor = network.forward_features(inputs)
        if self.card.pooling == "own":
            own: Tensor = network.forward_head(found, pre_logits=True).flatten(1).float()
            return own
        cells = _cells(network, found).float()
        if self.card.pooling == "avg":
            return cells.mean(dim=1)
        if self.card.pooling == "max":
            return cells.amax(dim=1)
        return cells.clamp(min=1e-6).pow(_GEM).mean(dim=1).pow(1 / _GEM)


def _cells(network: Any, found: Tensor) -> Tensor:
    """Bring a feature map, or a transformer's tokens, to ``(n, cells, channels)``."""
    if found.ndim == 3:
        return found[:, getattr(network, "num_prefix_tokens", 0) :]
    is_last = str(getattr(network, "output_fmt", "NCHW")).endswith("NHWC")
    return found.flatten(1, 2) if is_last else found.flatten(2).transpose(1, 2)


class Embedder:
    """A network that turns pictures into vectors of length 1.

    Args:
        network: timm's contract.
        card: its input, and how a vector is made of its features.
        projection: applied to the features, where one was learned.
        runtime: runs the network, a name in `garim.models.runtime`; plain PyTorch by default.
    """

    def __init__(
        self,
        network: nn.Module,
        card: EmbedderCard,
        projection: Projection | None = None,
        runtime: str | None = None,
    ) -> None:
        self.network = network.eval()
        self.card = card
        self.projection = projection
        self._features = Prepared(_Features(network, card), runtime)

    @property
    def side(self) -> int:
        """Side of the squares that it takes, in pixels."""
        return round(self.card.size * _MARGIN) if self.card.views == "five" else self.card.size

    @property
    def device(self) -> torch.device:
        """Where the network computes."""
        return next(self.network.parameters()).device

    @cached_property
    def components(self) -> int:
        """Components of a vector."""
        return int(self(np.zeros((1, self.side, self.side, 3), np.uint8)).shape[1])

    def __call__(self, batch: Pixels, batch_size: int = 64) -> Vectors:
        """Embed RGB pictures, uint8 of shape ``(n, side, side, 3)``."""
        parts = [self._features(batch[i : i + batch_size])[0]
                 for i in range(0, len(batch), batch_size)]  # fmt: skip
        if not parts:
            return np.zeros((0, self.components), np.float32)
        found = np.concatenate(parts)
        return found if self.projection is None else self.projection(found)

    def with_runtime(self, runtime: str) -> Embedder:
        """Give an embedder of the same network, run by a runtime of `garim.models.runtime`."""
        return Embedder(self.network, self.card, self.projection, runtime)

    def projected(self, projection: Projection, trained: dict[str, Any]) -> Embedder:
        """Give an embedder whose vectors a projection is applied to."""
        card = replace(self.card, trained=trained)
        return Embedder(self.network, card, projection, self._features.runtime)

    def digest(self) -> str:
        """Name the embedder by all that its vectors depend on."""
        card = asdict(self.card)
        for told in ("weights_licence", "made_from", "trained"):  # change no vector
            del card[told]
        parts = () if self.projection is None else (self.projection.mean, self.projection.matrix)
        projected = [files.digest_of(part.astype(float).tolist()) for part in parts]
        return files.digest_of([folder.fingerprint(self.network), card, projected])

    def save(self, target: Path | str) -> None:
        """Write the embedder's folder; whole files only."""
        target = Path(target)
        target.mkdir(parents=True, exist_ok=True)
        folder.write_weights(target, self.network)
        if self.projection is not None:
            tensors = {name: torch.from_numpy(np.ascontiguousarray(value))
                       for name, value in asdict(self.projection).items()}  # fmt: skip
            files.write_bytes(target / PROJECTION, save(tensors, metadata={"format": "pt"}))
        folder.write_config(target, _to_config(self))


def load(source: Path | str) -> Embedder:
    """Open an embedder's folder; nothing in it is executed.

    Raises:
        ModelError: no folder of an embedder, or a part of it is broken.
    """
    source = Path(source)
    card = _read_card(source)
    network = create(card.architecture, card.outputs, card.options)
    folder.read_weights(source, network)
    return Embedder(network, card, _read_projection(source / PROJECTION))


def _read_projection(path: Path) -> Projection | None:
    if not path.exists():
        return None
    try:
        found = load_file(path)
        return Projection(found["mean"].numpy(), found["matrix"].numpy())
    except (SafetensorError, OSError, KeyError) as error:
        raise ModelError(f"{path}: cannot be read as a projection: {error}") from error


def _to_config(embedder: Embedder) -> dict[str, Any]:
    card = asdict(embedder.card)
    return {
        "architecture": card.pop("architecture"),
        "model_args": card.pop("options"),
        "num_classes": card.pop("outputs"),
        "garim": {
            "version": folder.VERSION,
            "task": "embed",
            "digest": embedder.digest(),
            "components": embedder.components,
            **card,
        },
    }


def _read_card(source: Path) -> EmbedderCard:
    config = folder.read_config(source, "embed")
    try:
        ours = config["garim"]
        pooling, views = ours["pooling"], ours["views"]
        if pooling not in get_args(Pooling) or views not in get_args(Views):
            raise ValueError(f"there is no pooling {pooling!r} or views {views!r}")
        return EmbedderCard(
            architecture=str(config["architecture"]),
            options=dict(config.get("model_args") or {}),
            outputs=int(config["num_classes"]),
            size=int(ours["size"]),
            mean=folder.triple(ours["mean"]),
            std=folder.triple(ours["std"]),
            pooling=pooling,
            views=views,
            weights_licence=ours.get("weights_licence", "unknown"),
            made_from=ours.get("made_from", ""),
            trained=dict(ours.get("trained") or {}),
        )
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        path = source / folder.CONFIG
        raise ModelError(f"{path}: does not describe a Garim embedder: {error!r}") from error
