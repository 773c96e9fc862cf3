"""A trained upscaler: a network that enlarges pictures, and a folder that says all about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from garim.errors import ModelError
from garim.models import folder
from garim.models.networks.compact import Compact
from garim.models.networks.upscale_document import Document
from garim.resizing import Values

UPSCALERS: dict[str, Callable[..., nn.Module]] = {
    "compact": Compact,  # residual over bicubic, works at low resolution
    "document": Document,  # the document's: one transposed convolution, two convolutions
}
"""Networks that enlarge, by their name. Each has a ``scale``, a ``margin``, and ``merge()``, which
gives the form that is saved."""

TILE = 256
"""Side of the tiles that a large picture is enlarged in, in its pixels."""

SHIPPED = "compact_x2"
"""Folder of the weights that come with the package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpscalerCard:
    """What an upscaler's folder says about it."""

    architecture: str
    """A name in `UPSCALERS`."""
    options: dict[str, Any] = field(default_factory=dict)
    """More arguments for the network's builder."""
    scale: int = 2
    """How many times larger the result is along each side."""
    licence: str = "unknown"
    """Licence of the weights."""
    dataset: str = ""
    """Fingerprint of the dataset that it was trained on, or what it was in words."""
    trained: dict[str, Any] = field(default_factory=dict)
    """Settings of the training."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Figures on the pictures that were held out."""


class Upscaler:
    """A network that enlarges pictures of any size.

    Args:
        network: ``(n, 3, h, w)`` to ``(n, 3, scale·h, scale·w)``, values 0 to 1; its ``margin`` is
            how far it looks around each pixel.
        card: what it is.
        tile: side of the tiles that large pictures are enlarged in.
    """

    def __init__(self, network: nn.Module, card: UpscalerCard, tile: int = TILE) -> None:
        self.network = network.eval().to(memory_format=torch.channels_last)
        self.card = card
        self.tile = tile

    @property
    def scale(self) -> int:
        """How many times larger the result is along each side."""
        return self.card.scale

    def to(self, device: str | torch.device) -> Upscaler:
        """Move the network to a device."""
        self.network.to(device)
        return self

    def enlarge(self, values: Values) -> Values:
        """Enlarge RGB values 0 to 1, tile by tile: memory for one tile, and no seams.

        Each tile is enlarged with as much of its surroundings as the network looks at, so that the
        whole picture at once would give the same.
        """
        height, width = values.shape[:2]
        scale, margin = self.scale, int(self.network.margin)  # type: ignore[arg-type]
        result = np.empty((scale * height, scale * width, 3), np.float32)
        for top in range(0, height, self.tile):
            for left in range(0, width, self.tile):
                bottom, right = min(top + self.tile, height), min(left + self.tile, width)
                above, before = max(top - margin, 0), max(left - margin, 0)
                part = self._run(values[above : bottom + margin, before : right + margin])
                rows = slice(scale * (top - above), scale * (bottom - above))
                columns = slice(scale * (left - before), scale * (right - before))
                place = (slice(scale * top, scale * bottom), slice(scale * left, scale * right))
                result[place] = part[rows, columns]
        return result

    @torch.inference_mode()
    def _run(self, values: Values) -> Values:
        first = next(self.network.parameters(), None)
        device = torch.device("cpu") if first is None else first.device
        batch = torch.from_numpy(np.ascontiguousarray(values))[None].to(device)
        enlarged = self.network(batch.permute(0, 3, 1, 2))[0].float().clamp(0, 1)
        found: Values = enlarged.permute(1, 2, 0).cpu().numpy()
        return found

    def save(self, target: Path | str) -> None:
        """Write the upscaler's folder; whole files only."""
        target = Path(target)
        target.mkdir(parents=True, exist_ok=True)
        folder.write_weights(target, self.network)
        folder.write_config(target, _to_config(self.card))


def create_upscaler(
    name: str, scale: int, options: Mapping[str, Any] | None = None, *, learning: bool = False
) -> nn.Module:
    """Build a network with random weights.

    Args:
        name: one of `UPSCALERS`.
        scale: how many times larger the result is along each side, 2 to 4.
        options: more arguments for the network, such as ``{"width": 32}``.
        learning: in the form that is trained; ``merge()`` then gives the one that is saved.

    Raises:
        ModelError: no such network, or it refuses an option.
    """
    if name not in UPSCALERS:
        raise ModelError(f"there is no upscaler {name!r}; known: {', '.join(UPSCALERS)}")
    if not 2 <= scale <= 4:
        raise ModelError(f"an upscaler's scale is 2, 3 or 4, not {scale}")
    try:
        return UPSCALERS[name](scale=scale, learning=learning, **(options or {}))
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise ModelError(
            f"upscaler {name!r} with options {dict(options or {})}: {error}"
        ) from error


def load(source: Path) -> Upscaler:
    """Open an upscaler's folder; nothing in it is executed.

    Raises:
        ModelError: no folder of an upscaler, or a part of it is broken.
    """
    config = folder.read_config(source, "upscale")
    try:
        ours = config["garim"]
        card = UpscalerCard(
            architecture=str(config["architecture"]),
            options=dict(config.get("model_args") or {}),
            scale=int(ours["scale"]),
            licence=str(ours.get("licence", "unknown")),
            dataset=str(ours.get("dataset", "")),
            trained=dict(ours.get("trained") or {}),
            metrics=dict(ours.get("metrics") or {}),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        path = source / folder.CONFIG
        raise ModelError(f"{path}: does not describe a Garim upscaler: {error!r}") from error
    network = create_upscaler(card.architecture, card.scale, card.options)
    folder.read_weights(source, network)
    return Upscaler(network, card)


def shipped() -> Upscaler:
    """Open the ×2 weights that come with the package.

    Raises:
        ModelError: the package was installed without them.
    """
    with resources.as_file(resources.files("garim.models") / "shipped" / SHIPPED) as source:
        return load(source)


def _to_config(card: UpscalerCard) -> dict[str, Any]:
    return {
        "architecture": card.architecture,
        "model_args": card.options,
        "garim": {
            "version": folder.VERSION,
            "task": "upscale",
            "scale": card.scale,
            "licence": card.licence,
            "dataset": card.dataset,
            "trained": card.trained,
            "metrics": card.metrics,
        },
    }
