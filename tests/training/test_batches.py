"""The shares of several processes, and the parts of one, come to the batches of one process."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from garim.training.batches import Order, Shares


def batches(count: int, batch: int, *, learning: bool, chances: object = None) -> Shares:
    order = Order(count, 3 if learning else None, chances)  # type: ignore[arg-type]
    order.epoch = 2
    return Shares(order, batch, learning)


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 5), st.booleans())
def test_the_processes_together_see_each_batch(
    count: int, batch: int, processes: int, learning: bool
) -> None:
    batch = max(batch, processes)
    shares = []
    for rank in range(processes):
        one = batches(count, batch, learning=learning)
        one.among(rank, processes)
        shares.append(list(one))
        assert len(one) == len(shares[0]) == len(shares[rank])
    alone = list(batches(count, batch, learning=learning).order)
    seen = []
    for parts in zip(*shares, strict=True):
        together = sorted(number for part in parts for number in part)
        if len(set(together)) < len(together):  # too few for all: every process sees all of them
            assert count < processes and all(part == parts[0] for part in parts)
            together = sorted(parts[0])
        assert together == sorted(alone[len(seen) : len(seen) + len(together)])
        seen += together
    assert set(seen) == set(alone) if not learning else len(alone) - len(seen) < 2 * processes


@given(st.integers(1, 40), st.integers(1, 16), st.integers(1, 16), st.integers(1, 3))
def test_the_weighted_means_of_all_parts_come_to_the_mean_of_each_batch(
    count: int, batch: int, parts: int, processes: int
) -> None:
    batch, parts = max(batch, processes), parts if processes == 1 else 1
    values = np.random.default_rng(0).normal(size=3 * count)  # numbers of the third epoch
    means: dict[int, float] = {}
    for rank in range(processes):
        one = batches(count, batch, learning=True)
        one.among(rank, processes)
        one.parts = min(parts, batch)
        for index, part in enumerate(one):
            step = index // one.parts
            weighted = values[part].mean() * one.weight(index, len(part)) / one.parts / processes
            means[step] = means.get(step, 0) + weighted
    whole = batches(count, batch, learning=True)
    whole.among(0, processes)
    order = list(whole.order)
    expected = [values[order[one]].mean() for one in whole._spans]
    assert list(means.values()) == pytest.approx(expected)


def test_a_last_picture_by_itself_is_left_out_of_learning_only() -> None:
    assert [len(part) for part in batches(9, 4, learning=True)] == [4, 4]
    assert [len(part) for part in batches(9, 4, learning=False)] == [4, 4, 1]
    assert [len(part) for part in batches(1, 4, learning=True)] == [1]


def test_chances_are_shared_out_too() -> None:
    chances = np.array([0.9, 0.05, 0.05])
    shares = []
    for rank in range(2):
        one = batches(3, 3, learning=True, chances=chances)
        one.among(rank, 2)
        shares.append(next(iter(one)))
    alone = list(batches(3, 3, learning=True, chances=chances).order)
    assert shares == [alone[0::2], alone[1::2]]
