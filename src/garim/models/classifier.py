"""A trained classifier: a folder that says all it takes to use it.

``config.json`` follows timm's own layout, with what Garim adds under the key ``garim``, and the
weights are ``model.safetensors``; so ``timm.create_model("local-dir:FOLDER", pretrained=True)``
opens the same network.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from garim import files
from garim.errors import ModelError
from garim.models import folder
from garim.models.computing import Computing
from garim.models.localizer import Localizer, feature_maps, load_localizer, save_localizer
from garim.models.networks import create
from garim.models.runtime import Outputs, Prepared
from garim.pictures import Pixels

LOCALIZER = "localizer.safetensors"
"""File of the localizer in a classifier's folder, where there is one."""

Scores = NDArray[np.float32]
"""Class probabilities at the model's temperature, shape ``(n, classes)``; each row sums to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a classifier's folder says about it."""

    architecture: str
    options: dict[str, Any] = field(default_factory=dict)
    """More arguments for the network's builder."""
    classes: tuple[str, ...]
    size: int
    """Side of the square input in pixels; pictures are resized to it without keeping aspect."""
    mean: tuple[float, float, float]
    """Subtracted per channel (RGB) from values 0 to 1."""
    std: tuple[float, float, float]
    """Divided by, per channel, after that."""
    temperature: float = 1.0
    """The logits are divided by it before they become probabilities (Guo et al. 2017)."""
    weights_licence: str = "unknown"
    """Licence of the starting weights."""
    dataset: str = ""
    """Fingerprint of the dataset that it was trained on."""
    trained: dict[str, Any] = field(default_factory=dict)
    """Settings of the training."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Figures on the validation split."""
    folds: int = 0
    """Networks under ``folds/`` that have each not seen one part of the training pictures."""
    fold_of: dict[str, int] = field(default_factory=dict)
    """Digest of each training picture → the fold whose network has not seen it."""


def normalised(batch: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Turn RGB pictures, uint8 ``(n, height, width, 3)``, into float ``(n, 3, height, width)``.

    The result is laid out channels-last, which convolutions on a CPU and on tensor cores prefer.
    """
    values = batch.float().div_(255.0)
    centre = torch.tensor(mean, device=batch.device)
    return values.sub_(centre).div_(torch.tensor(std, device=batch.device)).permute(0, 3, 1, 2)


class Scoring(nn.Module):
    """Pictures, uint8 ``(n, size, size, 3)``, to class probabilities ``(n, classes)``."""

    def __init__(self, network: nn.Module, card: Card) -> None:
        super().__init__()
        self.network, self.card = network, card

    def forward(self, batch: Tensor) -> tuple[Tensor, ...]:
        """Normalise, run the network, and apply the temperature."""
        inputs = normalised(batch, self.card.mean, self.card.std)
        logits = self.network(inputs).float()
        return ((logits / self.card.temperature).softmax(dim=1),)


class _Seeing(nn.Module):
    """Pictures, uint8 ``(n, side, side, 3)``, to what the localizer says about their cells."""

    def __init__(self, network: nn.Module, card: Card, localizer: Localizer) -> None:
        super().__init__()
        self.network, self.card, self.localizer = network, card, localizer

    def forward(self, batch: Tensor) -> tuple[Tensor, ...]:
        inputs = normalised(batch, self.card.mean, self.card.std)
        found = self.localizer(feature_maps(self.network, inputs) or [])
        return tuple(found) if isinstance(found, list | tuple) else (found,)


class Classifier(Computing[Card]):
    """A network with its classes and its input, ready to score pictures.

    Args:
        network: timm's contract.
        card: classes and input.
        folds: classifiers that have each not seen one part of the training pictures.
        localizer: says where each class is; None where there is none.
        runtime: runs the network, a name in `garim.models.runtime`; plain PyTorch by default.
    """

    def __init__(
        self,
        network: nn.Module,
        card: Card,
        folds: Sequence[Classifier] = (),
        localizer: Localizer | None = None,
        runtime: str | None = None,
    ) -> None:
        self.network = network.eval()
        self.card = card
        self.folds = tuple(folds)
        self.localizer = localizer
        self.runtime = runtime

    def to(self, device: str | torch.device) -> Self:
        """Move the network, its localizer, and the networks of its folds to a device."""
        super().to(device)
        for fold in self.folds:
            fold.to(device)
        if self.localizer is not None:
            self.localizer.to(device)
        return self

    def with_runtime(self, runtime: str) -> Classifier:
        """Give a classifier of the same networks, run by a runtime of `garim.models.runtime`.

        What has been compiled for the runtime is kept with it: use it again for more pictures.
        """
        if runtime == self.runtime:
            return self
        other = copy.copy(self)
        other.runtime = runtime
        other.folds = tuple(fold.with_runtime(runtime) for fold in self.folds)
        for made in ("_scoring", "_seeing"):
            other.__dict__.pop(made, None)
        return other

    @cached_property
    def _scoring(self) -> Prepared:
        return Prepared(Scoring(self.network, self.card), self.runtime)

    @cached_property
    def _seeing(self) -> Prepared:
        if self.localizer is None:
            raise ModelError("this model has no localizer; train a network that has feature maps")
        return Prepared(_Seeing(self.network, self.card, self.localizer), self.runtime)

    def scores(self, batch: Pixels, batch_size: int = 64) -> Scores:
        """Score RGB pictures, uint8 of shape ``(n, size, size, 3)``: shape ``(n, classes)``."""
        parts = [self._scoring(batch[i : i + batch_size])[0]
                 for i in range(0, len(batch), batch_size)]  # fmt: skip
        return np.concatenate(parts) if parts else np.zeros((0, len(self.classes)), np.float32)

    def localized(self, batch: Pixels) -> Outputs:
        """Give the localizer's outputs for RGB pictures, uint8 ``(n, side, side, 3)``.

        Raises:
            ModelError: there is no localizer.
        """
        return self._seeing(batch)

    def unbiased(self, digest: str) -> Classifier:
        """Give the network that has not seen a picture in training: its fold's, or this one."""
        fold = self.card.fold_of.get(digest)
        return self.folds[fold] if fold is not None and self.folds else self

    def digest(self) -> str:
        """Name the classifier by its weights, classes and input, and by its localizer."""
        where = None if self.localizer is None else folder.fingerprint(self.localizer)
        return files.digest_of([folder.fingerprint(self.network), where, asdict(self.card)])

    def save(self, target: Path | str) -> None:
        """Write the classifier's folder; whole files only."""
        target = Path(target)
        target.mkdir(parents=True, exist_ok=True)
        folder.write_weights(target, self.network)
        for number, fold in enumerate(self.folds):
            fold.save(target / "folds" / str(number))
        if self.localizer is not None:
            save_localizer(self.localizer, target / LOCALIZER)
        folder.write_config(target, _to_config(self.card, self.network))


def load(source: Path | str) -> Classifier:
    """Open a classifier's folder; nothing in it is executed.

    Raises:
        ModelError: no folder of a classifier, or a part of it is broken.
    """
    source = Path(source)
    card = read_card(source)
    network = create(card.architecture, len(card.classes), card.options)
    folder.read_weights(source, network)
    folds = [load(source / "folds" / str(number)) for number in range(card.folds)]
    localizer = load_localizer(source / LOCALIZER) if (source / LOCALIZER).exists() else None
    return Classifier(network, card, folds, localizer)


def read_card(source: Path) -> Card:
    """Read what a classifier's folder says about it.

    Raises:
        ModelError: no ``config.json``, or it does not describe a classifier.
    """
    config = folder.read_config(source, "classify")
    try:
        ours, given = config["garim"], config["pretrained_cfg"]
        return Card(
            architecture=str(config["architecture"]),
            options=dict(config.get("model_args") or {}),
            classes=folder.names(ours["classes"]),
            size=int(given["input_size"][-1]),
            mean=folder.triple(given["mean"]),
            std=folder.triple(given["std"]),
            temperature=_temperature(ours.get("temperature", 1.0)),
            weights_licence=ours.get("weights_licence", "unknown"),
            dataset=ours.get("dataset", ""),
            trained=ours.get("trained") or {},
            metrics=dict(ours.get("metrics") or {}),
            folds=int(ours.get("folds") or 0),
            fold_of=dict(ours.get("fold_of") or {}),
        )
    except (KeyError, TypeError, ValueError, OverflowError, IndexError, AttributeError) as error:
        path = source / folder.CONFIG
        raise ModelError(f"{path}: does not describe a Garim classifier: {error!r}") from error


def _temperature(value: Any) -> float:
    temperature = float(value)
    if not 0 < temperature < float("inf"):
        raise ValueError(f"the temperature must be above 0, not {temperature}")
    return temperature


def _to_config(card: Card, network: nn.Module) -> dict[str, Any]:
    known = getattr(network, "pretrained_cfg", None) or {}
    return {
        "architecture": card.architecture,
        "num_classes": len(card.classes),
        "num_features": getattr(network, "num_features", None),
        "pretrained_cfg": {
            "input_size": [3, card.size, card.size],
            # timm then builds a transformer for this size, not for the one it was published with
            "fixed_input_size": bool(known.get("fixed_input_size")),
            "mean": list(card.mean),
            "std": list(card.std),
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "crop_mode": "squash",
            "num_classes": len(card.classes),
            "first_conv": known.get("first_conv"),
            "classifier": known.get("classifier"),
            "label_names": list(card.classes),
        },
        "model_args": card.options,
        "garim": {
            "version": folder.VERSION,
            "task": "classify",
            "classes": list(card.classes),
            "temperature": card.temperature,
            "weights_licence": card.weights_licence,
            "dataset": card.dataset,
            "trained": card.trained,
            "metrics": card.metrics,
            "folds": card.folds,
            "fold_of": card.fold_of,
        },
    }
