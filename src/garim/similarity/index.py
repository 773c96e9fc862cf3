"""An index: the vectors of pictures or objects, what they are of, and the model that made them.

The model is kept inside, so that the folder can be moved and asked anywhere; pictures stay where
they are, and are named with their folders.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from garim.dataset import Dataset
from garim.errors import DatasetError, Failure, ModelError
from garim.execution import ExecutionSettings, executed
from garim.models import embedder as embedders
from garim.models.classifier import Classifier
from garim.models.embedder import Embedder, Vectors
from garim.similarity.embeddings import Item, embedder_of, items_of, ready
from garim.similarity.settings import EmbedSettings, IndexSettings
from garim.similarity.stage import Embedding, gathered, keys
from garim.similarity.store import CONFIG, PART, Store, StoreConfig, writing
from garim.streaming import chunks
from garim.training.embedders import whitening

MODEL = "model"
"""Folder of the embedder inside the index."""

SAMPLE = 8192
"""Most vectors that whitening is learned from."""

SCHEMA: dict[str, Any] = {
    "picture": pl.String, "root": pl.String, "label": pl.String, "split": pl.String,
    "box": pl.List(pl.Float64), "digest": pl.String,
}  # fmt: skip
"""Columns of an index's rows; a box is [x, y, width, height], null for the whole picture."""


class Index:
    """An index on the disk.

    Args:
        folder: of the index.

    Raises:
        DatasetError: there is no index, or a part of it is broken.
    """

    def __init__(self, folder: Path | str) -> None:
        self.store = Store(folder)
        self.folder = self.store.folder

    def __len__(self) -> int:
        return len(self.store)

    @property
    def model(self) -> str:
        """Digest of the embedder that made the vectors."""
        return str(self.store.config.about.get("model"))

    @property
    def settings(self) -> IndexSettings:
        """How it was made."""
        try:
            return IndexSettings(**self.store.config.about["settings"])
        except (KeyError, TypeError) as error:
            place = self.folder / CONFIG
            raise DatasetError(f"{place}: does not say how the index was made: {error}") from error

    @cached_property
    def embedder(self) -> Embedder:
        """The embedder that made the vectors.

        Raises:
            ModelError: it is broken, or another was put into its place.
        """
        found = embedders.load(self.folder / MODEL)
        self.check(found)
        return found

    def check(self, embedder: Embedder) -> None:
        """Refuse the vectors of another model.

        Raises:
            ModelError: the embedder did not make this index.
        """
        if embedder.digest() != self.model:
            raise ModelError(
                f"{self.folder}: was made by the model {self.model}, whose vectors have nothing in "
                f"common with those of {embedder.digest()}; use the one in {self.folder / MODEL}, "
                "or make an index with the other"
            )

    def labels(self) -> list[str | None]:
        """Give the label of every vector."""
        return list(self.store.rows(columns=["label"])["label"]) if len(self) else []

    def with_digest(self, digest: str) -> list[tuple[str, str]]:
        """Give file name and root of the pictures with a content."""
        same = self.store.having("digest", digest, ["picture", "root"])
        return list(same.unique(maintain_order=True).iter_rows())

    def to_dict(self) -> dict[str, Any]:
        """Give what ``--json`` says about it."""
        config = self.store.config
        return {
            "index": str(self.folder),
            "vectors": len(self),
            "components": config.components,
            "model": self.model,
            "search": "exact" if config.graph is None else "approximate",
            "recall_at_10": None if config.graph is None else config.graph.recall,
        }


def opened(index: Index | Path | str) -> Index:
    """Open an index unless it is open.

    Raises:
        DatasetError: there is no index.
    """
    return index if isinstance(index, Index) else Index(index)


@dataclass(frozen=True, kw_only=True)
class Indexed:
    """What came of making an index, or of adding to it."""

    index: Index
    added: int
    known: int
    """Pictures or objects that were in it already."""
    seconds: float
    failures: tuple[Failure, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Give the result as it stands in ``--json``."""
        return {
            **self.index.to_dict(),
            "added": self.added,
            "already_there": self.known,
            "seconds": round(self.seconds, 2),
            "failed": [failure.to_dict() for failure in self.failures],
        }


def index(
    dataset: Dataset,
    to: Path | str,
    model: Classifier | Embedder | None = None,
    settings: IndexSettings | None = None,
    network: EmbedSettings | None = None,
    execution: ExecutionSettings | None = None,
) -> Indexed:
    """Make an index of a dataset's pictures, or of the objects in them.

    Run again after an interruption, the shards that are done are not looked at again.

    Args:
        dataset: pictures, with labels and boxes if there are any.
        to: folder for the index.
        model: a classifier, whose penultimate layer is used, or an embedder.
        settings: what is indexed, and how it is searched.
        network: where the vectors come from without a model.
        execution: where it runs.

    Raises:
        SettingsError: settings that cannot work.
        DatasetError: the folder holds something else, or another index.
        ModelError: the network or its weights cannot be had.
        ExecutionError: unfinished work of another run is in the way.
    """
    chosen, how = settings or IndexSettings(), network or EmbedSettings()
    chosen.check()
    folder, embedder = Path(to), embedder_of(model, how)
    source = embedder.digest()
    with writing(folder):
        if not (folder / CONFIG).exists():
            _begin(folder, dataset, embedder, chosen, how.runtime, execution)
        made = Index(folder)
        about = made.store.config.about
        if (about.get("source"), made.settings) != (source, chosen):
            raise DatasetError(
                f"{folder}: holds an index of another model or other settings; give another "
                "folder, or add to it with `garim search add`"
            )
        return _added(folder, dataset, how.runtime, execution)


def _begin(
    folder: Path, dataset: Dataset, embedder: Embedder, settings: IndexSettings,
    runtime: str | None, execution: ExecutionSettings | None,
) -> None:  # fmt: skip
    """Save the model, whitened if that is wanted, and an empty store."""
    if folder.exists() and any(
        one.name != MODEL and not one.name.startswith(".lock") for one in folder.iterdir()
    ):
        raise DatasetError(f"{folder}: is not empty and holds no index; give another folder")
    source = embedder.digest()
    if settings.whiten:
        if embedder.projection is not None:
            raise ModelError("this embedder has a projection already; leave --whiten out")
        seen = _sample(folder, dataset, embedder, settings.objects, runtime, execution)
        told = {"whitening": settings.whiten, "pictures": len(seen)}
        embedder = embedder.projected(whitening(seen, settings.whiten), told)
    embedder.save(folder / MODEL)
    about = {
        "model": embedder.digest(),
        "source": source,
        "settings": asdict(settings),
        "dataset": {"path": str(dataset.origin), "fingerprint": dataset.fingerprint()},
    }
    Store.create(folder, StoreConfig(
        components=embedder.components, half=settings.half, exact_up_to=settings.exact_up_to,
        recall=settings.recall, about=about,
    ))  # fmt: skip


def _sample(
    folder: Path, dataset: Dataset, embedder: Embedder, objects: bool,
    runtime: str | None, execution: ExecutionSettings | None,
) -> Vectors:  # fmt: skip
    """Embed some of the pictures, to learn a whitening from."""
    items = items_of(dataset, objects)
    drawn = sorted(np.random.default_rng(0).permutation(len(items))[:SAMPLE])
    network = ready(embedder, EmbedSettings(runtime=runtime), len(drawn))
    stage = Embedding(root=dataset.root.absolute(), embedder=network)
    about = _about(dataset, embedder.digest(), runtime)
    with executed(stage, [items[i] for i in drawn], execution, about=about, beside=folder,
                  description="Learning to whiten") as found:  # fmt: skip
        vectors = [vector for _, vector in gathered(found, [])]
    return np.array(vectors, np.float32).reshape(-1, embedder.components)


def add(
    to: Index | Path | str,
    dataset: Dataset,
    runtime: str | None = None,
    model: Classifier | Embedder | None = None,
    execution: ExecutionSettings | None = None,
) -> Indexed:
    """Add a dataset's pictures to an index; those that it has, by their content, are left out.

    Args:
        to: the index.
        dataset: pictures, with boxes if the index is one of objects.
        runtime: runs the network; plain PyTorch by default.
        model: to be sure that it is the one that made the index.
        execution: where it runs.

    Raises:
        ModelError: another model made the index.
        DatasetError: another process is writing to the index.
        ExecutionError: unfinished work of another run is in the way.
    """
    into = opened(to)
    if model is not None:
        into.check(embedder_of(model, EmbedSettings()))
    with writing(into.folder):
        return _added(into.folder, dataset, runtime, execution)


def _added(
    folder: Path, dataset: Dataset, runtime: str | None, execution: ExecutionSettings | None
) -> Indexed:
    """Add to an index that nobody else writes to."""
    started, into = time.perf_counter(), Index(folder)
    items, before = items_of(dataset, into.settings.objects), len(into)
    failures: list[Failure] = list(dataset.failures)
    network = ready(into.embedder, EmbedSettings(runtime=runtime), len(items))
    stage = Embedding(root=dataset.root.absolute(), embedder=network,
                      index=folder.absolute() if before else None)  # fmt: skip
    about = _about(dataset, into.model, runtime)
    with executed(stage, items, execution, about=about, beside=folder,
                  description="Indexing") as found:  # fmt: skip
        there = _append(into, gathered(found, failures))
        into.store.finish()
    return Indexed(
        index=into, added=len(into) - before, known=there,
        seconds=time.perf_counter() - started, failures=tuple(failures),
    )  # fmt: skip


def _about(dataset: Dataset, model: str, runtime: str | None) -> dict[str, Any]:
    """Say what vectors depend on besides the list of items."""
    return {"dataset": str(dataset.root.resolve()), "model": model, "runtime": runtime}


def _append(into: Index, found: Iterable[tuple[Item, Vectors | None]]) -> int:
    """Write what was embedded, a full part at a time; give how many there were already.

    Whoever is interrupted here finds what was written among what is known.
    """
    known, there = keys(into.store), 0
    for some in chunks(found, PART):
        new = []
        for item, vector in some:
            if vector is None or item.key in known:
                there += 1
            else:
                known.add(item.key)
                new.append((item, vector))
        if new:
            items, vectors = zip(*new, strict=True)
            into.store.append(np.stack(vectors), _table(items))
    return there


def _table(items: Sequence[Item]) -> pl.DataFrame:
    rows = [
        (one.picture, str(one.root.resolve()), one.label, one.split,
         None if one.box is None else [float(v) for v in one.box.xywh()], one.digest)
        for one in items
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")
