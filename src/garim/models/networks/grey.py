"""Any network, shown pictures without their colours.

The conversion is part of the network, so that whatever loads it, Garim, timm or ONNX, shows it the
same greys.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import timm
import torch
from torch import Tensor, nn

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue (ITU-R BT.601), as in Pillow and OpenCV."""


def grey(pretrained: bool = False, *, of: str = "small_cnn", **options: Any) -> nn.Module:
    """Build a network that sees grey: three equal channels.

    Args:
        pretrained: load the network's own weights.
        of: name of the network.
        options: its arguments.
    """
    network: nn.Module = timm.create_model(of, pretrained=pretrained, **options)
    kind: Any = type(network)
    network.__class__ = _seeing_grey(kind)
    return network


def without_colour(x: Tensor) -> Tensor:
    """Turn RGB, ``(n, 3, height, width)``, into three equal channels of luma."""
    shares = torch.tensor(LUMA, dtype=x.dtype, device=x.device)[:, None, None]
    return (x * shares).sum(dim=1, keepdim=True).expand(-1, 3, -1, -1)


@cache
def _seeing_grey(kind: Any) -> type[nn.Module]:
    """Derive a network's class; its layers keep their names, so that weights fit both."""

    def forward_features(self: Any, x: Tensor, *args: Any, **options: Any) -> Any:
        return kind.forward_features(self, without_colour(x), *args, **options)

    def forward_intermediates(self: Any, x: Tensor, *args: Any, **options: Any) -> Any:
        return kind.forward_intermediates(self, without_colour(x), *args, **options)

    made: dict[str, Any] = {"forward_features": forward_features}
    if hasattr(kind, "forward_intermediates"):
        made["forward_intermediates"] = forward_intermediates
    return type(f"Grey{kind.__name__}", (kind,), made)
