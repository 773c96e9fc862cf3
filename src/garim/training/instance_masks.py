"""Pictures whose objects have masks of their own, and the crops that Mask R-CNN learns from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as run_lengths
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset
from torchvision.ops import masks_to_boxes

from garim import files, pictures
from garim.dataset import Dataset
from garim.errors import Failure, PictureError
from garim.formats.rows import Object, Row
from garim.models.segmenter import at_working_size
from garim.pictures import Pixels
from garim.streaming import stream, track
from garim.training.masks import Cropping, draw_crop

UNNAMED = "object"
"""Class of objects that have no label."""

LEAST = 4
"""Fewest pixels of an object that is learned."""

Ids = NDArray[np.uint16]
"""Which object each pixel belongs to, from 1; 0 for none, shape ``(height, width)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlined:
    """A picture whose objects have masks."""

    name: str
    path: Path
    size: tuple[int, int]
    """Width and height in pixels."""
    digest: str
    labels: tuple[str, ...]
    """Label of each object."""
    masks: tuple[Path | str, ...]
    """Of each object: a file, white where the object is; or COCO's segmentation as JSON."""

    def mask(self, number: int) -> NDArray[np.bool_]:
        """Give where one object is, shape ``(height, width)``.

        Raises:
            PictureError: its mask cannot be read, or has another size.
        """
        source, (width, height) = self.masks[number], self.size
        if isinstance(source, str):
            return _decoded(source, self.size, self.path)
        values = pictures.open_mask(source)[0]
        if values.shape != (height, width):
            found, expected = f"{values.shape[1]} × {values.shape[0]}", f"{width} × {height}"
            raise PictureError(
                self.path, f"its mask {source.name} has {found} pixels, the picture {expected}"
            )
        return values > 0


def _decoded(segmentation: str, size: tuple[int, int], path: Path) -> NDArray[np.bool_]:
    """Draw COCO's polygons or run lengths."""
    width, height = size
    given: Any = json.loads(segmentation)
    try:
        if isinstance(given, list):
            coded = run_lengths.merge(run_lengths.frPyObjects(given, height, width))
        elif isinstance(given["counts"], list):
            coded = run_lengths.frPyObjects(given, height, width)
        else:
            coded = {"size": given["size"], "counts": given["counts"].encode()}
        mask = np.asarray(run_lengths.decode(coded), dtype=bool)
    except Exception as error:  # the C code raises nearly anything
        raise PictureError(path, f"an object's segmentation cannot be read: {error}") from error
    if mask.shape != (height, width):
        raise PictureError(path, "an object's segmentation has another size than the picture")
    return mask


def look_at_outlines(dataset: Dataset) -> tuple[list[Outlined], list[Failure]]:
    """List pictures whose objects have masks that can be read, and those that cannot be used."""
    rows = list({row.file_name: row for row in dataset.rows}.values())
    good, failures = [], []
    seen = stream(lambda row: _look(dataset, row), rows)
    for row, result in track(seen, "Reading masks", len(rows)):
        if isinstance(result, PictureError):
            failures.append(Failure(row.file_name, result.reason))
        else:
            good.append(result)
    return good, failures


def _look(dataset: Dataset, row: Row) -> Outlined:
    path = dataset.path(row)
    drawn: list[Object] = [one for one in row.objects if one.outline]
    if not drawn and not row.instance_mask_names:
        raise PictureError(path, "has no masks of single objects")
    pictures.open_picture(path, at_least=32)
    header = pictures.header(path)
    found = Outlined(
        name=row.file_name,
        path=path,
        size=(header.width, header.height),
        digest=files.digest(path),
        labels=(*(one.label for one in drawn),
                *(row.label or UNNAMED for _ in row.instance_mask_names)),
        masks=(*(one.outline or "" for one in drawn),
               *(dataset.root / name for name in row.instance_mask_names)),
    )  # fmt: skip
    for number in range(len(found.masks)):
        found.mask(number)
    return found


def open_objects(one: Outlined, longest: int) -> tuple[Pixels, Ids]:
    """Open a picture with its objects at the size that the network works at.

    Where objects overlap, the later one is on top.

    Raises:
        PictureError: something cannot be opened.
    """
    image = pictures.open_picture(one.path, at_least=longest or None).image
    picture = at_working_size(pictures.to_array(image), longest)
    ids = np.zeros((one.size[1], one.size[0]), np.uint16)
    for number in range(len(one.masks)):
        ids[one.mask(number)] = number + 1
    size = picture.shape[1], picture.shape[0]
    return picture, cv2.resize(ids, size, interpolation=cv2.INTER_NEAREST_EXACT).astype(np.uint16)


Target = dict[str, Tensor]
"""What torchvision's detectors learn: ``boxes (n, 4)``, ``labels (n,)``, ``masks (n, h, w)``."""


class ObjectCrops(TorchDataset[tuple[Tensor, Target]]):
    """Random crops, float ``(3, size, size)`` from 0 to 1, with the objects in them.

    What a picture gets in an epoch depends on the seed, its content and the epoch only.
    """

    def __init__(
        self, outlined: Sequence[Outlined], classes: Sequence[str], cropping: Cropping, seed: int
    ) -> None:
        self.outlined, self.cropping, self.seed = outlined, cropping, seed
        self.number = {name: index for index, name in enumerate(classes, start=1)}
        opened = stream(lambda one: open_objects(one, cropping.longest), outlined)
        self._held = [self._or_empty(r) for _, r in track(opened, "Decoding", len(outlined))]

    def __len__(self) -> int:
        return len(self.outlined)

    def __getitem__(self, number: int) -> tuple[Tensor, Target]:
        epoch, index = divmod(number, len(self))
        one, (picture, ids) = self.outlined[index], self._held[index]
        rng = np.random.default_rng([self.seed, int(one.digest, 16), epoch])
        crop, found = draw_crop(picture, ids, self.cropping, rng, beside=0)
        labels = np.array([0, *(self.number[name] for name in one.labels)])
        return torch.from_numpy(crop).permute(2, 0, 1).float().div(255), target_of(found, labels)

    def __getitems__(self, numbers: Sequence[int]) -> tuple[list[Tensor], list[Target]]:
        """Give a batch; ``numbers`` are those of `garim.training.batches.Order`."""
        crops, targets = zip(*(self[number] for number in numbers), strict=True)
        return list(crops), list(targets)

    def _or_empty(self, opened: tuple[Pixels, Ids] | PictureError) -> tuple[Pixels, Ids]:
        """A picture that broke since it was checked a moment ago must not end the run."""
        if isinstance(opened, PictureError):
            side = self.cropping.size
            return np.full((side, side, 3), 127, np.uint8), np.zeros((side, side), np.uint16)
        return opened


def target_of(ids: Ids, labels: NDArray[np.int64]) -> Target:
    """Give the objects of a crop, without those of which too little is left.

    Args:
        ids: which object each pixel belongs to.
        labels: class number of each object, by its id.
    """
    counts = np.bincount(ids.ravel())
    kept = [i for i in range(1, len(counts)) if counts[i] >= LEAST]
    masks = torch.from_numpy(
        np.stack([ids == i for i in kept]) if kept else np.zeros((0, *ids.shape))
    )
    boxes = masks_to_boxes(masks).float()
    boxes[:, 2:] += 1  # of the last pixels' far sides: never without area
    return {"boxes": boxes, "labels": torch.from_numpy(labels[kept]).long(), "masks": masks.byte()}
