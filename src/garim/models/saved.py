"""Open any trained model: its folder says what it does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from garim.errors import ModelError
from garim.models import (
    classifier,
    detector,
    embedder,
    folder,
    instance_segmenter,
    segmenter,
    upscaler,
    yolo_onnx,
)
from garim.models.classifier import Classifier
from garim.models.detector import Detector
from garim.models.embedder import Embedder
from garim.models.instance_segmenter import InstanceSegmenter
from garim.models.segmenter import Segmenter
from garim.models.upscaler import Upscaler
from garim.models.yolo_onnx import YoloOnnx

Model = Classifier | Detector | Embedder | InstanceSegmenter | Segmenter | Upscaler | YoloOnnx
"""Every kind of trained model."""

LOADERS: dict[str, Callable[[Path], Model]] = {
    "classify": classifier.load,
    "detect": detector.load,
    "embed": embedder.load,
    "instances": instance_segmenter.load,
    "segment": segmenter.load,
    "upscale": upscaler.load,
}
"""What opens a model's folder, by its task."""


def load(source: Path | str) -> Any:
    """Open a model's folder, whatever its task, or a YOLO detector's ``.onnx``.

    Nothing in it is executed.

    Raises:
        ModelError: no folder of a model, or a part of it is broken.
        SettingsError: ONNX without onnxruntime.
    """
    if Path(source).suffix.lower() == ".onnx":
        return yolo_onnx.load(Path(source))
    task = folder.task_of(Path(source))
    if task not in LOADERS:
        raise ModelError(f"{source}: there is no task {task!r}; known: {', '.join(LOADERS)}")
    return LOADERS[task](Path(source))
