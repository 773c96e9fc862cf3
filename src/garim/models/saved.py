"""Open any trained model: its folder says what it does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from garim.errors import ModelError
from garim.models import classifier, folder
from garim.models.classifier import Classifier

Model = Classifier
"""Every kind of trained model."""

LOADERS: dict[str, Callable[[Path], Model]] = {
    "classify": classifier.load,
}
"""What opens a model's folder, by its task."""


def load(source: Path | str) -> Model:
    """Open a model's folder, whatever its task; nothing in it is executed.

    Raises:
        ModelError: no folder of a model, or a part of it is broken.
    """
    task = folder.task_of(Path(source))
    if task not in LOADERS:
        raise ModelError(f"{source}: there is no task {task!r}; known: {', '.join(LOADERS)}")
    return LOADERS[task](Path(source))
