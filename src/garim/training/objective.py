"""What a training is told and what comes of it, whatever the network and the task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What came of a training."""

    epochs: int
    """Epochs that were run."""
    metrics: dict[str, float]
    """Validation figures of the weights that were kept."""


class Schedule(Protocol):
    """What the loop must know of a training."""

    @property
    def epochs(self) -> int:
        """Passes over the training pictures."""

    @property
    def learning_rate(self) -> float:
        """Largest step size."""

    @property
    def weight_decay(self) -> float:
        """Decay of the weights."""

    @property
    def patience(self) -> int:
        """Epochs without a better validation loss before it stops; 0 never stops."""

    @property
    def devices(self) -> str:
        """Lightning's ``devices``; `placed` says what comes of them."""

    @property
    def precision(self) -> str:
        """Lightning's ``precision``."""


class Objective(Protocol):
    """What a training makes small, and what it is judged by; one for each task."""

    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        """Give the loss of a training batch, a scalar."""

    def figures(self, model: nn.Module, batch: Any) -> dict[str, Tensor]:
        """Give the figures of a validation batch, scalars; ``loss`` chooses the best epoch."""
