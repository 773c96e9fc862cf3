"""Pictures with masks: which can be used, what the values mean, what is learned from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from garim import files, pictures
from garim.dataset import Dataset
from garim.errors import Failure, PictureError
from garim.formats import labels
from garim.formats.rows import Row
from garim.models.palette import Mask, Palette, voc_palette
from garim.models.segmenter import at_working_size, filling
from garim.pictures import Pixels
from garim.streaming import stream, track
from garim.training.data import IN_MEMORY

VOID = 255
"""What pixels that are not judged are called, whatever the files call them."""

VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip
"""Names of the values in PASCAL VOC's ``SegmentationClass``."""

NAME_FILES = ("classes.txt", "labels.txt")
"""Files in a dataset's root that name the values of its masks, a line each, value 0 first."""

_WHITE = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """A picture that can be opened, with its mask."""

    name: str
    path: Path
    mask: Path
    digest: str
    counts: NDArray[np.int64]
    """Pixels of each value in the mask, shape ``(256,)``."""
    palette: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskRule:
    """What the values of masks mean."""

    classes: tuple[str, ...]
    """Names of the values 0, 1, 2 …"""
    void: int
    """Value that is not judged; −1 for none."""
    white: bool = False
    """Whether the masks are black and white: 255 is class 1."""

    def read(self, path: Path) -> Mask:
        """Open a mask as class numbers and ``VOID``.

        Raises:
            PictureError: it cannot be opened, or is no mask.
        """
        values: Mask = self.meaning()[pictures.open_mask(path)[0]]
        return values

    def meaning(self) -> NDArray[np.uint8]:
        """Give the class number, or ``VOID``, of each value that a file may hold."""
        table = np.arange(256, dtype=np.uint8)
        if self.void >= 0:
            table[self.void] = VOID
        if self.white:
            table[_WHITE] = 1
        return table

    def counts(self, one: Masked) -> NDArray[np.int64]:
        """Count a mask's pixels of each class, shape ``(classes,)``."""
        found = np.bincount(self.meaning(), weights=one.counts, minlength=256)
        return found[: len(self.classes)].astype(np.int64)

    def stranger(self, counts: NDArray[np.int64]) -> int | None:
        """Give a value that has pixels but no meaning."""
        meaning = self.meaning()
        known = (meaning < len(self.classes)) | ((meaning == VOID) & (self.void >= 0))
        found = np.flatnonzero((counts > 0) & ~known)
        return int(found[0]) if len(found) else None


def look_at_masks(dataset: Dataset) -> tuple[list[Masked], list[Failure]]:
    """Open every picture's header and mask; list what cannot be used, and why."""
    rows = list({row.file_name: row for row in dataset.rows}.values())
    good, failures = [], []
    seen = stream(lambda row: _look(dataset, row), rows)
    for row, result in track(seen, "Reading masks", len(rows)):
        if isinstance(result, PictureError):
            failures.append(Failure(row.file_name, str(result.reason)))
        else:
            good.append(result)
    return good, failures


def _look(dataset: Dataset, row: Row) -> Masked:
    path = dataset.path(row)
    if row.mask_file_name is None:
        raise PictureError(path, "has no mask")
    pictures.open_picture(path, at_least=32)
    header = pictures.header(path)
    mask = dataset.root / row.mask_file_name
    try:
        values, palette = pictures.open_mask(mask)
    except PictureError as error:
        raise PictureError(path, f"its mask {row.mask_file_name}: {error.reason}") from error
    if values.shape != (header.height, header.width):
        size = f"{values.shape[1]} × {values.shape[0]}"
        expected = f"the picture {header.width} × {header.height}"
        raise PictureError(path, f"its mask {row.mask_file_name} has {size} pixels, {expected}")
    counts = np.bincount(values.ravel(), minlength=256)
    return Masked(name=row.file_name, path=path, mask=mask, digest=files.digest(path),
                  counts=counts, palette=palette)  # fmt: skip


def rule_of(
    dataset: Dataset, masked: Sequence[Masked], names: Sequence[str] = (), void: int = VOID
) -> MaskRule:
    """Find out what the values of a dataset's masks mean.

    Names come from, in this order: those given; ``classes.txt`` or ``labels.txt``, where the
    pictures have no labels of their own; PASCAL VOC's; ``background`` and the dataset's classes;
    else the values are their own names. Names that are fewer than the values are not taken.
    """
    total = sum((one.counts for one in masked), np.zeros(256, np.int64))
    values = set(np.flatnonzero(total).tolist())
    white = _WHITE in values and values <= {0, _WHITE} and void in {-1, _WHITE}
    most = 1 if white else max(values - {void}, default=0)
    candidates = _candidates(dataset, masked)
    if white:
        candidates.append(("background", "object"))
    fits = (one for one in candidates if len(one) > most)
    found = tuple(names) or next(fits, tuple(str(value) for value in range(most + 1)))
    return MaskRule(classes=found, void=void, white=white)


def _candidates(dataset: Dataset, masked: Sequence[Masked]) -> list[tuple[str, ...]]:
    labelled = any(row.label or row.objects for row in dataset.rows)
    listed = [dataset.root / name for name in NAME_FILES]
    named = [] if labelled else [_names_in(path) for path in listed if path.is_file()]
    if all(one.mask.parent.name.lower() == "segmentationclass" for one in masked):
        named.append(VOC_CLASSES)
    return [*named, ("background", *dataset.classes)] if dataset.classes else named


def _names_in(path: Path) -> tuple[str, ...]:
    names = (labels.clean(line) for line in labels.read_text(path).splitlines())
    return tuple(name for name in names if name)


def usable(masked: Iterable[Masked], rule: MaskRule, failures: list[Failure]) -> tuple[Masked, ...]:
    """Keep the masks whose values all have a meaning; the others are added to the failures."""
    kept = []
    for one in masked:
        value = rule.stranger(one.counts)
        if value is None:
            kept.append(one)
        else:
            known = f"there are {len(rule.classes)} classes, from 0, and {rule.void} for void"
            failures.append(Failure(one.name, f"its mask holds the value {value}; {known}"))
    return tuple(kept)


def palette_of(masked: Sequence[Masked], classes: int) -> Palette:
    """Give the colours of the first mask that has enough of them, else PASCAL VOC's."""
    for one in masked:
        if len(one.palette) >= 3 * classes:
            flat = one.palette
            return tuple((flat[i], flat[i + 1], flat[i + 2]) for i in range(0, 3 * classes, 3))
    return voc_palette(classes)


def open_pair(one: Masked, rule: MaskRule, longest: int) -> tuple[Pixels, Mask]:
    """Open a picture and its mask at the size that the network works at (0: as they are).

    Raises:
        PictureError: one of them cannot be opened.
    """
    image = pictures.open_picture(one.path, at_least=longest or None).image
    picture = at_working_size(pictures.to_array(image), longest)
    height, width = picture.shape[:2]
    mask = cv2.resize(rule.read(one.mask), (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return picture, mask.astype(np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cropping:
    """How training crops are drawn."""

    size: int
    """Side in pixels."""
    longest: int
    """Longest side that pictures are brought to before, in pixels; 0 leaves them."""
    mean: tuple[float, float, float]
    """Fills what is beside the picture, as a share of white."""
    jitter: float
    """Enlarged or shrunk by up to this factor, at random; 1 for not at all."""
    flip: bool
    """Whether half of the crops are mirrored."""
    light: bool
    """Whether brightness and contrast are changed at random."""


class MaskedCrops(TorchDataset[tuple[Tensor, Tensor]]):
    """Random crops, uint8 ``(size, size, 3)``, with their class numbers ``(size, size)``.

    What a picture gets in an epoch depends on the seed, its content and the epoch only.
    """

    def __init__(
        self, masked: Sequence[Masked], rule: MaskRule, cropping: Cropping, seed: int
    ) -> None:
        self.masked, self.rule, self.cropping, self.seed = masked, rule, cropping, seed
        self._held: list[tuple[Pixels, Mask]] | None = None
        side = cropping.longest
        if side and len(masked) * side * side * 4 <= IN_MEMORY:
            opened = track(stream(self._opened, masked), "Decoding", len(masked))
            self._held = [self._or_void(pair) for _, pair in opened]

    def __len__(self) -> int:
        return len(self.masked)

    @property
    def in_memory(self) -> bool:
        """Whether the decoded pictures are held."""
        return self._held is not None

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        epoch, index = divmod(number, len(self))
        picture, mask = self._held[index] if self._held else self._one(self.masked[index])
        rng = np.random.default_rng([self.seed, int(self.masked[index].digest, 16), epoch])
        crop, classes = draw_crop(picture, mask, self.cropping, rng)
        return torch.from_numpy(crop), torch.from_numpy(classes.astype(np.int64))

    def __getitems__(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Give a batch; ``numbers`` are those of `garim.training.batches.Order`."""
        crops, classes = zip(*(self[number] for number in numbers), strict=True)
        return torch.stack(crops), torch.stack(classes)

    def _opened(self, one: Masked) -> tuple[Pixels, Mask]:
        return open_pair(one, self.rule, self.cropping.longest)

    def _one(self, one: Masked) -> tuple[Pixels, Mask]:
        try:
            return self._opened(one)
        except PictureError as error:
            return self._or_void(error)

    def _or_void(self, opened: tuple[Pixels, Mask] | PictureError) -> tuple[Pixels, Mask]:
        """A picture that broke since it was checked a moment ago must not end the run."""
        if isinstance(opened, PictureError):
            side = self.cropping.size
            return np.full((side, side, 3), 127, np.uint8), np.full((side, side), VOID, np.uint8)
        return opened


def draw_crop(
    picture: Pixels, mask: NDArray[Any], cropping: Cropping, rng: np.random.Generator,
    beside: int = VOID,
) -> tuple[Pixels, NDArray[Any]]:  # fmt: skip
    """Enlarge or shrink, move, perhaps mirror, and cut out a picture and its mask.

    Args:
        picture: RGB, uint8 ``(height, width, 3)``.
        mask: numbers ``(height, width)``.
        cropping: how far.
        rng: what is drawn.
        beside: what the mask says beside the picture.
    """
    matrix, to = _placed(mask.shape, cropping, rng), (cropping.size, cropping.size)
    fill = tuple(int(v) for v in filling(cropping.mean))
    crop = cv2.warpAffine(picture, matrix, to, flags=cv2.INTER_LINEAR, borderValue=fill)
    values = cv2.warpAffine(mask, matrix, to, flags=cv2.INTER_NEAREST, borderValue=beside)
    if cropping.light:
        contrast, brightness = rng.uniform(0.8, 1.2), rng.uniform(-20, 20)
        crop = cv2.convertScaleAbs(crop, alpha=contrast, beta=brightness)
    return crop.astype(np.uint8), values.astype(mask.dtype)


def _placed(
    size: tuple[int, ...], cropping: Cropping, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw how a picture of a height and width is placed under the crop, as an affine matrix."""
    spread = np.log(cropping.jitter)
    scale = float(np.exp(rng.uniform(-spread, spread)))
    room = [cropping.size - scale * side for side in size]
    y, x = (rng.uniform(min(0.0, free), max(0.0, free)) for free in room)
    matrix = np.array([[scale, 0, x + (scale - 1) / 2], [0, scale, y + (scale - 1) / 2]])
    if cropping.flip and rng.random() < 0.5:
        matrix[0] = [-scale, 0, cropping.size - 1 - matrix[0, 2]]
    return matrix
