"""Starting weights: from a file, from timm's hub, or none."""

from __future__ import annotations

import socket
import warnings
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import timm
import torch
from huggingface_hub import constants, try_to_load_from_cache
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from garim.errors import ModelError
from garim.models.networks.flatten_mlp import FlattenMLP

# Advice to PyTorch's own developers; what cannot be read is refused here, in other words.
warnings.filterwarnings("ignore", category=UserWarning, module=r"torch\._weights_only_unpickler")

State = dict[str, Tensor]

THREE_WAYS = (
    "Three ways on: give a weights file (--weights FILE), put the weights into the local hub cache "
    f"({constants.HF_HUB_CACHE}) on a machine with a network, or train from scratch "
    "(--weights none)."
)


_NO_TENSORS = (
    "is no weights file that can be read as tensors only, or is broken. Give a .safetensors file, "
    "or a PyTorch file that holds a state_dict and nothing else: code in a file is never run."
)
_NON_COMMERCIAL = ("nc", "noncommercial", "research")


def load_starting(
    network: nn.Module, backbone: str, weights: str, licence: str, accept_non_commercial: bool
) -> str:
    """Give a network its starting weights, and their licence.

    Args:
        network: takes the weights, except for its last layer where that has another shape.
        backbone: timm's name of it.
        weights: a file, ``pretrained`` (timm's own) or ``none``.
        licence: of the file.
        accept_non_commercial: use weights whose licence forbids commercial use.

    Raises:
        ModelError: no weights to be had, or a licence that was not accepted.
    """
    if weights == "none":
        return "none"
    if weights == "pretrained":
        licence = load_pretrained(network, backbone)
    else:
        path = Path(weights).expanduser()
        load_into(network, load_file_state(path), str(path))
    check_licence(licence, accept_non_commercial)
    return licence


def check_licence(licence: str, accept_non_commercial: bool) -> None:
    """Raise a ModelError if a licence forbids commercial use, and that was not accepted."""
    if _forbids_trade(licence) and not accept_non_commercial:
        raise ModelError(
            f"the weights' licence is {licence!r}, which forbids commercial use; "
            "--accept-non-commercial uses them all the same"
        )


def _forbids_trade(licence: str) -> bool:
    words = licence.lower().replace("_", "-").split("-")
    return any(mark in words for mark in _NON_COMMERCIAL) or "non-commercial" in licence.lower()


def load_file_state(path: Path) -> State:
    """Read tensors from ``.safetensors`` or a PyTorch file; no code in the file is ever run.

    Raises:
        ModelError: no such file, or not a file of tensors.
    """
    if not path.is_file():
        raise ModelError(f"{path}: there is no such weights file. {THREE_WAYS}")
    try:
        if path.suffix.lower() == ".safetensors":
            found: object = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
    except SafetensorError as error:
        raise ModelError(f"{path}: is no .safetensors file, or is broken: {error}") from error
    except Exception as error:  # pickle's have no common base; PyTorch's advise to run any code
        raise ModelError(f"{path}: {_NO_TENSORS}") from error
    return _unwrapped(path, found)


def _unwrapped(path: Path, found: object) -> State:
    for name in ("state_dict", "model", "state_dict_ema"):
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            found = found[name]
    state = found if isinstance(found, dict) else {}
    tensors = {str(k).removeprefix("module."): v for k, v in state.items() if torch.is_tensor(v)}
    if not tensors:
        raise ModelError(f"{path}: holds no tensors by name (a state_dict)")
    return {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}


def load_into(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Copy weights into a network, except its last layer when that has another shape.

    Names are compared with ``.`` and ``_`` taken as equal, so that a state also fits the flattened
    names of timm's feature networks.

    Raises:
        ModelError: a tensor of the backbone is missing or has another shape.
    """
    body: nn.Module = network.backbone if isinstance(network, FlattenMLP) else network
    given = {_flat(name.removeprefix("backbone.")): tensor for name, tensor in state.items()}
    target = body.state_dict()
    fits = {n: given[_flat(n)] for n in target if _fits(given.get(_flat(n)), target[n])}
    body.load_state_dict(fits, strict=False)
    wanted = {n for n in target if not n.endswith("num_batches_tracked")} - _head_names(body)
    missing = sorted(wanted - set(fits))
    if missing:
        examples = ", ".join(missing[:3])
        raise ModelError(
            f"{source}: does not fit the network: {len(missing)} of {len(wanted)} tensors are "
            f"missing or have another shape, such as {examples}. Give the --backbone (and "
            "--network-options) that the weights were made for."
        )


def _flat(name: str) -> str:
    return name.replace(".", "_")


def _fits(given: Tensor | None, wanted: Tensor) -> bool:
    return given is not None and given.shape == wanted.shape


def _head_names(body: nn.Module) -> set[str]:
    if not hasattr(body, "get_classifier"):
        return set()
    found = body.get_classifier()  # type: ignore[operator]
    heads = found if isinstance(found, tuple | list) else [found]
    head = {id(p) for one in heads for p in one.parameters()}
    return {name for name, p in body.named_parameters() if id(p) in head}


def load_pretrained(network: nn.Module, name: str) -> str:
    """Copy timm's own weights into a network; give their licence.

    Raises:
        ModelError: timm has none, or they are neither in the cache nor to be had from the hub.
    """
    config = timm.get_pretrained_cfg(name)
    if config is None or not config.has_weights:
        raise ModelError(f"{name}: timm has no weights for this network. {THREE_WAYS}")
    if not _cached(config.hf_hub_id) and not _hub_answers():
        raise ModelError(
            f"{name}: no weights in the cache, and no network to get them. {THREE_WAYS}"
        )
    try:
        source = timm.create_model(name, pretrained=True)
    except Exception as error:  # the hub client raises many kinds
        raise ModelError(f"{name}: its weights cannot be had: {error}. {THREE_WAYS}") from error
    load_into(network, source.state_dict(), f"timm {name}")
    return str(config.license or "unknown")


def _cached(hub_id: str | None) -> bool:
    names = ("model.safetensors", "pytorch_model.bin")
    return hub_id is not None and any(
        isinstance(try_to_load_from_cache(hub_id, name), str) for name in names
    )


def _hub_answers() -> bool:
    """Ask once, shortly: the hub client itself would retry for most of a minute."""
    address = urlsplit(constants.ENDPOINT)
    try:
        with socket.create_connection((address.hostname or "", address.port or 443), timeout=5):
            return not constants.is_offline_mode()
    except OSError:
        return False
