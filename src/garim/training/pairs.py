"""Pairs of low and high resolution, cut from any pictures: read, decode, cut, list, batch.

Pictures are opened by several threads and cut one after the other; the patches go to two flat files
beside each other, which are mapped into memory and not loaded, so that a batch of any of them costs
what it holds. Two tables list them: ``pairs.csv`` says what each pair was cut from, and
``check.csv`` what it holds, so that a broken or exchanged file is found.
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from garim import files
from garim.errors import DatasetError, Failure, PictureError
from garim.pictures import Pixels, open_picture, to_array
from garim.resizing import imresize
from garim.streaming import stream, track
from garim.training.degradation import Degradation, degrade

LIST, CHECK = "pairs.csv", "check.csv"
"""The table to read from, and the one to check it with."""

LISTED = ("number", "picture", "left", "top", "side", "scale")
CHECKED = ("number", "low_width", "low_height", "high_width", "high_height", "channels",
           "low_crc32", "high_crc32")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutting:
    """How pairs are made of a picture."""

    scale: int
    patch: int
    """Side of a high-resolution patch in pixels."""
    whole: bool
    """Resize each picture to one patch, without keeping its aspect, instead of cutting it."""
    most: int
    """Most patches of one picture; where it has more, some are drawn."""
    flat: float
    """Least mean difference of neighbouring grey values, 0 to 255, of a patch that is kept."""
    degradation: Degradation
    seed: int


@dataclass(frozen=True, slots=True)
class Pair:
    """One patch at two resolutions."""

    low: Pixels
    high: Pixels
    left: int
    top: int
    """Corner of the patch in the picture, in pixels."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of patches on the disk."""

    low: NDArray[np.uint8]
    """Shape ``(n, side, side, 3)``."""
    high: NDArray[np.uint8]
    """Shape ``(n, scale · side, scale · side, 3)``."""
    pictures: tuple[str, ...]
    """The picture that each was cut from."""

    def __len__(self) -> int:
        return len(self.low)


def cut(path: Path, how: Cutting) -> list[Pair]:
    """Cut one picture into pairs.

    Raises:
        PictureError: it cannot be opened, or is smaller than a patch.
    """
    high = to_array(open_picture(path, at_least=how.patch if how.whole else None).image)
    if how.whole:
        high = imresize(high, (how.patch, how.patch))
    height, width = (side // how.scale * how.scale for side in high.shape[:2])
    if min(height, width) < how.patch:
        raise PictureError(path, f"{high.shape[1]} × {high.shape[0]} pixels are too few for a "
                           f"patch of {how.patch}; give a smaller --patch, or --whole")  # fmt: skip
    rng = np.random.default_rng([how.seed, zlib.crc32(path.name.encode("utf-8", "replace"))])
    whole = high[:height, :width]
    low = degrade(whole, (width // how.scale, height // how.scale), how.degradation, rng)
    found = [pair for pair in _patches(low, whole, how) if _detail(pair.high) >= how.flat]
    if len(found) > how.most:
        found = [found[i] for i in sorted(rng.choice(len(found), how.most, replace=False))]
    return found


def _patches(low: Pixels, high: Pixels, how: Cutting) -> Iterator[Pair]:
    """Cut side by side, starting in the corner."""
    side = how.patch // how.scale
    for top in range(0, low.shape[0] - side + 1, side):
        for left in range(0, low.shape[1] - side + 1, side):
            y, x = how.scale * top, how.scale * left
            patch = high[y : y + how.patch, x : x + how.patch]
            yield Pair(low[top : top + side, left : left + side], patch, x, y)


def _detail(patch: Pixels) -> float:
    """Mean difference of neighbouring grey values, down and across."""
    grey = patch.mean(axis=2)
    return float(np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean())


def write_pairs(
    root: Path, names: Sequence[str], folder: Path, how: Cutting
) -> tuple[Pairs, list[Failure]]:
    """Cut pictures into pairs, in threads, with memory for a few pictures.

    Args:
        root: folder of the pictures.
        names: the pictures, relative to it.
        folder: takes ``low.bin``, ``high.bin``, and the two tables.
        how: scale, patches, degradation.

    Returns:
        The pairs, and the pictures that gave none because they cannot be opened or are too small.

    Raises:
        DatasetError: no pair could be cut.
    """
    failures: list[Failure] = []
    cut_up = stream(lambda name: cut(root / name, how), names)
    with _Writer(folder) as writer:
        for name, result in track(cut_up, "Cutting pairs", len(names)):
            if isinstance(result, PictureError):
                failures.append(Failure(name, result.reason))
                continue
            for pair in result:
                writer.write(pair, (name, pair.left, pair.top, how.patch, how.scale))
    if not writer.number:
        first = f"; the first: {failures[0].error}" if failures else "; all of it is flat"
        raise DatasetError(f"{root}: no pair could be cut from {len(names)} pictures{first}")
    return read_pairs(folder), failures


class _Writer(ExitStack):
    """Writes pairs one by one; the files are whole or not there."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.number = 0

    def __enter__(self) -> _Writer:
        """Open the four files; the list is finished last, so that it means that all are there."""
        self.listed, self.checks = self._table(LIST, LISTED), self._table(CHECK, CHECKED)
        self.low = self.enter_context(self._new("low.bin").open("wb"))
        self.high = self.enter_context(self._new("high.bin").open("wb"))
        return self

    def _new(self, name: str) -> Path:
        return self.enter_context(files.replacing(self.folder / name))

    def _table(self, name: str, columns: Sequence[str]) -> Any:
        text = self._new(name).open("w", newline="", encoding="utf-8")
        table = csv.writer(self.enter_context(text))
        table.writerow(columns)
        return table

    def write(self, pair: Pair, origin: Sequence[object]) -> None:
        """Add a pair, and where it comes from."""
        self.low.write(pair.low.tobytes())
        self.high.write(pair.high.tobytes())
        self.listed.writerow((self.number, *origin))
        self.checks.writerow((self.number, *_content(pair.low, pair.high)))
        self.number += 1


def _content(low: Pixels, high: Pixels) -> tuple[int, ...]:
    sides = (low.shape[1], low.shape[0], high.shape[1], high.shape[0], high.shape[2])
    return (*sides, zlib.crc32(low.tobytes()), zlib.crc32(high.tobytes()))


def read_pairs(folder: Path) -> Pairs:
    """Open pairs that were written, and check every one.

    Raises:
        DatasetError: a file is missing, or does not hold what the tables say.
    """
    try:
        rows, checks = (_table(folder / name) for name in (LIST, CHECK))
        side, scale = int(rows[0]["side"]), int(rows[0]["scale"])
        low = _mapped(folder / "low.bin", len(rows), side // scale)
        high = _mapped(folder / "high.bin", len(rows), side)
        wrong = [row["number"] for row, check, a, b in zip(rows, checks, low, high, strict=True)
                 if [int(check[name]) for name in CHECKED[1:]] != [*_content(a, b)]]  # fmt: skip
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise DatasetError(f"{folder}: holds no pairs, or not all of them: {error}") from error
    if wrong:
        raise DatasetError(
            f"{folder}: {len(wrong)} pairs are not what {CHECK} says, the first is number "
            f"{wrong[0]}; delete the folder to cut them again"
        )
    return Pairs(low, high, tuple(row["picture"] for row in rows))


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream_:
        return list(csv.DictReader(stream_))


def _mapped(path: Path, count: int, side: int) -> NDArray[np.uint8]:
    return np.memmap(path, np.uint8, "r", shape=(count, side, side, 3))


class PairBatches(TorchDataset[tuple[Tensor, Tensor]]):
    """Batches of pairs: uint8 ``(batch, side, side, 3)``, low and high.

    Turned and mirrored at random where asked for; how depends on the seed, the epoch and the
    pair's number only, so that a run can be repeated and resumed.
    """

    def __init__(self, pairs: Pairs, seed: int | None) -> None:
        self.pairs = pairs
        self.seed = seed

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        low, high = self.__getitems__([number])
        return low[0], high[0]

    def __getitems__(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Give a batch; ``numbers`` are those of `garim.training.batches.Order`."""
        both = [self._pair(number) for number in numbers]
        low, high = (torch.from_numpy(np.stack(part)) for part in zip(*both, strict=True))
        return low, high

    def _pair(self, number: int) -> tuple[Any, Any]:
        index = number % len(self)
        low, high = self.pairs.low[index], self.pairs.high[index]
        if self.seed is None:
            return low, high
        way = int(np.random.default_rng([self.seed, number]).integers(8))
        return turned(low, way), turned(high, way)


def turned(picture: Pixels, way: int) -> Pixels:
    """Turn a picture by ``way`` quarters, and mirror it from 4 on."""
    mirrored = picture[:, ::-1] if way >= 4 else picture
    return np.rot90(mirrored, way % 4)
