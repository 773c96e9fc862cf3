"""What detectors and instance segmenters share: a feature pyramid over any timm network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import timm
from torch import Tensor, nn
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from garim.errors import ModelError
from garim.models.networks import check_name, check_options

WIDTH = 128
"""Channels of the feature pyramid."""

SIDES = (12, 24, 48, 96)
"""Sides of the anchors in pixels, one for each map of the pyramid, finest first."""

RATIOS = (0.5, 1.0, 2.0)
"""Heights by widths of the anchors."""

STRIDES = (4, 8, 16, 32)
"""Maps that the pyramid stands on."""


class AsTheyCome(GeneralizedRCNNTransform):
    """Normalises pictures and makes batches, but resizes nothing.

    torchvision's ``_skip_resize`` skips in training only; in use it enlarges to 800 pixels.
    """

    def resize(self, image: Tensor, target: Any = None) -> tuple[Tensor, Any]:
        """Give both back as they are."""
        return image, target


class Pyramid(nn.Module):
    """The feature pyramid over a timm network, as torchvision wants a backbone.

    Args:
        encoder: gives feature maps, finest first.
        coarser: add a map of half the last one's size.
    """

    def __init__(self, encoder: nn.Module, coarser: bool = False) -> None:
        super().__init__()
        self.encoder = encoder
        channels: list[int] = encoder.feature_info.channels()  # type: ignore[union-attr, operator]
        more = LastLevelMaxPool() if coarser else None
        self.pyramid = FeaturePyramidNetwork(channels, WIDTH, more)
        self.out_channels = WIDTH

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Give the maps by their number, finest first."""
        maps = {str(number): one for number, one in enumerate(self.encoder(x))}
        found: dict[str, Tensor] = self.pyramid(maps)
        return found


def encoder_of(
    backbone: str, options: Mapping[str, Any], strides: Sequence[int] = STRIDES
) -> nn.Module:
    """Build a timm network that gives feature maps of these strides, with random weights.

    Raises:
        ModelError: no such backbone, or it has no such feature maps.
    """
    check_name(backbone)
    check_options(options)
    try:
        encoder: Any = timm.create_model(backbone, features_only=True, **options)
        found: list[int] = encoder.feature_info.reduction()
        chosen = [len(found) - 1 - found[::-1].index(stride) for stride in strides]
        return timm.create_model(backbone, features_only=True, out_indices=chosen, **options)
    except Exception as error:  # what builders raise at backbones that they cannot use has no base
        wanted = f"feature maps at strides {', '.join(map(str, strides))} are needed"
        raise ModelError(f"{backbone} with {dict(options)}: {wanted}: {error}") from error
