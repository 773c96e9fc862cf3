"""Networks that give every pixel a class. To add one: a function and a line in ``SEGMENTERS``.

Each takes the name of a timm network, the number of classes and the network's options, and gives a
module with an ``encoder`` (a timm network, which takes starting weights) that turns pictures
``(n, 3, h, w)`` of any size into class scores ``(n, classes, h, w)``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn

from garim.errors import ModelError
from garim.models.networks import check_name, check_options, create
from garim.models.networks.fcn import COARSEST, FCN, padded

Builder = Callable[[str, int, Mapping[str, Any]], nn.Module]


def _fcn(backbone: str, classes: int, options: Mapping[str, Any], *, stride: int) -> FCN:
    encoder = create(backbone, 0, options)
    prune = getattr(encoder, "prune_intermediate_layers", None)
    if prune is not None and "vgg" not in backbone:
        prune(1, prune_head=True)  # what comes after the last map is never used
    return FCN(encoder, classes, stride)


class DeepLab(nn.Module):
    """DeepLab-v3+ (Chen et al. 2018) of segmentation-models-pytorch, at any size.

    Args:
        network: its module, without weights.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    @property
    def encoder(self) -> nn.Module:
        """The timm network inside."""
        found: nn.Module = self.network.encoder.model  # type: ignore[union-attr, assignment]
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Score every pixel."""
        height, width = x.shape[-2:]
        result: Tensor = self.network(padded(x, COARSEST))[..., :height, :width]
        return result


def _deeplab(backbone: str, classes: int, options: Mapping[str, Any]) -> DeepLab:
    import segmentation_models_pytorch as smp  # noqa: PLC0415 - takes a second to import

    network = smp.DeepLabV3Plus(
        f"tu-{backbone}", encoder_weights=None, encoder_output_stride=16, classes=classes, **options
    )
    return DeepLab(network)


SEGMENTERS: dict[str, Builder] = {
    "fcn32s": partial(_fcn, stride=32),  # the coarsest map alone
    "fcn16s": partial(_fcn, stride=16),  # with the map at stride 16
    "fcn8s": partial(_fcn, stride=8),  # with those at stride 16 and 8
    "deeplabv3plus": _deeplab,  # atrous convolutions and a decoder
}
"""Every network by its name."""


def create_segmenter(
    name: str, backbone: str, classes: int, options: Mapping[str, Any] | None = None
) -> nn.Module:
    """Build a network with random weights.

    Args:
        name: a line of ``SEGMENTERS``.
        backbone: a timm name, or one of ours.
        classes: how many classes.
        options: more arguments of the backbone, such as ``{"pad_type": "same"}``.

    Raises:
        ModelError: no such network or backbone, or the two do not fit together.
    """
    check_segmenter(name)
    check_name(backbone)
    check_options(options or {})
    try:
        return SEGMENTERS[name](backbone, classes, options or {})
    except ModelError:
        raise
    except Exception as error:  # what builders raise at backbones that they cannot use has no base
        raise ModelError(f"{name} on {backbone} with {dict(options or {})}: {error}") from error


def check_segmenter(name: str) -> None:
    """Raise a ModelError that lists the networks if there is none of this name."""
    if name not in SEGMENTERS:
        near = difflib.get_close_matches(name, SEGMENTERS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ModelError(f"there is no network {name!r}; {hint}known: {', '.join(SEGMENTERS)}")
