"""Embedders: a network with its starting weights, as it is or with a projection that it is given.

`train_embedder` learns the projection from labels. The network stays frozen, so its features are
computed once per augmented copy; what is trained is a linear layer whose outputs, of length 1, are
compared with one direction per class: a softmax over scaled cosines (normalised softmax: Zhai & Wu
2019). What is near to its class's direction is near to the pictures of its class.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from garim.dataset import Dataset
from garim.errors import DatasetError, Failure, SettingsError
from garim.models.embedder import Embedder, EmbedderCard, Pooling, Projection, Vectors, Views
from garim.training.data import Examples, FeatureCopies
from garim.training.learners import OnFeatures, architecture, batches, build
from garim.training.loop import fit, seeded
from garim.training.losses import Classification
from garim.training.objective import Fitted
from garim.training.run_folder import keep, mark, name_of, run_folder
from garim.training.settings import Recipe, TrainSettings, resolve
from garim.training.train import gather

SCALE = 16.0
"""What cosines are multiplied by before the softmax."""


def starting_embedder(
    settings: TrainSettings, pooling: Pooling = "own", views: Views = "one"
) -> Embedder:
    """Build the embedder that a network with starting weights is.

    Raises:
        ModelError: unknown network, no weights to be had, or a licence that was not accepted.
        SettingsError: settings that cannot work.
    """
    recipe = resolve(settings)
    with seeded(recipe.seed):  # the same network each time, also without weights
        network, licence = build(recipe, ("any",), settings)
    network.reset_classifier(0)  # type: ignore[operator]
    return Embedder(network, _card(recipe, licence, pooling, views))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedEmbedder:
    """A trained embedder and how it went."""

    embedder: Embedder
    folder: Path | None
    classes: tuple[str, ...]
    metrics: dict[str, float]
    seconds: float
    failures: tuple[Failure, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Give the result as it stands in ``--json``."""
        return {
            "model": str(self.folder) if self.folder else None,
            "task": "embed",
            "classes": list(self.classes),
            "components": self.embedder.components,
            "seconds": round(self.seconds, 2),
            "metrics": self.metrics,
            "failed": [failure.to_dict() for failure in self.failures],
        }


def train_embedder(
    dataset: Dataset,
    settings: TrainSettings | None = None,
    out: Path | str | None = None,
    components: int = 128,
) -> TrainedEmbedder:
    """Learn from labels which pictures are alike: a projection of a frozen network's features.

    Only the ``train`` split is used when there are splits, and ``validation`` to choose the best
    epoch; ``test`` is never looked at.

    Args:
        dataset: pictures with labels.
        settings: network, starting weights, augmentation, schedule.
        out: folder for the embedder; None to keep it in memory only.
        components: of the vectors.

    Raises:
        SettingsError: settings that cannot work.
        DatasetError: fewer than two classes.
        ModelError: no weights to be had, or ``out`` holds another model.
    """
    started = time.perf_counter()
    chosen = replace(settings or TrainSettings(), tune="head")
    recipe = resolve(chosen)
    if components < 1:
        raise SettingsError([f"components must be at least 1, not {components}"])
    name = name_of({**recipe.to_dict(), "components": components}, dataset)
    with run_folder(out, name) as folder, seeded(recipe.seed):
        gathered = gather(dataset)
        network, licence = build(recipe, dataset.classes, chosen)
        if out is not None:
            mark(folder, name)
        learned, fitted = _learned(network, *gathered.held_out(recipe), recipe, folder, components)
        network.reset_classifier(0)  # type: ignore[operator]
        plain = Embedder(network, _card(recipe, licence))
        how = {"loss": "normalised softmax", "dataset": dataset.fingerprint(), **recipe.to_dict()}
        embedder = plain.projected(learned.projection(), how)
        if out is not None:
            keep(embedder, folder)
    return TrainedEmbedder(
        embedder=embedder, folder=None if out is None else folder, classes=dataset.classes,
        metrics={n: round(v, 6) for n, v in fitted.metrics.items()},
        seconds=time.perf_counter() - started, failures=gathered.failures,
    )  # fmt: skip


def _learned(
    network: nn.Module, fitting: Examples, validation: Examples, recipe: Recipe, folder: Path,
    components: int,
) -> tuple[_Cosines, Fitted]:  # fmt: skip
    """Train the projection on features that are computed once."""
    body = OnFeatures(network, recipe, folder)
    augmented = body.features(fitting, recipe.augment, recipe.copies)
    first = functional.normalize(torch.stack([copies[0] for copies in augmented])).numpy()
    model = _Cosines(whitening(first, components), int(fitting.targets.max()) + 1)
    train = batches(FeatureCopies(augmented, fitting.targets), recipe, True)
    known = np.isin(validation.targets, fitting.targets)
    held = None
    if known.any():
        plain = FeatureCopies(body.features(validation, "none", 1), validation.targets)
        held = batches(plain, recipe, False)
    return model, fit(model, train, held, recipe, folder, Classification(), seed=recipe.seed)


class _Cosines(nn.Module):
    """Features to scaled cosines with one direction per class, by way of a projection."""

    mean: Tensor

    def __init__(self, start: Projection, classes: int) -> None:
        super().__init__()
        matrix = torch.from_numpy(start.matrix.T.copy())
        self.project = nn.Linear(matrix.shape[1], matrix.shape[0], bias=False)
        with torch.no_grad():  # its scale plays no part but in how fast it learns
            self.project.weight.copy_(matrix / (matrix.std() * matrix.shape[1] ** 0.5))
        self.register_buffer("mean", torch.from_numpy(start.mean))
        self.directions = nn.Parameter(torch.randn(classes, len(matrix)))

    def forward(self, features: Tensor) -> Tensor:
        projected = self.project(functional.normalize(features) - self.mean)
        return SCALE * functional.normalize(projected) @ functional.normalize(self.directions).T

    def projection(self) -> Projection:
        """Give what was learned."""
        matrix = self.project.weight.detach().T.contiguous()
        return Projection(self.mean.numpy(), matrix.numpy())


def whitening(vectors: Vectors, components: int) -> Projection:
    """Learn a PCA whitening (Jégou & Chum 2012) from vectors ``(n, d)``.

    Directions without any spread are left out, so that fewer components may come out.

    Raises:
        DatasetError: there are fewer than two different vectors.
    """
    mean = vectors.mean(axis=0) if len(vectors) else np.zeros(0, np.float32)
    _, spread, basis = np.linalg.svd(vectors - mean, full_matrices=False)
    kept = int((spread[:components] > 1e-4 * spread[:1].sum()).sum())
    if len(vectors) < 2 or spread[:1].sum() < 1e-5:
        raise DatasetError("whitening needs at least two different pictures that can be opened")
    scale = np.sqrt(len(vectors) - 1) / spread[:kept]
    return Projection(mean.astype(np.float32), (basis[:kept].T * scale).astype(np.float32))


def _card(
    recipe: Recipe, licence: str, pooling: Pooling = "own", views: Views = "one"
) -> EmbedderCard:
    name, options = architecture(recipe)
    return EmbedderCard(
        architecture=name, options=options, size=recipe.size, mean=recipe.mean, std=recipe.std,
        pooling=pooling, views=views, weights_licence=licence, made_from=recipe.weights,
    )  # fmt: skip
