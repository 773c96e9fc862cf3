"""How a detector is trained: what the user may set."""

from __future__ import annotations

from dataclasses import dataclass

from garim.augmentation.policies import POLICIES
from garim.errors import SettingsError
from garim.models.detector import NETWORKS
from garim.training.settings import PRECISIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectTrainSettings:
    """Settings of the training of a detector."""

    network: str = "fcos"
    """`fcos`, or `faster-rcnn`, which takes longer."""
    backbone: str = "mobilenetv2_100"
    """Any timm network with feature maps at strides 8, 16 and 32 (faster-rcnn: 4 too)."""
    weights: str = "pretrained"
    """Starting weights of the backbone: a file, `pretrained` (timm's own) or `none`."""
    weights_licence: str = "unknown"
    """Licence of the weights file, noted in the model's folder."""
    accept_non_commercial: bool = False
    """Use weights whose licence forbids commercial use."""
    network_options: tuple[str, ...] = ()
    """More arguments of the backbone as name=value, such as pad_type=same."""
    frozen: int = 5
    """First parts of the backbone that keep their starting weights (MobileNetV2: of 9)."""
    size: int = 320
    """Longest side in pixels that pictures are brought to."""
    mean: float | None = None
    """Subtracted from values 0 to 1. Default: the backbone's own, per channel."""
    std: float | None = None
    """Divided by after that. Default: the backbone's own, per channel."""
    augment: str = "boxes"
    """Random changes of training pictures: a policy of `garim augment`, or `none`."""
    background: bool = False
    """Also learn that pictures without boxes show none of the objects."""
    epochs: int = 30
    """Passes over the training pictures."""
    batch: int = 8
    """Pictures per step."""
    learning_rate: float = 0.001
    """Largest step size of AdamW, one-cycle."""
    weight_decay: float = 0.0001
    """AdamW's decay of the weights."""
    patience: int = 0
    """Stop after so many epochs without a better validation loss; 0 never."""
    validation: float = 0.1
    """Share of the training pictures held out, where the data has no validation split."""
    seed: int = 0
    """Same seed, same data, same machine: same model."""
    devices: str = "auto"
    """Lightning's `devices`: auto, a count, or a list."""
    precision: str = "32-true"
    """Lightning's `precision`: 32-true, bf16-mixed, 16-mixed."""

    def check(self) -> None:
        """Raise a SettingsError with everything that cannot work."""
        problems = [
            f"{name} must be at least {least}, not {getattr(self, name)}"
            for name, least in (("size", 64), ("epochs", 1), ("batch", 1), ("patience", 0),
                                ("weight_decay", 0), ("seed", 0), ("frozen", 0))
            if not getattr(self, name) >= least
        ]  # fmt: skip
        if not self.learning_rate > 0:
            problems.append(f"learning_rate must be above 0, not {self.learning_rate}")
        if self.std is not None and not self.std > 0:
            problems.append(f"std must be above 0, not {self.std}")
        if not 0 < self.validation < 0.9:
            problems.append(f"validation must be above 0 and below 0.9, not {self.validation}")
        for name, known in (
            ("network", NETWORKS),
            ("augment", POLICIES),
            ("precision", PRECISIONS),
        ):
            if getattr(self, name) not in known:
                listed = ", ".join(known)
                problems.append(f"there is no {name} {getattr(self, name)!r}; known: {listed}")
        if problems:
            raise SettingsError(problems)
