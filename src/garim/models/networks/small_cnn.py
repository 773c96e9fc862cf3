"""A small convolutional classifier for small pictures, trained from scratch on a CPU."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise
from typing import Any

from timm.models import build_model_with_cfg
from torch import Tensor, nn


def _stage(inputs: int, outputs: int) -> nn.Sequential:
    """A 3 × 3 convolution at full resolution, then the maximum of each 2 × 2 cells."""
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            norm=nn.BatchNorm2d(outputs),
            act=nn.ReLU(inplace=True),
            pool=nn.MaxPool2d(2),
        )
    )


class SmallCNN(nn.Module):
    """Four stages of convolution and pooling, global average pooling, one linear layer.

    Follows timm's contract: ``forward_features`` gives the last feature map, ``forward_head`` the
    class scores.

    Args:
        num_classes: classes; 0 gives pooled features instead of scores.
        in_chans: channels of the picture.
        width: channels of the first stage; two, four and six times as many in the others.
        drop_rate: dropout before the linear layer, 0 to 1.
    """

    def __init__(
        self, num_classes: int = 10, in_chans: int = 3, width: int = 32, drop_rate: float = 0.0
    ) -> None:
        super().__init__()
        channels = [in_chans, width, 2 * width, 4 * width, 6 * width]
        pairs = pairwise(channels)
        self.stages = nn.Sequential(*(_stage(a, b) for a, b in pairs))
        self.num_features = self.head_hidden_size = channels[-1]
        self.drop = nn.Dropout(drop_rate)
        self.classifier: nn.Module = nn.Identity()
        self.reset_classifier(num_classes)

    def get_classifier(self) -> nn.Module:
        """Give the last layer."""
        return self.classifier

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the last layer by a new one for ``num_classes`` classes."""
        self.num_classes = num_classes
        self.classifier = (
            nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()
        )

    def forward_features(self, x: Tensor) -> Tensor:
        """Give the feature map, shape ``(n, channels, height / 16, width / 16)``."""
        result: Tensor = self.stages(x)
        return result

    def forward_intermediates(
        self, x: Tensor, intermediates_only: bool = True, **options: Any
    ) -> list[Tensor]:
        """Give the feature map of every stage, finest first."""
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Pool a feature map and score it, shape ``(n, num_classes)``."""
        pooled: Tensor = self.drop(x.mean(dim=(2, 3)))
        if pre_logits:
            return pooled
        scores: Tensor = self.classifier(pooled)
        return scores

    def forward(self, x: Tensor) -> Tensor:
        """Score pictures of shape ``(n, channels, height, width)``."""
        return self.forward_head(self.forward_features(x))


default_cfgs: dict[str, dict[str, Any]] = {
    "small_cnn": {
        "url": "",
        "num_classes": 10,
        "input_size": (3, 64, 64),
        "pool_size": (4, 4),
        "interpolation": "bilinear",
        "crop_pct": 1.0,
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
        "first_conv": "stages.0.conv",
        "classifier": "classifier",
        "license": "apache-2.0",
    }
}
"""What timm wants to know about a network; there are no pretrained weights."""


def small_cnn(pretrained: bool = False, **options: Any) -> SmallCNN:
    """Build the network; it has no pretrained weights."""
    model: SmallCNN = build_model_with_cfg(SmallCNN, "small_cnn", pretrained, **options)
    return model
