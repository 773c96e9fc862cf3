"""How a detector is trained: what the user may set."""

from __future__ import annotations

from dataclasses import dataclass

from garim.augmentation.policies import POLICIES
from garim.errors import SettingsError
from garim.models.detector import NETWORKS
from garim.training.backbone_settings import BackboneTrainSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectTrainSettings(BackboneTrainSettings):
    """Settings of the training of a detector."""

    network: str = "fcos"
    """`fcos`; `faster-rcnn`, which takes longer; or `rtdetr`, a transformer with a backbone of its
    own (pip install 'garim[transformers]')."""
    backbone: str = "mobilenetv2_100"
    """Any timm network with feature maps at strides 8, 16 and 32 (faster-rcnn: 4 too)."""
    weights: str = "pretrained"
    """Starting weights of the backbone: a file, `pretrained` (timm's own) or `none`. Of rtdetr: a
    folder with its config.json and model.safetensors, or `none`."""
    frozen: int = 5
    """First parts of the backbone that keep their starting weights (MobileNetV2: of 9)."""
    size: int = 320
    """Longest side in pixels that pictures are brought to."""
    augment: str = "boxes"
    """Random changes of training pictures: a policy of `garim augment`, or `none`."""
    background: bool = False
    """Also learn that pictures without boxes show none of the objects."""
    epochs: int = 30
    """Passes over the training pictures."""
    batch: int = 8
    """Pictures per step, on all devices together."""
    learning_rate: float = 0.001
    """Largest step size of AdamW, one-cycle."""
    patience: int = 0
    """Stop after so many epochs without a better validation loss; 0 never."""
    validation: float = 0.1
    """Share of the training pictures held out, where the data has no validation split."""

    def check(self) -> None:
        """Raise a SettingsError with everything that cannot work."""
        problems = self.shared_problems({"size": 64, "patience": 0, "frozen": 0})
        for name, known in (("network", NETWORKS), ("augment", POLICIES)):
            if getattr(self, name) not in known:
                listed = ", ".join(known)
                problems.append(f"there is no {name} {getattr(self, name)!r}; known: {listed}")
        if problems:
            raise SettingsError(problems)
