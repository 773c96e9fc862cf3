"""How a segmenter is trained: what the user may set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from garim.errors import SettingsError
from garim.models.networks.segmentation import SEGMENTERS
from garim.training.backbone_settings import BackboneTrainSettings
from garim.training.masks import VOID


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentTrainSettings(BackboneTrainSettings):
    """Settings of the training of a segmenter."""

    network: str = "deeplabv3plus"
    """`fcn32s`, `fcn16s`, `fcn8s` or `deeplabv3plus`."""
    backbone: str = "mobilenetv2_100"
    """Any timm network with feature maps; vgg16 is the one of the FCN paper."""
    weights: str | None = None
    """Starting weights of the backbone: a file, `pretrained` (timm's own) or `none`. Default:
    pretrained, or none for a network of Garim's own."""
    mask_classes: tuple[str, ...] = ()
    """Names of the masks' values 0, 1, 2 … Default: as `classes.txt` or the dataset says."""
    void: int = VOID
    """Value of pixels that are neither learned nor judged; -1 for none."""
    size: int = 320
    """Side in pixels of the square crops that are trained on, and of the windows in prediction."""
    longest: int | None = None
    """Longest side in pixels that pictures are brought to; 0 leaves them. Default: `size`."""
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
    """Crops per step, on all devices together."""
    learning_rate: float = 0.001
    """Largest step size of AdamW, one-cycle."""
    patience: int = 15
    """Stop after so many epochs without a better validation loss; 0 never."""
    validation: float = 0.15
    """Share of the training pictures held out, where the data has no validation split."""

    def check(self) -> None:
        """Raise a SettingsError with everything that cannot work."""
        problems = self.shared_problems({"size": 32, "jitter": 1, "patience": 0, "longest": 0})
        if not -1 <= self.void <= 255:
            problems.append(f"void must be a value from 0 to 255, or -1, not {self.void}")
        if self.network not in SEGMENTERS:
            problems.append(f"there is no network {self.network!r}; known: {', '.join(SEGMENTERS)}")
        if self.network == "deeplabv3plus" and self.batch == 1:
            problems.append("batch must be at least 2 with deeplabv3plus, which has batch norm")
        if problems:
            raise SettingsError(problems)
