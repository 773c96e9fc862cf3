"""Train a classifier: read the recipe from top to bottom.

1. resolve the settings          3. hold pictures out           5. train, keep the best weights
2. list the pictures             4. build the network           6. train the folds, save the folder
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from garim.dataset import Dataset
from garim.errors import DatasetError, Failure
from garim.models.classifier import Card, Classifier
from garim.training.calibration import calibrate
from garim.training.data import Examples, check_classes, collect, fold_numbers, hold_out
from garim.training.learners import Learner, architecture, build, learner
from garim.training.localizer import fit_localizer
from garim.training.loop import seeded
from garim.training.reasons import reasons
from garim.training.run_folder import keep, mark, name_of, run_folder, to_train_on
from garim.training.settings import Recipe, TrainSettings, resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A trained classifier and how it went."""

    classifier: Classifier
    folder: Path | None
    recipe: Recipe
    seconds: float
    pictures: int
    """Pictures trained on."""
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
    """What a user should know, such as classes with very few pictures."""
    chosen: tuple[str, ...] = ()
    """What was chosen where nothing was set, and why."""

    def to_dict(self) -> dict[str, Any]:
        """Give the result as it stands in ``--json``."""
        return {
            "model": str(self.folder) if self.folder else None,
            "task": "classify",
            "classes": list(self.classifier.classes),
            "seconds": round(self.seconds, 2),
            "metrics": self.classifier.card.metrics,
            "pictures": self.pictures,
            "recipe": self.recipe.to_dict(),
            "notes": list(self.notes),
            "chosen": list(self.chosen),
            "failed": [failure.to_dict() for failure in self.failures],
        }


def train(
    dataset: Dataset, settings: TrainSettings | None = None, out: Path | str | None = None
) -> Trained:
    """Train a classifier on the labels of a dataset.

    Only the ``train`` split is used when there are splits, and ``validation`` to choose the best
    epoch; ``test`` is never looked at. Run again after an interruption, it goes on where it was.

    Args:
        dataset: pictures with labels.
        settings: network, what is trained, augmentation, folds; open ones are chosen.
        out: folder for the model; None to keep it in memory only.

    Raises:
        SettingsError: settings that cannot work.
        DatasetError: fewer than two classes.
        ModelError: unknown network, no weights to be had, or ``out`` holds another model.
    """
    started = time.perf_counter()
    settings = settings or TrainSettings()
    recipe = resolve(settings, _labelled(dataset))
    name = name_of(recipe.to_dict(), dataset)
    with run_folder(out, name) as folder, seeded(recipe.seed):
        gathered = gather(dataset)
        fitting, validation = gathered.held_out(recipe)
        network, licence = build(recipe, dataset.classes, settings)
        made = learner(network, recipe, folder)
        if out is not None:  # not before: what fails until here leaves nothing behind
            mark(folder, name)
        fitted = made.fit(fitting, validation)
        metrics = dict(fitted.metrics)
        folds, fold_of = _train_folds(made, fitting, recipe, fitted.epochs, metrics)
        temperature = calibrate(made, validation, metrics)
        card = replace(_card(recipe, dataset, metrics, licence, fold_of), temperature=temperature)
        fold_card = replace(card, folds=0, fold_of={})
        localizer = fit_localizer(network, fitting, recipe) if recipe.localizer else None
        parts = [Classifier(n, fold_card) for n in folds]
        classifier = Classifier(network, card, parts, localizer)
        if out is not None:
            keep(classifier, folder)
    return Trained(
        classifier=classifier,
        folder=None if out is None else folder,
        recipe=recipe,
        seconds=time.perf_counter() - started,
        pictures=len(fitting),
        failures=gathered.failures,
        notes=tuple(_notes(dataset, fitting)),
        chosen=reasons(settings, recipe, len(fitting)),
    )


def _labelled(dataset: Dataset) -> int:
    """Count what there is to train on; the size of a test split must not change what is chosen."""
    return sum(row.label is not None for row in to_train_on(dataset).rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """The pictures of a dataset that a training may see."""

    fitting: Examples
    validation: Examples | None
    """None where the dataset has no validation split."""
    failures: tuple[Failure, ...]

    def held_out(self, recipe: Recipe) -> tuple[Examples, Examples]:
        """Give the pictures to train on and those to validate with.

        Raises:
            DatasetError: fewer different pictures than folds.
        """
        fitting, validation = self.fitting, self.validation
        if validation is None:
            held = hold_out(fitting, recipe.validation, recipe.seed)
            fitting, validation = fitting.pick(~held), fitting.pick(held)
        groups = len(np.unique(fitting.groups))
        if recipe.folds > groups:
            raise DatasetError(
                f"{recipe.folds} folds need as many different pictures to train on; there are "
                f"{groups}. Give fewer folds, or more pictures."
            )
        return fitting, validation


def gather(dataset: Dataset) -> Gathered:
    """List the pictures to train on and to validate with.

    Raises:
        DatasetError: fewer than two classes, or nothing to train on.
    """
    fitting, failures = collect(to_train_on(dataset), dataset.classes)
    check_classes(fitting, dataset.classes, dataset.origin)
    validation = None
    if "validation" in dataset.splits:
        validation, more = collect(dataset.where(split=["validation"]), dataset.classes)
        failures += more
    return Gathered(fitting=fitting, validation=validation, failures=tuple(failures))


def _train_folds(
    main: Learner, examples: Examples, recipe: Recipe, epochs: int, metrics: dict[str, float]
) -> tuple[list[nn.Module], dict[str, int]]:
    """Train a network per fold on the other folds, and note their accuracy on their own."""
    if not recipe.folds:
        return [], {}
    number = fold_numbers(examples, recipe.folds, recipe.seed)
    networks = []
    right: NDArray[np.bool_] = np.zeros(len(examples), dtype=bool)
    for fold in range(recipe.folds):
        inside = number == fold
        one = main.fresh(fold, epochs)
        one.fit(examples.pick(~inside), None)
        right[inside] = one.scores(examples.pick(inside)).argmax(1) == examples.targets[inside]
        networks.append(one.network)
    metrics["out_of_fold_accuracy"] = float(right.mean())
    return networks, dict(zip(examples.digests, number.tolist(), strict=True))


def _card(
    recipe: Recipe,
    dataset: Dataset,
    metrics: dict[str, float],
    licence: str,
    fold_of: dict[str, int],
) -> Card:
    name, options = architecture(recipe)
    return Card(
        architecture=name,
        options=options,
        classes=dataset.classes,
        size=recipe.size,
        mean=recipe.mean,
        std=recipe.std,
        weights_licence=licence,
        dataset=dataset.fingerprint(),
        trained=recipe.to_dict(),
        metrics={name: round(value, 6) for name, value in metrics.items()},
        folds=recipe.folds,
        fold_of=fold_of,
    )


def _notes(dataset: Dataset, fitting: Examples) -> Sequence[str]:
    counts = np.bincount(fitting.targets, minlength=len(dataset.classes))
    few = [f"{c} ({n})" for c, n in zip(dataset.classes, counts, strict=True) if n < 5]
    return [f"classes with very few pictures to train on: {', '.join(few)}"] if few else []
