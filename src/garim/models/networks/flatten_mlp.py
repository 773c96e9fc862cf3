"""A backbone whose whole feature map is flattened into two dense layers.

The head of many Keras tutorials: ``Flatten → Dense(256, relu) → Dropout → Dense(classes)``. Unlike
pooling it keeps where things are, and fixes the input size.
"""

from __future__ import annotations

from typing import Any

import timm
import torch
from timm.models import build_model_with_cfg
from torch import Tensor, nn


class FlattenMLP(nn.Module):
    """A timm backbone with a flattened two-layer head.

    Args:
        backbone: name of the timm network that gives the feature map.
        num_classes: classes; 0 gives the hidden layer instead of scores.
        in_chans: channels of the picture.
        input_size: side of the square picture in pixels.
        hidden: units of the hidden layer.
        drop_rate: dropout between the layers, 0 to 1.
        backbone_options: more arguments for the backbone.
    """

    def __init__(
        self,
        backbone: str = "vgg16",
        num_classes: int = 10,
        in_chans: int = 3,
        input_size: int = 150,
        hidden: int = 256,
        drop_rate: float = 0.3,
        backbone_options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.backbone = timm.create_model(
            backbone,
            features_only=True,
            out_indices=(-1,),
            in_chans=in_chans,
            **(backbone_options or {}),
        )
        self.num_features = self.head_hidden_size = hidden
        self.hidden = nn.Linear(self._flat_size(in_chans, input_size), hidden)
        self.act = nn.ReLU()
        self.drop = nn.Dropout(drop_rate)
        self.classifier: nn.Module = nn.Identity()
        self.reset_classifier(num_classes)

    def _flat_size(self, in_chans: int, side: int) -> int:
        self.backbone.eval()
        with torch.no_grad():
            found = self.forward_features(torch.zeros(1, in_chans, side, side))
        self.backbone.train()
        return found.numel()

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
        """Give the backbone's last feature map, shape ``(n, channels, rows, columns)``."""
        features: Tensor = self.backbone(x)[-1]
        return features

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Score a feature map, shape ``(n, num_classes)``."""
        hidden: Tensor = self.drop(self.act(self.hidden(x.flatten(1))))
        if pre_logits:
            return hidden
        scores: Tensor = self.classifier(hidden)
        return scores

    def forward(self, x: Tensor) -> Tensor:
        """Score pictures of shape ``(n, channels, side, side)``."""
        return self.forward_head(self.forward_features(x))


default_cfgs: dict[str, dict[str, Any]] = {
    "flatten_mlp": {
        "url": "",
        "num_classes": 10,
        "input_size": (3, 150, 150),
        "interpolation": "bilinear",
        "crop_pct": 1.0,
        "mean": (0.0, 0.0, 0.0),
        "std": (1.0, 1.0, 1.0),
        "first_conv": "",
        "classifier": "classifier",
    }
}
"""What timm wants to know about a network; weights of the backbone are loaded apart."""


def flatten_mlp(pretrained: bool = False, **options: Any) -> FlattenMLP:
    """Build the network; weights of the backbone are loaded apart."""
    model: FlattenMLP = build_model_with_cfg(FlattenMLP, "flatten_mlp", pretrained, **options)
    return model
