"""The batches of an epoch: in an order that can be repeated, shared out to processes and parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Sampler
from torch.utils.data import Dataset as TorchDataset

from garim.streaming import default_workers
from garim.training.processes import beside


class Order(Sampler[int]):
    """The pictures of an epoch, as ``epoch * count + index``: who is asked knows the epoch.

    The order depends on the seed and the epoch only, so that a run can be repeated and resumed.

    Args:
        count: pictures.
        seed: None for no shuffling.
        chances: of each picture to be drawn, shape ``(count,)``: as many are then drawn with
            replacement. None takes each once.
    """

    def __init__(
        self, count: int, seed: int | None, chances: NDArray[np.float64] | None = None
    ) -> None:
        self.count = count
        self.seed = seed
        self.chances = chances
        self.epoch = 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        numbers = np.arange(self.count)
        if self.seed is not None:
            rng = np.random.default_rng([self.seed, self.epoch])
            if self.chances is None:
                numbers = rng.permutation(self.count)
            else:
                numbers = rng.choice(self.count, self.count, p=self.chances)
        return iter((self.epoch * self.count + numbers).tolist())


class Shares(Sampler[list[int]]):
    """The batches of an order; of each, a process sees its share, whole or in several parts.

    The shares of all processes together are the batch that one process alone would see. Of a batch
    of fewer pictures than processes, every process sees all.

    Args:
        order: of the pictures.
        batch: pictures of a batch, on all devices together.
        learning: a short last batch, of which a process would see a single picture, is left out:
            batch norm cannot learn from one. Otherwise every picture is seen, once.
    """

    def __init__(self, order: Order, batch: int, learning: bool) -> None:
        self.order = order
        self.batch = batch
        self.learning = learning
        self.parts = 1
        """Parts that each share is cut into."""
        self.alone()

    def alone(self) -> None:
        """Let this process see every batch as it is."""
        self.among(0, 1)
        self.parts = 1

    def among(self, rank: int, processes: int) -> None:
        """Let this process, the ``rank``-th from 0, see its share only."""
        self.rank, self.processes = rank, processes
        self._spans = self._batches()

    @property
    def can_be_cut(self) -> bool:
        """Whether a part still has more than one picture."""
        return self.parts < min(self.batch, len(self.order))

    def cut(self) -> None:
        """Cut the shares into twice as many parts, at most single pictures."""
        self.parts = min(2 * self.parts, self.batch)

    def weight(self, index: int, seen: int) -> float:
        """Give the factor of a part's mean loss that makes the mean over parts the batch's."""
        one = self._spans[min(index // self.parts, len(self._spans) - 1)]
        total = one.stop - one.start
        shared = self.processes if total >= self.processes else 1
        return float(seen * shared * self.parts / total)

    def __len__(self) -> int:
        return sum(min(self.parts, one.stop - one.start) for one in self._spans)

    def __iter__(self) -> Iterator[list[int]]:
        numbers = list(self.order)
        for one in self._spans:
            mine = whole = numbers[one]
            if len(whole) >= self.processes:
                mine = whole[self.rank :: self.processes]
            for part in np.array_split(np.array(mine), min(self.parts, len(mine))):
                yield part.tolist()

    def _batches(self) -> list[slice]:
        """Give the place of each batch in the order."""
        count = len(self.order)
        ends = list(range(self.batch, count + 1, self.batch))
        rest = count % self.batch
        if rest and (not ends or rest >= (2 if self.learning else 1) * self.processes):
            ends.append(count)
        elif rest and not self.learning:
            ends[-1] = count
        return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def loader(
    pictures: TorchDataset[Any],
    batch: int,
    seed: int | None,
    *,
    chances: NDArray[np.float64] | None = None,
    decodes: bool = False,
    together: Callable[[Any], Any] | None = None,
) -> DataLoader[Any]:
    """Give the batches of a training, or of its validation.

    Args:
        pictures: what the numbers of `Order` stand for; with a length.
        batch: pictures of a batch, on all devices together.
        seed: of the order to learn in; None to see every picture in its order.
        chances: as in `Order`.
        decodes: pictures are decoded on the way, which other processes do.
        together: makes a batch of what ``pictures`` give; None where they give whole batches.
    """
    order = Order(len(pictures), seed, chances)  # type: ignore[arg-type]
    workers = max(1, default_workers() // beside()) if decodes else 0
    return DataLoader(
        pictures,
        batch_sampler=Shares(order, batch, learning=seed is not None),
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=together or _as_it_is,
    )


def _as_it_is(batch: Any) -> Any:
    return batch
