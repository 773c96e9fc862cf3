"""Batches that do not fit into memory are halved, and nothing else changes."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from garim.errors import ModelError
from garim.models import runtime
from garim.models.memory import Halving, ran_out
from garim.models.runtime import RUNTIMES, Prepared, Runtime

SAID = {
    "gpu": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    "linux": RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    "windows": RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate"),
    "numpy": MemoryError("Unable to allocate 9 GiB for an array"),
}


class Small(nn.Module):
    """Means of pictures; at most so many at once."""

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.5))
        self.most, self.error = most, error
        self.asked: list[int] = []

    def forward(self, batch: Tensor) -> tuple[Tensor, ...]:
        self.asked.append(len(batch))
        if len(batch) > self.most:
            raise self.error
        values = batch.float()
        return values.mean(dim=(1, 2)) * self.factor, values[:, 0, 0]


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)


@pytest.mark.parametrize("error", SAID.values(), ids=SAID)
def test_a_batch_that_does_not_fit_is_scored_in_parts(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    batch = pictures(13)
    small, large = Small(3, error), Small(99, error)
    prepared = Prepared(small)
    with caplog.at_level(logging.WARNING):
        found, again = prepared(batch), prepared(batch)
    for one, two, right in zip(found, again, Prepared(large)(batch), strict=True):
        assert np.array_equal(one, right) and np.array_equal(two, right)
    assert small.asked == [13, 6, 3, 3, 3, 3, 1, 3, 3, 3, 3, 1]  # what fits is remembered
    assert len(caplog.messages) == 1 and "a batch of 13 does not fit" in caplog.text


def test_a_runtime_that_runs_out_of_memory_is_tried_again_with_less(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    small = Small(4, SAID["gpu"])
    plain = runtime.reference(small)
    monkeypatch.setitem(RUNTIMES, "same", Runtime(lambda m, b: lambda half: plain, halves=False))
    prepared = Prepared(small, "same")
    assert len(prepared(pictures(8))[0]) == 8
    assert not recwarn.list  # it is not taken for a runtime that cannot run the network


def test_a_single_picture_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ModelError, match="not enough memory for one picture at a time"):
        Prepared(Small(0, SAID["linux"]))(pictures(4))


def test_other_errors_stay_as_they_are() -> None:
    assert not ran_out(RuntimeError("shapes do not fit"))
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        Prepared(Small(0, RuntimeError("shapes do not fit")))(pictures(4))
    with pytest.raises(ZeroDivisionError):
        Halving()(lambda part: 1 // 0, 4)
