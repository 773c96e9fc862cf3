"""``garim export``: a trained model as one ONNX file, for programs that know no Python.

The file takes upright RGB pictures as they are, uint8 ``(n, size, size, 3)``; normalisation,
softmax and temperature are inside, and its ``metadata_props`` say what the outputs mean.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from garim import files
from garim.errors import ModelError, SettingsError
from garim.models.classifier import Classifier, Scoring
from garim.models.runtime import reference, resolve, to_onnx
from garim.models.saved import Model
from garim.models.segmenter import PixelScoring, Segmenter
from garim.pictures import Pixels

TOLERANCE = 1e-3
"""Most that an output of the file may differ from PyTorch's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A model that was written as ONNX, and how well the file gives what the model gives."""

    path: Path
    notes: dict[str, str]
    """The file's ``metadata_props``."""
    difference: float
    """Largest difference of an output from PyTorch's, on a few pictures of noise."""

    def to_dict(self) -> dict[str, Any]:
        """Give the result as it stands in ``--json``."""
        return {"to": str(self.path), "difference": self.difference, "metadata": self.notes}


@dataclass(frozen=True, slots=True, kw_only=True)
class Portable:
    """A model as one module on pictures, with what its user must know."""

    module: nn.Module
    """Maps uint8 pictures ``(n, height, width, 3)`` to a tuple of tensors ``(n, …)``."""
    side: int
    outputs: tuple[str, ...]
    notes: dict[str, str]


def export(model: Model, to: Path | str) -> Exported:
    """Write a trained model as ONNX, and compare what the file gives with what the model gives.

    Args:
        model: a trained model.
        to: file to write, ``.onnx``; a file of that name is replaced.

    Raises:
        SettingsError: another suffix, or ONNX Runtime is not installed.
        ModelError: this model cannot be exported, or the file gives other outputs.
    """
    path = Path(to)
    if path.suffix.lower() != ".onnx":
        raise SettingsError([f"{path}: a model is exported as .onnx"])
    if type(model) not in PORTABLE:
        known = ", ".join(one.__name__ for one in PORTABLE)
        raise ModelError(f"a {type(model).__name__} cannot be exported; what can: {known}")
    resolve("onnx", torch.device("cpu"), 1)
    portable = PORTABLE[type(model)](model)
    return Exported(path=path, notes=portable.notes, difference=_write(portable, path))


def _write(portable: Portable, path: Path) -> float:
    """Write the file, and give the largest difference of its outputs from PyTorch's."""
    noise = np.random.default_rng(0).integers(0, 256, (3, portable.side, portable.side, 3))
    pixels = noise.astype(np.uint8)
    with files.replacing(path) as temporary:
        try:
            to_onnx(portable.module, pixels, temporary, portable.outputs, portable.notes)
            difference = _difference(portable, temporary, pixels)
        except Exception as error:  # exporters raise nearly anything
            why = f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')}"
            raise ModelError(f"{path}: this network cannot be exported: {why}") from error
        if not difference <= TOLERANCE:  # not (… > …): NaN must fail
            raise ModelError(f"{path}: not written, as it differs from the model by {difference}")
    return difference


def _difference(portable: Portable, path: Path, pixels: Pixels) -> float:
    import onnxruntime  # noqa: PLC0415 - an extra

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run(None, {"pictures": pixels})
    expected = reference(portable.module)(pixels)
    return max(float(np.abs(a - b).max()) for a, b in zip(found, expected, strict=True))


def _classifier(model: Classifier) -> Portable:
    card = model.card
    notes = {
        "garim_task": "classify",
        "classes": json.dumps(card.classes, ensure_ascii=False),
        "input": "pictures: upright RGB, uint8, (n, size, size, 3), resized without keeping their "
        "aspect ratio; normalisation is part of the network",
        "output": "probabilities: float32, (n, classes), at the temperature; each row sums to 1",
        "size": str(card.size),
        "mean": json.dumps(card.mean),
        "std": json.dumps(card.std),
        "temperature": str(card.temperature),
        "weights_licence": card.weights_licence,
    }
    module = copy.deepcopy(Scoring(model.network, card)).cpu().eval()
    return Portable(module=module, side=card.size, outputs=("probabilities",), notes=notes)


def _segmenter(model: Segmenter) -> Portable:
    card = model.card
    notes = {
        "garim_task": "segment",
        "classes": json.dumps(card.classes, ensure_ascii=False),
        "input": "pictures: windows of upright RGB, uint8, (n, size, size, 3), of pictures whose "
        "longest side was brought to `longest` pixels (0: as they are); normalisation is part of "
        "the network",
        "output": "probabilities: float32, (n, classes, size, size); each pixel's sum to 1",
        "size": str(card.size),
        "longest": str(card.longest),
        "mean": json.dumps(card.mean),
        "std": json.dumps(card.std),
        "palette": json.dumps(card.palette),
        "weights_licence": card.weights_licence,
    }
    module = copy.deepcopy(PixelScoring(model.network, card)).cpu().eval()
    return Portable(module=module, side=card.size, outputs=("probabilities",), notes=notes)


PORTABLE: dict[type, Callable[[Any], Portable]] = {
    Classifier: _classifier,
    Segmenter: _segmenter,
}
"""What makes each kind of model portable."""
