"""``garim doctor``: what this machine has, and where weights would come from."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from typing import Any

import timm
import torch
from huggingface_hub import constants

from garim.models.networks import OURS
from garim.models.runtime import RUNTIMES, has_bfloat16
from garim.streaming import default_workers

LIBRARIES = (
    "garim", "torch", "torchvision", "timm", "lightning", "torchmetrics", "numpy", "pillow",
    "opencv-python-headless", "polars", "scikit-learn", "tensorboard", "onnxruntime", "openvino",
)  # fmt: skip


def doctor(*, networks: bool = False) -> dict[str, Any]:
    """Describe versions, devices and weights.

    Args:
        networks: list the names of all networks too.
    """
    found = {
        "python": sys.version.split()[0],
        "system": platform.platform(),
        "processors": default_workers(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "devices": _devices(),
        "runtimes": {name: _runtime(name) for name in RUNTIMES},
        "weights_cache": constants.HF_HUB_CACHE,
    }
    if networks:
        found["networks"] = [*OURS, *timm.list_models()]
    return found


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _runtime(name: str) -> str:
    if missing := RUNTIMES[name].missing:
        return f"not installed ({', '.join(missing)}): pip install 'garim[{name}]'"
    return "bfloat16" if RUNTIMES[name].halves and has_bfloat16() else "float32"


def _devices() -> list[str]:
    devices = [f"cpu ({torch.get_num_threads()} threads)"]
    if torch.cuda.is_available():
        devices += [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("mps")
    return devices
