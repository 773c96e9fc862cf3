"""The folder of a trained model: readable ``config.json``, weights in ``model.safetensors``.

What Garim adds to the config stands under the key ``garim``: the task, the version, the classes.
"""

from __future__ import annotations

import hashlib
import json
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from garim import files
from garim.errors import ModelError

VERSION = 1

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
UNFINISHED = "unfinished.json"
"""File that marks a folder whose training can be continued."""


def task_of(source: Path) -> str:
    """Say what the model in a folder does, such as ``classify``.

    Raises:
        ModelError: no folder of a model, or one that a newer Garim wrote.
    """
    path = source / CONFIG
    if (source / UNFINISHED).exists() and not path.exists():
        raise ModelError(
            f"{source}: holds a training that is not finished; run the same command again to go on"
        )
    try:
        ours = json.loads(path.read_text(encoding="utf-8"))["garim"]
        task, version = str(ours.get("task", "classify")), int(ours.get("version", VERSION))
    except (OSError, ValueError, OverflowError, RecursionError) as error:
        raise ModelError(f"{source}: is no folder of a trained model: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path}: does not describe a Garim model: {error!r}") from error
    if version > VERSION:
        raise ModelError(f"{path}: was written by a newer Garim; update this one to read it")
    return task


def read_config(source: Path, task: str) -> dict[str, Any]:
    """Read the config of a model for a task.

    Raises:
        ModelError: no folder of a model, one of another task, or one that a newer Garim wrote.
    """
    found = task_of(source)
    if found != task:
        raise ModelError(f"{source / CONFIG}: describes a model for {found!r}, not for {task!r}")
    config: dict[str, Any] = json.loads((source / CONFIG).read_text(encoding="utf-8"))
    return config


def write_config(target: Path, config: dict[str, Any]) -> None:
    """Write the config; the last file of a folder, so that a config means a whole model."""
    files.write_json(target / CONFIG, config)


def read_weights(source: Path, network: nn.Module) -> None:
    """Load a folder's weights into a network.

    Raises:
        ModelError: the file is missing, broken, or of another network.
    """
    try:
        network.load_state_dict(load_file(source / WEIGHTS))
    except (SafetensorError, OSError, RuntimeError) as error:
        raise ModelError(f"{source / WEIGHTS}: does not fit: {error}") from error


def write_weights(target: Path, network: nn.Module) -> None:
    """Write a network's weights into a folder."""
    state = {name: t.detach().cpu().contiguous() for name, t in network.state_dict().items()}
    # As bytes: safetensors' own files could be read by nobody else.
    files.write_bytes(target / WEIGHTS, save(state, metadata={"format": "pt"}))


def fingerprint(network: nn.Module) -> str:
    """Name a network by all its tensors (a second per gigabyte)."""
    hashed = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        plain = tensor.detach().cpu().contiguous()
        hashed.update(f"{name} {plain.dtype} {tuple(plain.shape)}".encode())
        hashed.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return hashed.hexdigest()


def names(values: Any) -> tuple[str, ...]:
    """Check the class names of a config.

    Raises:
        ValueError: they are no list of names.
    """
    if not isinstance(values, list) or not values or not all(isinstance(v, str) for v in values):
        raise ValueError("classes must be a list of names")
    return tuple(values)


def triple(values: Any) -> tuple[float, float, float]:
    """Check three numbers of a config, one per channel.

    Raises:
        ValueError: they are not three finite numbers.
    """
    try:
        red, green, blue = map(float, values)
    except OverflowError as error:
        raise ValueError(str(error)) from error
    if not all(map(isfinite, (red, green, blue))):
        raise ValueError("a channel's number is not finite")
    return red, green, blue
