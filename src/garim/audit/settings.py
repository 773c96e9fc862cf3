"""What an audit looks for, and from where on something is an issue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from garim.errors import SettingsError, seed_problems
from garim.training import TrainSettings

ANY = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """Settings of an audit. Scores are 0 to 1, lower is worse; thresholds are scores."""

    only: tuple[str, ...] = ()
    """Only these checks; all by default."""
    skip: tuple[str, ...] = ()
    """Leave out these checks."""
    fail_on: tuple[str, ...] = ()
    """Checks whose issues make the exit status 1; `any` for all."""
    dark: float = 0.25
    """A picture is dark when 99 % of its pixels are darker than this share of white."""
    bright: float = 0.1
    """A picture is bright when 99 % of its pixels are this near to white, as a share."""
    blurry: float = 0.35
    """A picture is blurry when its sharpness (1 − blur effect, Crété-Roffet 2007) is lower."""
    low_information: float = 0.12
    """A picture says little when the entropy of its grey values, as a share of 8 bits, is lower."""
    odd_size: float = 0.2
    """Side, as a share of the usual one (or the usual one as a share of it)."""
    odd_aspect: float = 0.35
    """Shorter side as a share of the longer."""
    odd_mode: float = 0.05
    """A colour mode is odd when a smaller share of the pictures has it."""
    imbalance: float = 0.1
    """A class is small when it has a smaller share of the pictures of the largest class."""
    outlier: float = 0.45
    """How usual a picture's distance to its neighbours is: 1 up to the upper tenth, .5 twice as
    far out."""
    tiny_box: float = 0.01
    """Shorter side of a box as a share of the picture's shorter side."""
    box_outside: float = 0.98
    """Share of a box that must be inside the picture."""
    weights: str | None = None
    """Starting weights for the checks that need a network: a file, or `pretrained` (timm's own).
    Without them, and without a model, these checks are skipped."""
    backbone: str | None = None
    """Network that the weights are for. Default: mobilenetv2_100."""
    network_options: tuple[str, ...] = ()
    """More arguments of the network as name=value, such as pad_type=same."""
    size: int | None = None
    """Side of the network's input in pixels. Default: the network's own."""
    mean: float | None = None
    """Subtracted from values 0 to 1. Default: the network's own, per channel."""
    std: float | None = None
    """Divided by after that. Default: the network's own, per channel."""
    accept_non_commercial: bool = False
    """Use weights whose licence forbids commercial use."""
    folds: int = 5
    """Parts that the pictures are dealt into, so that none is judged by what has seen it."""
    seed: int = 0
    """Same seed, same folds."""

    def check(self, known: Sequence[str]) -> None:
        """Report every setting that cannot work.

        Raises:
            SettingsError: an unknown check, a threshold outside 0 to 1, too few folds, or no seed.
        """
        problems = [
            f"there is no check {name!r}; known: {', '.join(known)}"
            for name in (*self.only, *self.skip, *self.fail_on)
            if name not in known and (name != ANY or name not in self.fail_on)
        ]
        problems += [
            f"{name} must be from 0 to 1, not {getattr(self, name)}"
            for name in THRESHOLDS
            if not 0 <= getattr(self, name) <= 1
        ]
        problems += seed_problems(self.seed)
        if self.folds < 2:
            problems.append(f"folds must be at least 2, not {self.folds}")
        if problems:
            raise SettingsError(problems)

    def network(self) -> TrainSettings:
        """Give the settings of the network that the features come from."""
        return TrainSettings(
            backbone=self.backbone,
            weights=self.weights,
            network_options=self.network_options,
            size=self.size,
            mean=self.mean,
            std=self.std,
            accept_non_commercial=self.accept_non_commercial,
        )


THRESHOLDS = tuple(one.name for one in fields(AuditSettings) if one.type == "float")
