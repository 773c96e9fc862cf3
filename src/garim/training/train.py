"""Train a classifier: read the recipe from top to bottom.

1. resolve the settings          3. hold pictures out           5. train, keep the best weights
2. list the pictures             4. build the network           6. train the folds, save the folder
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
from lightning.pytorch.utilities.seed import isolate_rng
from numpy.typing import NDArray
from torch import nn

from garim import files
from garim.dataset import Dataset
from garim.errors import DatasetError, Failure, ModelError
from garim.models.classifier import Card, Classifier
from garim.training.data import Examples, check_classes, collect, fold_numbers, hold_out
from garim.training.learners import Learner, build, learner
from garim.training.localizer import fit_localizer
from garim.training.settings import Recipe, TrainSettings, resolve

UNFINISHED = "unfinished.json"
"""File that marks a folder whose training can be continued."""


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
    recipe = resolve(settings or TrainSettings())
    with _folder(out, recipe, dataset) as folder, isolate_rng():
        L.seed_everything(recipe.seed, verbose=False)
        fitting, validation, failures = _pictures(dataset, recipe)
        network, licence = build(recipe, dataset.classes, settings)
        made = learner(network, recipe, folder)
        if out is not None:  # not before: what fails until here leaves nothing behind
            files.write_json(folder / UNFINISHED, {"recipe": _name(recipe, dataset)})
        fitted = made.fit(fitting, validation)
        metrics = dict(fitted.metrics)
        folds, fold_of = _train_folds(made, fitting, recipe, fitted.epochs, metrics)
        card = _card(recipe, dataset, metrics, licence, fold_of)
        fold_card = replace(card, folds=0, fold_of={})
        localizer = fit_localizer(network, fitting, recipe) if recipe.localizer else None
        parts = [Classifier(n, fold_card) for n in folds]
        classifier = Classifier(network, card, parts, localizer)
        if out is not None:
            classifier.save(folder)
            _tidy(folder)
    return Trained(
        classifier=classifier,
        folder=None if out is None else folder,
        recipe=recipe,
        seconds=time.perf_counter() - started,
        pictures=len(fitting),
        failures=tuple(failures),
        notes=tuple(_notes(dataset, fitting)),
    )


def _name(recipe: Recipe, dataset: Dataset) -> str:
    return files.digest_of([recipe.to_dict(), dataset.fingerprint()])


def _tidy(folder: Path) -> None:
    """Remove what only an unfinished training needs."""
    for checkpoints in (folder / "checkpoints", *folder.glob("folds/*/checkpoints")):
        shutil.rmtree(checkpoints, ignore_errors=True)
    (folder / UNFINISHED).unlink(missing_ok=True)


@contextmanager
def _folder(out: Path | str | None, recipe: Recipe, dataset: Dataset) -> Iterator[Path]:
    """Give the folder to work in; an unfinished run of the same recipe is continued there."""
    if out is None:
        with tempfile.TemporaryDirectory(prefix="garim-") as name:
            yield Path(name)
        return
    folder = Path(out)
    if (folder / "config.json").exists():
        _tidy(folder)
        raise ModelError(f"{folder}: already holds a model; give another folder with --out")
    marker = folder / UNFINISHED
    if marker.exists() and _name(recipe, dataset) not in marker.read_text():
        raise ModelError(
            f"{folder}: holds an unfinished training of other settings or data; "
            "finish that one, delete the folder, or give another with --out"
        )
    if folder.exists() and not folder.is_dir():
        raise ModelError(f"{folder}: is a file; give a folder with --out")
    if not marker.exists() and folder.exists() and any(folder.iterdir()):
        raise ModelError(f"{folder}: is not empty and holds no training; give another with --out")
    yield folder


def _pictures(dataset: Dataset, recipe: Recipe) -> tuple[Examples, Examples, list[Failure]]:
    fitting, failures = collect(_to_train_on(dataset), dataset.classes)
    check_classes(fitting, dataset.classes, dataset.origin)
    if "validation" in dataset.splits:
        part = dataset.where(split=["validation"])
        validation, more = collect(part, dataset.classes)
        failures += more
    else:
        held = hold_out(fitting, recipe.validation, recipe.seed)
        fitting, validation = fitting.pick(~held), fitting.pick(held)
    groups = len(np.unique(fitting.groups))
    if recipe.folds > groups:
        raise DatasetError(
            f"{dataset.origin}: {recipe.folds} folds need as many different pictures to train on; "
            f"there are {groups}. Give fewer folds, or more pictures."
        )
    return fitting, validation, failures


def _to_train_on(dataset: Dataset) -> Dataset:
    """Keep the train split, or what is in no split; never what is meant for testing."""
    if "train" in dataset.splits:
        return dataset.where(split=["train"])
    rows = tuple(row for row in dataset.rows if row.split is None)
    if dataset.rows and not rows:
        found = ", ".join(dataset.splits)
        raise DatasetError(
            f"{dataset.origin}: has no train split, only {found}. Put the pictures to train on "
            "into a folder named train, or divide the dataset with `garim split`."
        )
    return replace(dataset, rows=rows)


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
        right[inside] = one.predict(examples.pick(inside)) == examples.targets[inside]
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
    flat = recipe.head == "flatten-mlp"
    options = {
        "backbone": recipe.backbone,
        "input_size": recipe.size,
        "hidden": recipe.hidden,
        "drop_rate": recipe.dropout,
        **({"backbone_options": recipe.options} if recipe.options else {}),
    }
    return Card(
        architecture="flatten_mlp" if flat else recipe.backbone,
        options=options if flat else recipe.options,
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
