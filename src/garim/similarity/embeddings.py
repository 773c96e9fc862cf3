"""Vectors of many pictures, or of the objects in them: one decode each, bounded memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from garim import files, pictures
from garim.boxes import Box
from garim.dataset import Dataset
from garim.errors import PictureError, SettingsError
from garim.models.classifier import Classifier
from garim.models.embedder import Embedder, EmbedderCard, Vectors
from garim.models.runtime import resolve
from garim.pictures import Decoded, Pixels
from garim.similarity.settings import EmbedSettings
from garim.streaming import chunks, stream
from garim.training.embedders import starting_embedder

_AT_ONCE = 32
_OF_NETWORK, _OF_VECTORS = ("backbone", "weights", "size", "mean", "std"), ("pooling", "views")
"""Settings that a model has, and those that only an embedder has."""


@dataclass(frozen=True, slots=True)
class Item:
    """What one vector stands for: a picture, or an object in it."""

    picture: str
    """File name relative to the root."""
    root: Path
    label: str | None = None
    split: str | None = None
    box: Box | None = None
    """In pixels of the upright picture; None for the whole of it."""
    digest: str = ""
    """Name of the file's content, once it is read."""

    @property
    def path(self) -> Path:
        """The file."""
        return self.root / self.picture

    @property
    def key(self) -> tuple[str, str]:
        """Tell it from others: what is in the file, and which part of it."""
        return self.digest, "" if self.box is None else str(self.box.xywh())


@dataclass(frozen=True, slots=True)
class Embedded:
    """What came of an item."""

    digest: str
    """Name of the file's content."""
    vector: Vectors | None
    """Shape ``(components,)``; None where the item was known."""


def embedder_of(model: Classifier | Embedder | None, settings: EmbedSettings) -> Embedder:
    """Give the embedder that a model is, or else a network with starting weights.

    Raises:
        SettingsError: settings of a network beside a model that has its own.
        ModelError: the network or its weights cannot be had.
    """
    own = _OF_NETWORK + (_OF_VECTORS if isinstance(model, Embedder) else ())
    fixed = {name for name in own if getattr(settings, name) is not None}
    if model is not None and fixed:
        raise SettingsError([f"the model has its own {', '.join(sorted(fixed))}; leave these out"])
    if isinstance(model, Embedder):
        return model
    pooling, views = settings.pooling or "own", settings.views or "one"
    if model is None:
        return starting_embedder(settings.network(), pooling, views)
    card = EmbedderCard.of_classifier(model.card, model.digest(), pooling, views)
    return Embedder(model.network, card)


def ready(embedder: Embedder, settings: EmbedSettings, pictures: int) -> Embedder:
    """Choose the runtime for so many pictures, if one is asked for."""
    if settings.runtime is None:
        return embedder
    return embedder.with_runtime(resolve(settings.runtime, embedder.device, pictures))


def items_of(dataset: Dataset, objects: bool) -> list[Item]:
    """List what is embedded: each picture and label, or each box of the dataset."""
    found = []
    for row in dataset.rows:
        whole = Item(row.file_name, dataset.root, row.label, row.split)
        boxes = [one for one in row.objects if not one.box.is_degenerate] if objects else []
        found += [replace(whole, label=one.label, box=one.box) for one in boxes] or [whole]
    return found


def square(path: Path, box: Box | None, side: int) -> Pixels:
    """Open a picture, cut a box out, and squeeze it to ``side × side`` pixels.

    Raises:
        PictureError: it cannot be opened, or the box is outside it.
    """
    if box is None:
        return pictures.square(path, side)
    decoded = pictures.open_picture(path, at_least=_pixels_for(path, box, side))
    return pictures.to_array(cut(decoded, box, path).resize((side, side), _SMOOTH))


_SMOOTH = Image.Resampling.BILINEAR


def cut(decoded: Decoded, box: Box, path: Path) -> Image.Image:
    """Cut a box, given in full pixels, out of a picture.

    Raises:
        PictureError: the box is outside it.
    """
    part = box.clip(*decoded.size)
    if part.is_degenerate:
        sides = " × ".join(str(side) for side in decoded.size)
        raise PictureError(path, f"the box {box.xywh()} has no pixel of the {sides} picture")
    inner = part.scale(*decoded.scale)
    size = max(round(inner.width), 1), max(round(inner.height), 1)
    return decoded.crop(part, size)


def _pixels_for(path: Path, box: Box, side: int) -> int:
    """Pixels a side that a picture must have for its box to have ``side``."""
    head = pictures.header(path)
    return round(min(head.width, head.height) * side / max(min(box.width, box.height), 1))


def embed(
    items: Iterable[Item], embedder: Embedder, known: Collection[tuple[str, str]] = frozenset()
) -> Iterator[Embedded | PictureError]:
    """Embed items batch by batch; one result for each, in their order.

    Args:
        items: read as they are needed.
        embedder: makes the vectors.
        known: keys of items that are left out without being decoded.
    """

    def opened(item: Item) -> tuple[str, Pixels | None]:
        try:
            named = replace(item, digest=files.digest(item.path))
        except OSError as error:
            reason = f"cannot be read: {error.strerror or error}"
            raise PictureError(item.path, reason) from error
        is_known = named.key in known
        return named.digest, None if is_known else square(item.path, item.box, embedder.side)

    for part in chunks(stream(opened, items), _AT_ONCE):
        results = [result for _, result in part]
        batch = [pixels for one in results if (pixels := _pixels_of(one)) is not None]
        vectors = iter(embedder(np.stack(batch)) if batch else ())
        for one in results:
            if isinstance(one, PictureError):
                yield one
            else:
                yield Embedded(one[0], None if one[1] is None else next(vectors))


def _pixels_of(opened: tuple[str, Pixels | None] | PictureError) -> Pixels | None:
    return None if isinstance(opened, PictureError) else opened[1]
