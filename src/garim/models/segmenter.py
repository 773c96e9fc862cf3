"""A trained segmenter: a folder that says all it takes to give every pixel of a picture a class.

A picture is brought to the side that the network was trained at and looked at through square
windows: one where it fits, else several that overlap. Where they do, their class probabilities are
averaged.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from garim.errors import ModelError
from garim.models import folder
from garim.models.classifier import normalised
from garim.models.computing import Computing
from garim.models.networks.segmentation import create_segmenter
from garim.models.palette import Mask, Palette
from garim.models.runtime import Prepared
from garim.pictures import Pixels
from garim.streaming import chunks

OVERLAP = 0.25
"""Share of a window's side by which neighbours overlap at least."""

WINDOWS = 4
"""Windows that go through the network at once."""

BAND = 512
"""Rows of the full picture whose classes are decided at once, so that memory stays small."""

Probabilities = NDArray[np.float32]
"""Class probabilities, shape ``(classes, height, width)``; each pixel's sum to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmenterCard:
    """What a segmenter's folder says about it."""

    network: str
    """A line of ``SEGMENTERS``."""
    backbone: str
    options: dict[str, Any] = field(default_factory=dict)
    """More arguments of the backbone."""
    classes: tuple[str, ...]
    """Class names by their numbers in the masks."""
    palette: Palette
    """A colour for each class."""
    size: int
    """Side of the square windows in pixels."""
    longest: int
    """Longest side that pictures are brought to, in pixels; 0 leaves them as they are."""
    mean: tuple[float, float, float]
    """Subtracted per channel (RGB) from values 0 to 1."""
    std: tuple[float, float, float]
    """Divided by, per channel, after that."""
    void: int = 255
    """Value of pixels in masks that are not judged; −1 for none."""
    weights_licence: str = "unknown"
    """Licence of the starting weights."""
    dataset: str = ""
    """Fingerprint of the dataset that it was trained on."""
    trained: dict[str, Any] = field(default_factory=dict)
    """Settings of the training."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Figures on the validation split."""


class PixelScoring(nn.Module):
    """Windows, uint8 ``(n, size, size, 3)``, to probabilities ``(n, classes, size, size)``."""

    def __init__(self, network: nn.Module, card: SegmenterCard) -> None:
        super().__init__()
        self.network, self.card = network, card

    def forward(self, batch: Tensor) -> tuple[Tensor, ...]:
        """Normalise, and run the network."""
        inputs = normalised(batch, self.card.mean, self.card.std)
        return (self.network(inputs).float().softmax(dim=1),)


class Segmenter(Computing[SegmenterCard]):
    """A network with its classes and its input, ready to segment pictures.

    Args:
        network: pictures ``(n, 3, h, w)`` to class scores ``(n, classes, h, w)``.
        card: classes and input.
        runtime: runs the network, a name in `garim.models.runtime`; plain PyTorch by default.
    """

    def __init__(self, network: nn.Module, card: SegmenterCard, runtime: str | None = None) -> None:
        self.network = network.eval()
        self.card = card
        self.runtime = runtime

    def with_runtime(self, runtime: str) -> Segmenter:
        """Give a segmenter of the same network, run by a runtime of `garim.models.runtime`."""
        if runtime == self.runtime:
            return self
        other = copy.copy(self)
        other.runtime = runtime
        other.__dict__.pop("_scoring", None)
        return other

    @cached_property
    def _scoring(self) -> Prepared:
        return Prepared(PixelScoring(self.network, self.card), self.runtime)

    def probabilities(self, picture: Pixels, flip: bool = False) -> Probabilities:
        """Give class probabilities at the size that the network works at.

        Args:
            picture: RGB, uint8 ``(height, width, 3)``.
            flip: average with those of the mirrored picture.
        """
        working = at_working_size(picture, self.card.longest)
        found = self._through_windows(working)
        if flip:
            mirrored = self._through_windows(working[:, ::-1])[..., ::-1]
            return np.asarray((found + mirrored) / 2, np.float32)
        return found

    def predict(self, picture: Pixels, flip: bool = False) -> Mask:
        """Give the class number of every pixel, uint8 ``(height, width)``.

        Args:
            picture: RGB, uint8 ``(height, width, 3)``.
            flip: average with the mirrored picture (slower by half, and a little better).
        """
        found = self.probabilities(picture, flip)
        height, width = picture.shape[:2]
        if found.shape[1:] == (height, width):
            return np.asarray(found.argmax(axis=0), np.uint8)
        bands = [_band(found, top, height, width) for top in range(0, height, BAND)]
        return np.concatenate(bands)

    def _through_windows(self, picture: Pixels) -> Probabilities:
        size, (height, width) = self.card.size, picture.shape[:2]
        down, across = max(height, size), max(width, size)
        filled = np.full((down, across, 3), filling(self.card.mean), np.uint8)
        filled[:height, :width] = picture
        total = np.zeros((len(self.classes), down, across), np.float32)
        times = np.zeros((down, across), np.float32)
        for part in chunks(_windows(down, across, size), WINDOWS):
            batch = np.stack([filled[y : y + size, x : x + size] for y, x in part])
            for (y, x), found in zip(part, self._scoring(batch)[0], strict=True):
                total[:, y : y + size, x : x + size] += found
                times[y : y + size, x : x + size] += 1
        return np.asarray((total / times)[:, :height, :width], np.float32)

    def save(self, target: Path | str) -> None:
        """Write the model's folder; whole files only."""
        described = asdict(self.card)
        self._write(target, described.pop("network"), "segment", **described)


def at_working_size(picture: Pixels, longest: int) -> Pixels:
    """Shrink or enlarge a picture so that its longest side has so many pixels; 0 for as it is."""
    height, width = picture.shape[:2]
    if not longest or longest == max(height, width):
        return picture
    scale = longest / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(picture, size, interpolation=how).astype(np.uint8)


def filling(mean: tuple[float, float, float]) -> NDArray[np.uint8]:
    """Give the colour beside a picture: what the network takes for nothing at all."""
    return np.clip(np.round(np.array(mean) * 255), 0, 255).astype(np.uint8)


def _windows(height: int, width: int, size: int) -> Iterator[tuple[int, int]]:
    """Give the top left corners of windows that overlap and cover everything."""
    for y in _starts(height, size):
        for x in _starts(width, size):
            yield y, x


def _starts(length: int, size: int) -> list[int]:
    step = max(1, int(size * (1 - OVERLAP)))
    count = 1 + -(-(length - size) // step)
    return [int(v) for v in np.linspace(0, length - size, count).round()]


def _band(found: Probabilities, top: int, height: int, width: int) -> Mask:
    """Decide the classes of some rows of the full picture, interpolating the probabilities."""
    rows = min(BAND, height - top)
    sx, sy = found.shape[2] / width, found.shape[1] / height
    # Pixel centres on pixel centres, as cv2.resize does for a whole picture.
    back = np.array([[sx, 0, sx / 2 - 0.5], [0, sy, (top + 0.5) * sy - 0.5]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    best, mask = np.full((rows, width), -1, np.float32), np.zeros((rows, width), np.uint8)
    for number, one in enumerate(found):
        wide = cv2.warpAffine(
            one, back, (width, rows), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        better = wide > best
        best[better], mask[better] = wide[better], number
    return mask


def load(source: Path | str) -> Segmenter:
    """Open a segmenter's folder; nothing in it is executed.

    Raises:
        ModelError: no folder of a segmenter, or a part of it is broken.
    """
    source = Path(source)
    card = _read_card(source)
    network = create_segmenter(card.network, card.backbone, len(card.classes), card.options)
    folder.read_weights(source, network)
    return Segmenter(network, card)


def _read_card(source: Path) -> SegmenterCard:
    config = folder.read_config(source, "segment")
    try:
        ours = config["garim"]
        return SegmenterCard(
            network=str(config["architecture"]),
            backbone=str(ours["backbone"]),
            options=dict(ours.get("options") or {}),
            classes=folder.names(ours["classes"]),
            palette=tuple(_colour(one) for one in ours["palette"]),
            size=int(ours["size"]),
            longest=int(ours["longest"]),
            mean=folder.triple(ours["mean"]),
            std=folder.triple(ours["std"]),
            void=int(ours.get("void", 255)),
            weights_licence=str(ours.get("weights_licence", "unknown")),
            dataset=str(ours.get("dataset", "")),
            trained=ours.get("trained") or {},
            metrics=dict(ours.get("metrics") or {}),
        )
    except (KeyError, TypeError, ValueError, OverflowError, IndexError, AttributeError) as error:
        path = source / folder.CONFIG
        raise ModelError(f"{path}: does not describe a Garim segmenter: {error!r}") from error


def _colour(values: Any) -> tuple[int, int, int]:
    red, green, blue = (int(v) for v in values)
    return red, green, blue
