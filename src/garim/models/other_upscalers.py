"""Upscalers of other projects, opened by spandrel: ESRGAN, SwinIR, SPAN, Compact and many more.

Their files say nothing about their licence: that is for their user to know.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from garim.errors import ModelError
from garim.models.upscaler import Upscaler, UpscalerCard

SUFFIXES = frozenset({".pth", ".pt", ".ckpt", ".safetensors"})
"""Files that are opened; those of tensors only."""

MARGIN = 32
"""Pixels around a tile that these networks see: some look further, but hardly use it."""


class _Other(nn.Module):
    """One of spandrel's models, which pads its input to the size that it needs."""

    margin = MARGIN

    def __init__(self, descriptor: Any) -> None:
        super().__init__()
        self.model = descriptor.model
        self.descriptor = descriptor

    def forward(self, pictures: Tensor) -> Tensor:
        enlarged: Tensor = self.descriptor(pictures)
        return enlarged


def load_other(path: Path) -> Upscaler:
    """Open the weights of another project; nothing in the file is executed.

    Raises:
        ModelError: spandrel is missing, does not know the network, or it is no RGB upscaler; or
            the file is broken, or holds more than tensors.
    """
    try:
        from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError  # noqa: PLC0415
    except ImportError as error:
        raise ModelError(
            f"{path}: weights of other projects need spandrel; pip install 'garim[upscale]'"
        ) from error
    state = _tensors(path)
    try:
        found = ModelLoader(device="cpu").load_from_state_dict(state)
    except UnsupportedModelError as error:
        raise ModelError(f"{path}: spandrel does not know what network this is") from error
    except (RuntimeError, KeyError, ValueError, TypeError) as error:
        raise ModelError(f"{path}: does not fit the network that it looks like: {error}") from error
    if not isinstance(found, ImageModelDescriptor) or found.purpose not in {"SR", "Restoration"}:
        raise ModelError(f"{path}: {found.architecture.name} is no network that enlarges pictures")
    if (found.input_channels, found.output_channels) != (3, 3) or found.scale < 2:
        raise ModelError(
            f"{path}: expected an upscaler of RGB pictures, but this takes {found.input_channels} "
            f"channels, gives {found.output_channels}, and its scale is {found.scale}"
        )
    card = UpscalerCard(architecture=found.architecture.id, scale=found.scale)
    return Upscaler(_Other(found), card)


def _tensors(path: Path) -> dict[str, Any]:
    """Read a file of tensors."""
    from safetensors.torch import load_file  # noqa: PLC0415

    try:
        if path.suffix.lower() == ".safetensors":
            return dict(load_file(path))
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error
    except Exception as error:  # zip's, pickle's and torch's errors have no common base
        raise ModelError(f"{path}: is broken, or holds more than tensors: {error}") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path}: expected a table of tensors, not {type(found).__name__}")
    return found
