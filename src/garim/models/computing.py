"""What models that compute with one network share: where it computes, and their name."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import torch
from torch import nn

from garim import files
from garim.models import folder


class Card(Protocol):
    """What the folder of a model with classes says about it; a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names by their numbers."""


C = TypeVar("C", bound=Card)


class Computing(Generic[C]):
    """A network with its card: classes and input."""

    network: nn.Module
    card: C

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names by their numbers."""
        return self.card.classes

    @property
    def device(self) -> torch.device:
        """Where the network computes."""
        first = next(self.network.parameters(), None)
        return torch.device("cpu") if first is None else first.device

    def to(self, device: str | torch.device) -> Self:
        """Move the network to a device."""
        self.network.to(device)
        return self

    def digest(self) -> str:
        """Name the model by its weights, classes and input."""
        return files.digest_of([folder.fingerprint(self.network), asdict(self.card)])

    def _write(self, target: Path | str, architecture: str, task: str, **more: Any) -> None:
        """Write the model's folder; whole files only."""
        target = Path(target)
        target.mkdir(parents=True, exist_ok=True)
        folder.write_weights(target, self.network)
        config = {
            "architecture": architecture,
            "num_classes": len(self.classes),
            "garim": {"version": folder.VERSION, "task": task, **more},
        }
        folder.write_config(target, config)
