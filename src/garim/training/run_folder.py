"""The folder that a training works in, for every task: marked while unfinished, then a model's."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from garim import files, locks
from garim.dataset import Dataset
from garim.errors import DatasetError, ModelError
from garim.models.folder import UNFINISHED
from garim.training.processes import everywhere, is_first

WHERE = ("devices",)
"""Settings that say where a training runs, not what it makes; one may go on somewhere else."""


class Saved(Protocol):
    """A model that can be kept."""

    def save(self, target: Path) -> None:
        """Write its folder."""


def name_of(recipe: dict[str, Any], dataset: Dataset) -> str:
    """Name a training by its settings and its data; equal trainings, equal names."""
    what = {name: value for name, value in recipe.items() if name not in WHERE}
    return files.digest_of([what, dataset.fingerprint()])


@contextmanager
def run_folder(out: Path | str | None, name: str) -> Iterator[Path]:
    """Give the folder to work in; an unfinished training of the same name is continued there.

    Of several processes of one training, the first checks the folder and writes there.

    Raises:
        ModelError: ``out`` holds a model, another training, or something else; or another process
            trains there.
    """
    if out is None:
        with tempfile.TemporaryDirectory(prefix="garim-") as temporary:
            yield Path(temporary)
        return
    folder = Path(out)
    if not is_first():
        yield folder
        return
    with locks.alone(locks.beside(folder), folder, "being trained", error=ModelError):
        _check(folder, name)
        yield folder


def _check(folder: Path, name: str) -> None:
    files.remove_strays(folder)
    if (folder / "config.json").exists():
        tidy(folder)
        raise ModelError(f"{folder}: already holds a model; give another folder with --out")
    marker = folder / UNFINISHED
    if marker.exists() and name not in marker.read_text():
        raise ModelError(
            f"{folder}: holds an unfinished training of other settings or data; "
            "finish that one, delete the folder, or give another with --out"
        )
    if folder.exists() and not folder.is_dir():
        raise ModelError(f"{folder}: is a file; give a folder with --out")
    if not marker.exists() and folder.exists() and any(folder.iterdir()):
        raise ModelError(f"{folder}: is not empty and holds no training; give another with --out")


@contextmanager
def own(folder: Path) -> Iterator[Path]:
    """Give a folder that no other process writes to: a temporary one where this is not the first.

    It may not be there yet.
    """
    if is_first():
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="garim-") as temporary:
        yield Path(temporary) / folder.name


def mark(folder: Path, name: str) -> None:
    """Mark a folder as an unfinished training's."""
    if is_first():
        files.write_json(folder / UNFINISHED, {"recipe": name})


def keep(model: Saved, folder: Path) -> None:
    """Save a trained model in its training's folder, and remove what only the training needs.

    Other processes go on when the first has done it.
    """
    if is_first():
        model.save(folder)
        tidy(folder)
    everywhere()


def tidy(folder: Path) -> None:
    """Remove what only an unfinished training needs."""
    for checkpoints in (folder / "checkpoints", *folder.glob("folds/*/checkpoints")):
        shutil.rmtree(checkpoints, ignore_errors=True)
    (folder / UNFINISHED).unlink(missing_ok=True)


def to_train_on(dataset: Dataset) -> Dataset:
    """Keep the train split, or what is in no split; never what is meant for testing.

    Raises:
        DatasetError: all pictures are in other splits.
    """
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
