"""How a segmenter is trained: what the user may set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from garim.errors import SettingsError
from garim.models.networks.segmentation import SEGMENTERS
from garim.training.masks import VOID
from garim.training.settings import PRECISIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentTrainSettings:
    """Settings of the training of a segmenter."""

    network: str = "deeplabv3plus"
    """`fcn32s`, `fcn16s`, `fcn8s` or `deeplabv3plus`."""
    backbone: str = "mobilenetv2_100"
    """Any timm network with feature maps; vgg16 is the one of the FCN paper."""
    weights: str | None = None
    """Starting weights of the backbone: a file, `pretrained` (timm's own) or `none`. Default:
    pretrained, or none for a network of Garim's own."""
    weights_licence: str = "unknown"
    """Licence of the weights file, noted in the model's folder."""
    accept_non_commercial: bool = False
    """Use weights whose licence forbids commercial use."""
    network_options: tuple[str, ...] = ()
    """More arguments of the backbone as name=value, such as pad_type=same."""
    mask_classes: tuple[str, ...] = ()
    """Names of the masks' values 0, 1, 2 … Default: as `classes.txt` or the dataset says."""
    void: int = VOID
    """Value of pixels that are neither learned nor judged; -1 for none."""
    size: int = 320
    """Side in pixels of the square crops that are trained on, and of the windows in prediction."""
    longest: int | None = None
    """Longest side in pixels that pictures are brought to; 0 leaves them. Default: `size`."""
    mean: float | None = None
    """Subtracted from values 0 to 1. Default: the backbone's own, per channel."""
    std: float | None = None
    """Divided by after that. Default: the backbone's own, per channel."""
    jitter: float = 1.5
    """Crops are enlarged or shrunk by up to this factor, at random; 1 for not at all."""
    flip: bool = True
    """Mirror half of the crops."""
    light: bool = True
    """Change brightness and contrast of the crops at random."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced`: pixels of rare classes count more (by the root of their rarity, 5 at most)."""
    epochs: int = 40
    """Passes over the training pictures."""
    batch: int = 8
    """Crops per step."""
    learning_rate: float = 0.001
    """Largest step size of AdamW, one-cycle."""
    weight_decay: float = 0.0001
    """AdamW's decay of the weights."""
    patience: int = 15
    """Stop after so many epochs without a better validation loss; 0 never."""
    validation: float = 0.15
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
            f"{name} must be at least {least}, not {value}"
            for name, least in (("size", 32), ("epochs", 1), ("batch", 1), ("jitter", 1),
                                ("patience", 0), ("weight_decay", 0), ("seed", 0), ("longest", 0))
            if (value := getattr(self, name)) is not None and not value >= least
        ]  # fmt: skip
        if not self.learning_rate > 0:
            problems.append(f"learning_rate must be above 0, not {self.learning_rate}")
        if self.std is not None and not self.std > 0:
            problems.append(f"std must be above 0, not {self.std}")
        if not 0 < self.validation < 0.9:
            problems.append(f"validation must be above 0 and below 0.9, not {self.validation}")
        if not -1 <= self.void <= 255:
            problems.append(f"void must be a value from 0 to 255, or -1, not {self.void}")
        if self.network not in SEGMENTERS:
            problems.append(f"there is no network {self.network!r}; known: {', '.join(SEGMENTERS)}")
        if self.network == "deeplabv3plus" and self.batch == 1:
            problems.append("batch must be at least 2 with deeplabv3plus, which has batch norm")
        if self.precision not in PRECISIONS:
            known = ", ".join(PRECISIONS)
            problems.append(f"there is no precision {self.precision!r}; known: {known}")
        if problems:
            raise SettingsError(problems)
