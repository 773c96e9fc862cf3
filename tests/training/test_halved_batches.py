"""A training whose batches do not fit into memory ends as one whose batches do."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from garim.errors import ModelError
from garim.training import callbacks
from garim.training.batches import loader
from garim.training.data import FeatureCopies
from garim.training.loop import fit
from garim.training.objective import Fitted


@dataclass(frozen=True)
class Schedule:
    epochs: int = 3
    learning_rate: float = 0.05
    weight_decay: float = 0.01
    patience: int = 0
    devices: str = "1"
    precision: str = "32-true"


class Small(nn.Module):
    """A linear classifier of at most so many at once, from the ``after``-th call on."""

    def __init__(self, most: int, after: int = 0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(6, 3)
        self.most, self.after, self.calls = most, after, 0

    def forward(self, batch: Tensor) -> Tensor:
        self.calls += 1
        if len(batch) > self.most and self.calls > self.after:
            raise torch.OutOfMemoryError("CUDA out of memory")
        scores: Tensor = self.linear(batch)
        return scores


def trained(model: Small, folder: Path) -> Fitted:
    drawn = torch.Generator().manual_seed(1)
    targets = torch.arange(29) % 3
    features = [torch.randn(1, 6, generator=drawn) + number for number in targets]
    copies = FeatureCopies(features, targets.numpy())
    held = FeatureCopies(features[:11], targets[:11].numpy())
    return fit(model, loader(copies, 8, 0), loader(held, 8, None), Schedule(), folder)


@pytest.mark.parametrize("most", [4, 3, 1])
@pytest.mark.parametrize("after", [0, 10])  # at once, or in the third epoch
def test_the_effective_batch_stays(
    most: int, after: int, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(callbacks, "SECONDS", 0.0)
    monkeypatch.setattr(callbacks, "SHARE", 0.0)
    large, small = Small(99), Small(most, after)
    right = trained(large, tmp_path / "large")
    with caplog.at_level(logging.WARNING):
        found = trained(small, tmp_path / "small")
    assert torch.allclose(small.linear.weight, large.linear.weight, atol=1e-5)
    assert found.epochs == right.epochs
    assert found.metrics == pytest.approx(right.metrics, rel=1e-4)
    assert "a batch of 8 does not fit into memory; it is trained on in 2 parts" in caplog.text
    lines = [(tmp_path / name / "curves" / "metrics.csv").read_text().splitlines()
             for name in ("large", "small")]  # fmt: skip
    for one, two in zip(*lines, strict=True):
        assert one.split(",")[:2] == two.split(",")[:2]  # as many epochs, as many steps


def test_a_single_picture_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not enough memory for one picture at a time"):
        trained(Small(0), tmp_path)


def test_other_errors_are_not_tried_again(tmp_path: Path) -> None:
    broken = Small(99)
    broken.linear = nn.Linear(7, 3)
    with pytest.raises(RuntimeError, match="shapes"):
        trained(broken, tmp_path)
    assert broken.calls == 1
