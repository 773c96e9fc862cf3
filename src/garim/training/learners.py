"""Three ways to train a network: all of it, a head on a frozen backbone, or a head on features.

The last gives what the second gives, faster: a frozen backbone turns the same augmented copy into
the same features each time, so each is computed once.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader

from garim import files
from garim.errors import ModelError
from garim.models.classifier import normalised
from garim.models.networks import create, frozen_part, trained_part
from garim.models.weights import load_starting
from garim.streaming import chunks, stream, track
from garim.training.augmentation import AUGMENTATIONS
from garim.training.batches import loader
from garim.training.data import Batched, Examples, FeatureCopies, SquarePictures
from garim.training.loop import fit
from garim.training.losses import IMBALANCE, classification, even_chances
from garim.training.objective import Fitted
from garim.training.processes import own_device
from garim.training.settings import Recipe, TrainSettings

Features = dict[str, Tensor]
"""Features of each picture's copies, ``(copies, …)``, by its digest and how they are computed."""


class Learner(Protocol):
    """A network in training."""

    network: nn.Module

    def fit(self, examples: Examples, validation: Examples | None) -> Fitted:
        """Train on examples, keeping the best weights by validation (or the last without)."""

    def scores(self, examples: Examples) -> NDArray[np.float32]:
        """Give the class probabilities of pictures, shape ``(n, classes)``."""

    def fresh(self, number: int, epochs: int) -> Learner:
        """Give a learner that starts from the same weights, for a fold."""


def build(
    recipe: Recipe, classes: Sequence[str], settings: TrainSettings | None
) -> tuple[nn.Module, str]:
    """Build a network with its starting weights, and give their licence.

    Raises:
        ModelError: unknown network, no weights to be had, a licence that was not accepted, or a
            network that cannot take pictures of the recipe's size.
    """
    name, options = architecture(recipe)
    network = create(name, len(classes), {"drop_rate": recipe.dropout, **options})
    if recipe.weights != "none" and recipe.head == "linear":
        _calm_head(network)
    accepted = settings is not None and settings.accept_non_commercial
    licence = load_starting(
        network, recipe.backbone, recipe.weights, recipe.weights_licence, accepted
    )
    _check_size(network, recipe)
    _freeze(network, recipe.tune)
    return network, licence


def _check_size(network: nn.Module, recipe: Recipe) -> None:
    """Show a network a blank picture: only its layers know what they can take."""
    size, training = recipe.size, network.training
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, 3, size, size))
    except Exception as error:  # networks raise nearly anything
        raise ModelError(
            f"{recipe.backbone} cannot take pictures of size {size}: {error}. Give another --size, "
            "or another --backbone."
        ) from error
    network.train(training)


def _calm_head(network: nn.Module) -> None:
    """Start a new last layer small: random weights of a usual size drown what features say.

    timm draws those of MobileNets and EfficientNets from ±1/√classes, which with few classes gives
    scores of ±10, and a head that never gets over them (clothing5: test accuracy .86 for .95).
    """
    last = [module for module in trained_part(network).modules() if isinstance(module, nn.Linear)]
    if last:
        nn.init.trunc_normal_(last[-1].weight, std=0.001)
        if last[-1].bias is not None:
            nn.init.zeros_(last[-1].bias)


def architecture(recipe: Recipe) -> tuple[str, dict[str, Any]]:
    """Name a recipe's network and its options, as its folder notes them."""
    name, options = recipe.backbone, recipe.options
    if recipe.head == "flatten-mlp":
        inner = {"backbone_options": options} if options else {}
        name, options = "flatten_mlp", {
            "backbone": recipe.backbone,
            "input_size": recipe.size,
            "hidden": recipe.hidden,
            "drop_rate": recipe.dropout,
            **inner,
        }  # fmt: skip
    return ("grey", {"of": name, **options}) if recipe.grey else (name, options)


def _freeze(network: nn.Module, tune: str) -> None:
    """Freeze all but the head (``head``), or all but the last stage and the head (``last``)."""
    if tune == "all":
        return
    head = {id(p) for p in trained_part(network).parameters()}
    if tune == "last":
        head |= _last_stage(network)
    for parameter in network.parameters():
        parameter.requires_grad = id(parameter) in head


def _last_stage(network: nn.Module) -> set[int]:
    """The parameters of the last of timm's coarse groups that is no head."""
    named = dict(network.named_parameters())
    matcher = getattr(network, "group_matcher", None)
    if matcher is None:
        raise ModelError("this network has no stages that timm could tell apart; use --tune all")
    groups = timm.models.group_parameters(network, matcher(coarse=True), reverse=True)
    head = {id(p) for p in trained_part(network).parameters()}
    body = [g for name, g in groups.items() if id(named[name]) not in head]
    last = sorted(set(body))[-2:]
    return {id(named[name]) for name, group in groups.items() if group in last}


def learner(
    network: nn.Module, recipe: Recipe, folder: Path, known: Features | None = None
) -> Learner:
    """Choose the way that is fastest for a recipe; ``known`` are features computed before."""
    if recipe.caches_features:
        return OnFeatures(network, recipe, folder, known)
    return OnPictures(network, recipe, folder)


class _Body(nn.Module):
    """A network on raw pictures; frozen layers stay in evaluation mode.

    So does the batch norm of starting weights: its statistics come from many more pictures, and
    where they were folded into the weights before, those of a batch would spoil the network.
    """

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.recipe = recipe
        self.head = trained_part(network) if recipe.tune == "head" else None

    def train(self, mode: bool = True) -> _Body:
        """Switch the mode; frozen parts drop nothing, and their batch norm learns nothing."""
        super().train(mode)
        if self.head is not None:
            self.network.eval()
            self.head.train(mode)
        elif self.recipe.weights != "none":
            for module in self.network.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def forward(self, batch: Tensor) -> Tensor:
        """Score pictures, uint8 of shape ``(n, size, size, 3)``."""
        inputs = normalised(batch, self.recipe.mean, self.recipe.std)
        if self.head is None:
            scores: Tensor = self.network(inputs)
            return scores
        with torch.no_grad():
            features = frozen_part(self.network)(inputs)
        scores = self.head(features)
        return scores


class OnPictures:
    """Train with every picture going through the network in every epoch."""

    def __init__(self, network: nn.Module, recipe: Recipe, folder: Path) -> None:
        self.network = network
        self.recipe = recipe
        self.folder = folder
        self._start = copy.deepcopy(network.state_dict()) if recipe.folds else {}

    def fit(self, examples: Examples, validation: Examples | None) -> Fitted:
        """Train on examples."""
        recipe = self.recipe
        augment = AUGMENTATIONS[recipe.augment]
        copies = recipe.copies if recipe.tune == "head" else recipe.epochs
        pictures = SquarePictures(examples, recipe.size, augment, copies, recipe.seed)
        held = None if validation is None or not len(validation) else self._plain(validation)
        objective = classification(recipe, examples.targets, _classes(self.network))
        train = batches(pictures, recipe, True)
        model = _Body(self.network, recipe)
        return fit(model, train, held, recipe, self.folder, objective, seed=recipe.seed,
                   keep_last=recipe.keep == "last")  # fmt: skip

    def _plain(self, examples: Examples) -> DataLoader[Any]:
        pictures = SquarePictures(examples, self.recipe.size, AUGMENTATIONS["none"], 1, 0)
        return batches(pictures, self.recipe, False)

    def scores(self, examples: Examples) -> NDArray[np.float32]:
        """Give the class probabilities of pictures."""
        model = _Body(self.network, self.recipe).eval()
        with torch.inference_mode():
            parts = [model(batch).softmax(1) for batch, _, _ in self._plain(examples)]
        return np.asarray(torch.cat(parts).numpy())

    def fresh(self, number: int, epochs: int) -> OnPictures:
        """Give a learner for a fold."""
        network = copy.deepcopy(self.network)
        network.load_state_dict(self._start)
        recipe = replace(self.recipe, epochs=max(1, epochs), seed=self.recipe.seed + 1 + number)
        return OnPictures(network, recipe, self.folder / "folds" / str(number))


class OnFeatures:
    """Train the head on features that the frozen backbone computed once per copy.

    Args:
        network: head and frozen backbone.
        recipe: how it is trained.
        folder: for its curves and checkpoints.
        known: features computed before, by this learner or others; new ones are added.
    """

    def __init__(
        self, network: nn.Module, recipe: Recipe, folder: Path, known: Features | None = None
    ) -> None:
        self.network = network
        self.recipe = recipe
        self.folder = folder
        self._known = {} if known is None else known
        self._start = copy.deepcopy(trained_part(network).state_dict())

    def fit(self, examples: Examples, validation: Examples | None) -> Fitted:
        """Train on examples."""
        augmented = self.features(examples, self.recipe.augment, self.recipe.copies)
        train = batches(FeatureCopies(augmented, examples.targets), self.recipe, True)
        held = None
        if validation is not None and len(validation):
            plain = FeatureCopies(self.features(validation, "none", 1), validation.targets)
            held = batches(plain, self.recipe, False)
        recipe, head = self.recipe, trained_part(self.network)
        objective = classification(recipe, examples.targets, _classes(self.network))
        return fit(head, train, held, recipe, self.folder, objective, seed=recipe.seed,
                   keep_last=recipe.keep == "last")  # fmt: skip

    def features(self, examples: Examples, augment: str, copies: int) -> list[Tensor]:
        """Give each picture's features ``(copies, …)``; those computed before are not again."""
        way = files.digest_of([self.recipe.features(augment), copies])
        wanted = [f"{digest}:{way}" for digest in examples.digests]
        new = [i for i, name in enumerate(wanted) if name not in self._known]
        pictures = SquarePictures(
            examples.pick(np.isin(np.arange(len(examples)), new)),
            self.recipe.size, AUGMENTATIONS[augment], copies, self.recipe.seed,
        )  # fmt: skip
        todo = [(i, copy) for i in range(len(pictures)) for copy in range(copies)]
        found = self._computed(pictures, todo)
        for position, index in enumerate(new):
            self._known[wanted[index]] = torch.stack(found[position * copies :][:copies])
        return [self._known[name] for name in wanted]

    def _computed(self, pictures: SquarePictures, todo: list[tuple[int, int]]) -> list[Tensor]:
        """Features of (picture, copy) pairs, in their order."""
        device = own_device()
        network = self.network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        body: Callable[[Tensor], Tensor] = frozen_part(network)
        result: list[Tensor] = []
        made = stream(lambda pair: pictures.picture(*pair), todo)
        with torch.inference_mode():
            for part in chunks(track(made, "Computing features", len(todo)), 32):
                batch = torch.from_numpy(np.stack([np.asarray(p) for _, p in part])).to(device)
                features = body(normalised(batch, self.recipe.mean, self.recipe.std))
                result.extend(features.float().cpu().clone())
        self.network.cpu()
        return result

    def scores(self, examples: Examples) -> NDArray[np.float32]:
        """Give the class probabilities of pictures."""
        features = torch.stack([one[0] for one in self.features(examples, "none", 1)])
        with torch.inference_mode():
            scores = trained_part(self.network).eval()(features)
        return np.asarray(scores.softmax(1).numpy())

    def fresh(self, number: int, epochs: int) -> OnFeatures:
        """Give a learner for a fold; it shares the features."""
        frozen = {id(p): p for p in self.network.parameters() if not p.requires_grad}
        network = copy.deepcopy(self.network, cast(dict[int, Any], frozen))
        trained_part(network).load_state_dict(self._start)
        recipe = replace(self.recipe, epochs=max(1, epochs))
        return OnFeatures(network, recipe, self.folder / "folds" / str(number), self._known)


def _classes(network: nn.Module) -> int:
    return int(network.num_classes)  # type: ignore[arg-type]  # timm's contract


def batches(pictures: Batched, recipe: Recipe, learning: bool) -> DataLoader[Any]:
    """Give the batches of a recipe: in a random order to learn from, or each picture once."""
    evenly = learning and IMBALANCE[recipe.imbalance].draws_evenly
    return loader(
        pictures,
        recipe.batch,
        recipe.seed if learning else None,
        chances=even_chances(pictures.targets.numpy()) if evenly else None,
        decodes=isinstance(pictures, SquarePictures) and not pictures.in_memory,
    )
