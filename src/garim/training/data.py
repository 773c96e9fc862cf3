"""Training pictures: who is held out, and the arrays that the loop reads."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from garim import files, pictures
from garim.dataset import Dataset, assign_splits, related
from garim.errors import DatasetError, Failure, PictureError
from garim.pictures import Pixels, square
from garim.streaming import stream, track
from garim.training.augmentation import Augmentation

IN_MEMORY = 3 * 2**30
"""Most bytes of decoded pictures that are held in memory; more are decoded again each epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Pictures that can be opened, with their classes."""

    paths: tuple[Path, ...]
    targets: NDArray[np.int64]
    """Class numbers, shape ``(n,)``."""
    digests: tuple[str, ...]
    groups: NDArray[np.int64]
    """Number of the group of near copies, shape ``(n,)``; copies are never torn apart."""

    def __len__(self) -> int:
        return len(self.paths)

    def pick(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Examples:
        """Keep some examples: those marked true, or those of these numbers in their order."""
        index = np.arange(len(self))[chosen]
        return Examples(
            paths=tuple(self.paths[i] for i in index),
            targets=self.targets[index],
            digests=tuple(self.digests[i] for i in index),
            groups=self.groups[index],
        )


def collect(dataset: Dataset, classes: Sequence[str]) -> tuple[Examples, list[Failure]]:
    """List the labelled pictures that can be opened, and those that cannot."""
    number = {name: index for index, name in enumerate(classes)}
    rows = [row for row in dataset.rows if row.label in number]
    good, failures = [], []
    checked = stream(_readable, [dataset.path(row) for row in rows])
    for row, (_, result) in zip(rows, track(checked, "Reading", len(rows)), strict=True):
        if isinstance(result, PictureError):
            failures.append(Failure(row.file_name, result.reason))
        else:
            good.append((row.file_name, number[row.label or ""], result))
    names, targets, digests = zip(*good, strict=True) if good else ((), (), ())
    examples = Examples(
        paths=tuple(dataset.root / name for name in names),
        targets=np.array(targets, dtype=np.int64),
        digests=digests,
        groups=np.array(related(dataset, names), dtype=np.int64),
    )
    return examples, failures


def _readable(path: Path) -> str:
    pictures.open_picture(path, at_least=32)
    return files.digest(path)


def check_classes(examples: Examples, classes: Sequence[str], origin: Path) -> None:
    """Raise a DatasetError if fewer than two classes have pictures."""
    present = [classes[number] for number in np.unique(examples.targets)]
    if len(present) < 2:
        found = f"only {present[0]!r}" if present else "none"
        raise DatasetError(
            f"{origin}: a classifier needs pictures of at least two classes; there is {found}. "
            "Put the pictures into one folder per class."
        )


def hold_out(examples: Examples, share: float, seed: int) -> NDArray[np.bool_]:
    """Choose validation pictures class by class; copies stay together. Shape ``(n,)``."""
    parts = _assigned(examples, {"validation": share}, seed)
    return np.array([part == "validation" for part in parts])


def fold_numbers(examples: Examples, folds: int, seed: int) -> NDArray[np.int64]:
    """Deal the pictures out into folds class by class; copies stay together. Shape ``(n,)``."""
    rng = np.random.default_rng(seed)
    result = np.zeros(len(examples), dtype=np.int64)
    first_target = dict(zip(reversed(examples.groups), reversed(examples.targets), strict=True))
    by_class: dict[int, list[int]] = defaultdict(list)
    for group, target in sorted(first_target.items()):
        by_class[int(target)].append(int(group))
    dealt = 0
    for target in sorted(by_class):
        for group in rng.permutation(by_class[target]):
            result[examples.groups == group] = dealt % folds
            dealt += 1
    return result


def _assigned(examples: Examples, shares: dict[str, float], seed: int) -> list[str]:
    groups = list(dict.fromkeys(examples.groups.tolist()))
    sizes = Counter(examples.groups.tolist())
    target = dict(zip(examples.groups.tolist(), examples.targets.tolist(), strict=True))
    labels = [str(target[group]) for group in groups]
    chosen = assign_splits(labels, [sizes[group] for group in groups], shares, seed)
    part_of = dict(zip(groups, chosen, strict=True))
    return [part_of[group] for group in examples.groups.tolist()]


class Batched(TorchDataset[tuple[Tensor, Tensor, Tensor]]):
    """Inputs with several copies per picture, one of which is seen per epoch, by whole batches.

    A batch is inputs, class numbers, and the pictures' own numbers.
    """

    def __init__(self, targets: NDArray[np.int64], copies: int) -> None:
        self.targets = torch.from_numpy(targets)
        self.copies = copies

    def __len__(self) -> int:
        return len(self.targets)

    def inputs(self, index: int, copy: int) -> Tensor:
        """Give one copy of a picture."""
        raise NotImplementedError

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        inputs, targets, index = self.__getitems__([number])
        return inputs[0], targets[0], index[0]

    def __getitems__(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Give a batch; ``numbers`` are those of `garim.training.batches.Order`."""
        pairs = [divmod(number, len(self)) for number in numbers]
        inputs = torch.stack([self.inputs(i, epoch % self.copies) for epoch, i in pairs])
        index = torch.tensor([i for _, i in pairs])
        return inputs, self.targets[index], index


class FeatureCopies(Batched):
    """Features, each of shape ``(copies, …)``, with their classes."""

    def __init__(self, features: Sequence[Tensor], targets: NDArray[np.int64]) -> None:
        super().__init__(targets, len(features[0]))
        self.features = features

    def inputs(self, index: int, copy: int) -> Tensor:
        """Give the features of one copy."""
        return self.features[index][copy]


class SquarePictures(Batched):
    """Augmented square pictures, uint8 of shape ``(size, size, 3)``, with their classes.

    The change that a picture gets in an epoch depends on the seed, the picture's content and
    ``epoch % copies`` only, so that a run can be repeated, resumed, or computed ahead.
    """

    def __init__(
        self, examples: Examples, size: int, augment: Augmentation, copies: int, seed: int
    ) -> None:
        super().__init__(examples.targets, copies)
        self.examples = examples
        self.size = size
        self.augment = augment
        self.seed = seed
        self._held: list[Pixels] | None = None
        if len(examples) * size * size * 3 <= IN_MEMORY:
            held = stream(lambda path: square(path, size), examples.paths)
            self._held = [_or_blank(r, size) for _, r in track(held, "Decoding", len(examples))]

    @property
    def in_memory(self) -> bool:
        """Whether the decoded pictures are held."""
        return self._held is not None

    def picture(self, index: int, copy: int) -> Pixels:
        """Give one augmented copy of a picture."""
        whole = self._held[index] if self._held else _decoded(self.examples.paths[index], self.size)
        drawn = [self.seed, int(self.examples.digests[index], 16), copy]
        return self.augment(whole, np.random.default_rng(drawn))

    def inputs(self, index: int, copy: int) -> Tensor:
        """Give one augmented copy of a picture."""
        return torch.from_numpy(self.picture(index, copy).copy())  # theirs may be read-only


def _decoded(path: Path, size: int) -> Pixels:
    try:
        return square(path, size)
    except PictureError as error:
        return _or_blank(error, size)


def _or_blank(result: Pixels | PictureError, size: int) -> Pixels:
    """A picture that broke since it was checked a moment ago must not end the run."""
    if isinstance(result, PictureError):
        return np.full((size, size, 3), 127, dtype=np.uint8)
    return result
