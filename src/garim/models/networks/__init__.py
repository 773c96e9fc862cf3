"""Networks: every timm network by its name, and ours.

To add one: write a file with the module, its ``default_cfgs`` and its builder function (timm's
contract: ``forward_features``, ``forward_head``, ``get_classifier``, ``reset_classifier``), and a
line in ``OURS``. It then trains, saves, loads and opens with ``timm.create_model`` like the rest.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

import timm
from timm.models import register_model
from torch import Tensor, nn

from garim.errors import ModelError
from garim.models.networks.flatten_mlp import FlattenMLP, flatten_mlp
from garim.models.networks.grey import grey
from garim.models.networks.small_cnn import small_cnn

OURS: dict[str, Callable[..., nn.Module]] = {
    "small_cnn": small_cnn,  # four stages, from scratch, for small pictures
    "flatten_mlp": flatten_mlp,  # any timm backbone, flattened, two dense layers
    "grey": grey,  # any network, shown pictures without their colours
}
"""Our own networks, by the name that timm knows them by."""

_LOADING = {"pretrained", "checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay",
            "cache_dir", "features_only"}  # fmt: skip
"""Arguments of ``timm.create_model`` that load something, or make another kind of network."""

_REFUSALS = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What builders of networks raise at options that they do not know."""

for _builder in OURS.values():
    register_model(_builder)


def create(name: str, num_classes: int, options: Mapping[str, Any] | None = None) -> nn.Module:
    """Build a network with random weights.

    Args:
        name: a timm name such as ``mobilenetv2_100``, or one of ``OURS``.
        num_classes: classes of the last layer.
        options: more arguments for the network, such as ``{"pad_type": "same"}``.

    Raises:
        ModelError: no such network (the nearest names are given), or it refuses an option.
    """
    check_name(name)
    check_options(options or {})
    try:
        network: nn.Module = timm.create_model(name, num_classes=num_classes, **(options or {}))
    except _REFUSALS as error:
        raise ModelError(f"network {name!r} with options {dict(options or {})}: {error}") from error
    return network


def check_options(options: Mapping[str, Any]) -> None:
    """Let no option, which a model's folder may bring along, load a file or open a connection.

    Raises:
        ModelError: one would.
    """
    inner = options.get("backbone_options") or {}
    if refused := sorted(_LOADING & {*options, *inner}):
        raise ModelError(f"the network options {', '.join(refused)} are not for users to set")
    for name in {"backbone", "of"} & {*options}:
        check_name(str(options[name]))


def check_name(name: str) -> None:
    """Raise a ModelError with the nearest names if there is no such network."""
    base = name.split(".", maxsplit=1)[0]
    if not timm.is_model(base):
        near = difflib.get_close_matches(base, timm.list_models(), n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else "."
        raise ModelError(
            f"there is no network {name!r}{hint} `garim doctor --networks` lists all names."
        )


def frozen_part(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """Give the part before the head: pictures ``(n, 3, h, w)`` in, features ``(n, …)`` out."""
    if isinstance(network, FlattenMLP):
        return lambda x: network.forward_features(x).flatten(1)
    return lambda x: network.forward_head(network.forward_features(x), pre_logits=True)  # type: ignore[operator]


def trained_part(network: nn.Module) -> nn.Module:
    """Give the head: features of ``frozen_part`` in, class scores ``(n, classes)`` out."""
    if isinstance(network, FlattenMLP):
        return nn.Sequential(network.hidden, network.act, network.drop, network.classifier)
    rate = float(getattr(network, "drop_rate", 0.0) or 0.0)
    classifier = network.get_classifier()  # type: ignore[operator]
    if not isinstance(classifier, nn.Module):
        raise ModelError(
            f"{type(network).__name__} has several heads (distillation), which cannot be trained "
            "alone; use --tune all, or another network"
        )
    if isinstance(classifier, nn.Conv2d):  # a few networks end in a 1 × 1 convolution
        as_map = nn.Unflatten(1, (classifier.in_channels, 1, 1))
        return nn.Sequential(nn.Dropout(rate), as_map, classifier, nn.Flatten(1))
    return nn.Sequential(nn.Dropout(rate), classifier)
