"""Fully convolutional networks: FCN-32s, FCN-16s, FCN-8s (Long, Shelhamer, Darrell 2015).

Any classification network becomes one: its coarsest feature map is scored by a 1 × 1 convolution,
and the scores are enlarged by transposed convolutions that start as bilinear interpolation. The
finer networks add the scores of the maps at stride 16 and 8 on the way up. With VGG, as in the
paper, the dense layers fc6 and fc7 become convolutions of 7 × 7 and 1 × 1, and the maps are those
after pool3, pool4 and pool5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from timm.models.vgg import VGG
from torch import Tensor, nn
from torch.nn import functional

from garim.errors import ModelError

COARSEST = 32
"""Inputs are padded to whole multiples of so many pixels, so that every map fits the others."""

DROPOUT = 0.5
"""Dropout after fc6 and fc7, as in the paper."""

PROBE = 64
"""Side of the black picture whose maps tell a network's strides and channels."""


class FCN(nn.Module):
    """Pictures ``(n, 3, h, w)`` to class scores ``(n, classes, h, w)``, for any ``h`` and ``w``.

    Args:
        encoder: a timm network, without its last layer.
        classes: how many classes.
        stride: of the finest map that is used: 32, 16 or 8.

    Raises:
        ModelError: the encoder has no feature maps at the strides that are needed.
    """

    def __init__(self, encoder: nn.Module, classes: int, stride: int) -> None:
        super().__init__()
        self.encoder = encoder
        if isinstance(encoder, VGG):
            dense: Any = encoder.pre_logits
            dense.fc1.padding, dense.drop.p = (3, 3), DROPOUT  # no cell is lost at the rim
        channels = _channels(encoder)
        self.strides = _strides(tuple(channels), stride)
        self.drop = nn.Dropout(DROPOUT if isinstance(encoder, VGG) else 0.0)
        self.score = nn.ModuleList(nn.Conv2d(channels[s], classes, 1) for s in self.strides)
        for skip in self.score[1:]:  # training starts from the coarser network's answer
            nn.init.zeros_(skip.weight)  # type: ignore[arg-type]
            nn.init.zeros_(skip.bias)  # type: ignore[arg-type]
        self.twice = nn.ModuleList(_enlarging(classes, 2, 1) for _ in self.strides[1:])
        self.last = _enlarging(classes, stride, classes)
        self.last.requires_grad_(False)  # the paper keeps the last one bilinear

    def forward(self, x: Tensor) -> Tensor:
        """Score every pixel."""
        height, width = x.shape[-2:]
        maps = feature_maps(self.encoder, padded(x, COARSEST))
        scores = self.score[0](self.drop(maps[self.strides[0]]))
        for stride, score, twice in zip(self.strides[1:], self.score[1:], self.twice, strict=True):
            scores = twice(scores) + score(maps[stride])
        result: Tensor = self.last(scores)[..., :height, :width]
        return result


def padded(x: Tensor, multiple: int) -> Tensor:
    """Add zeros at the right and the bottom until both sides are multiples."""
    height, width = x.shape[-2:]
    return functional.pad(x, (0, -width % multiple, 0, -height % multiple))


def feature_maps(encoder: nn.Module, x: Tensor) -> dict[int, Tensor]:
    """Give the feature maps of a network by their stride; of one stride the last.

    Args:
        encoder: a timm network.
        x: shape ``(n, 3, h, w)``, sides multiples of ``COARSEST``.
    """
    if isinstance(encoder, VGG):
        return _vgg_maps(encoder, x)
    forward: Callable[..., list[Tensor]] = encoder.forward_intermediates  # type: ignore[assignment]
    return {x.shape[-1] // m.shape[-1]: m for m in forward(x, intermediates_only=True)}


def _vgg_maps(encoder: VGG, x: Tensor) -> dict[int, Tensor]:
    width, maps, stride = x.shape[-1], {}, 1
    for layer in encoder.features:
        x = layer(x)
        if isinstance(layer, nn.MaxPool2d):
            stride = width // x.shape[-1]
            maps[stride] = x
    dense = encoder.pre_logits
    x = dense.drop(dense.act1(dense.fc1(x)))
    maps[stride] = dense.act2(dense.fc2(x))
    return maps


def _channels(encoder: nn.Module) -> dict[int, int]:
    """Give the channels of each stride's map, coarsest first."""
    name = type(encoder).__name__
    if not hasattr(encoder, "forward_intermediates") and not isinstance(encoder, VGG):
        raise ModelError(f"{name} gives no feature maps; use another --backbone")
    with torch.no_grad():
        try:
            maps = feature_maps(encoder.eval(), torch.zeros(1, 3, PROBE, PROBE))
        except (AssertionError, RuntimeError, ValueError) as error:  # one size only, as many ViTs
            raise ModelError(f"{name} takes no picture of any size: {error}") from error
    if any(one.ndim != 4 for one in maps.values()):
        raise ModelError(f"{name} gives tokens instead of feature maps; use another --backbone")
    return {s: maps[s].shape[1] for s in sorted(maps, reverse=True)}


def _strides(found: tuple[int, ...], stride: int) -> tuple[int, ...]:
    """Choose the strides to score, from the coarsest down to ``stride``, each half the one before.

    Raises:
        ModelError: one is missing.
    """
    wanted = [found[0]]
    while wanted[-1] > stride:
        wanted.append(wanted[-1] // 2)
    if wanted[-1] != stride or not set(wanted) <= set(found):
        listed = ", ".join(map(str, sorted(found)))
        raise ModelError(
            f"fcn{stride}s needs feature maps at stride {stride} and each double of it, but the "
            f"backbone has them at {listed}; use another network or --backbone"
        )
    return tuple(wanted)


def _enlarging(channels: int, factor: int, groups: int) -> nn.ConvTranspose2d:
    """Give a transposed convolution that starts as bilinear interpolation by a factor."""
    layer = nn.ConvTranspose2d(
        channels, channels, 2 * factor, factor, padding=factor // 2, groups=groups, bias=False
    )
    from_centre = (torch.arange(2 * factor) + 0.5) / factor - 1
    tent = 1 - from_centre.abs()
    kernel = tent[:, None] * tent
    with torch.no_grad():
        layer.weight.zero_()
        for channel in range(channels):
            layer.weight[channel, 0 if groups > 1 else channel] = kernel
    return layer
