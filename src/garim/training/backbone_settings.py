"""What may be set in every training of masks or boxes on top of a backbone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from garim.errors import seed_problems
from garim.training.processes import device_problems
from garim.training.settings import PRECISIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneTrainSettings:
    """Settings that these trainings share; each adds its own, and its own defaults."""

    epochs: int
    batch: int
    learning_rate: float
    validation: float
    weights_licence: str = "unknown"
    """Licence of the weights file, noted in the model's folder."""
    accept_non_commercial: bool = False
    """Use weights whose licence forbids commercial use."""
    network_options: tuple[str, ...] = ()
    """More arguments of the backbone as name=value, such as pad_type=same."""
    mean: float | None = None
    """Subtracted from values 0 to 1. Default: the backbone's own, per channel."""
    std: float | None = None
    """Divided by after that. Default: the backbone's own, per channel."""
    weight_decay: float = 0.0001
    """AdamW's decay of the weights."""
    seed: int = 0
    """Same seed, same data, same machine: same model."""
    devices: str = "auto"
    """Lightning's `devices`: auto (what torchrun or srun started, else all), a count, or a list."""
    precision: str = "32-true"
    """Lightning's `precision`: 32-true, bf16-mixed, 16-mixed."""

    def shared_problems(self, least: Mapping[str, float]) -> list[str]:
        """List what cannot work in the settings that all share.

        Args:
            least: least values of more settings, by their names; None is allowed for them.
        """
        least = {"epochs": 1, "batch": 1, "weight_decay": 0, **least}
        problems = seed_problems(self.seed)
        problems += [
            f"{name} must be at least {low}, not {value}"
            for name, low in least.items()
            if (value := getattr(self, name)) is not None and not value >= low
        ]
        if not self.learning_rate > 0:
            problems.append(f"learning_rate must be above 0, not {self.learning_rate}")
        if self.std is not None and not self.std > 0:
            problems.append(f"std must be above 0, not {self.std}")
        if not 0 < self.validation < 0.9:
            problems.append(f"validation must be above 0 and below 0.9, not {self.validation}")
        if self.precision not in PRECISIONS:
            known = ", ".join(PRECISIONS)
            problems.append(f"there is no precision {self.precision!r}; known: {known}")
        return problems + device_problems(self.devices)
