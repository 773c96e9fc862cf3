"""The way into the training loop, which is imported when something is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from torch import nn
from torch.utils.data import DataLoader

from garim.training.batches import Shares
from garim.training.losses import Classification
from garim.training.objective import Fitted, Objective, Schedule


def fit(
    model: nn.Module,
    train: DataLoader[Any],
    validation: DataLoader[Any] | None,
    schedule: Schedule,
    folder: Path,
    objective: Objective | None = None,
    seed: int = 0,
    constant: bool = False,
    keep_last: bool = False,
) -> Fitted:
    """Train a model in place and keep its best weights.

    On several devices every process trains on its share of each batch. A batch that does not fit
    into memory is cut into parts, whose gradients add up to the batch's.

    Args:
        model: trained where its parameters require gradients.
        train: batches of inputs and targets, of `garim.training.batches.loader`.
        validation: the same, for early stopping and choosing the best epoch; None to run all
            epochs and keep the last.
        schedule: epochs, learning rate, patience, devices.
        folder: takes ``curves/`` and, while it runs, ``checkpoints/``; a checkpoint left there by
            an interrupted run is continued.
        objective: what is made small; cross-entropy of class scores by default.
        seed: of what is random inside the model, such as dropout.
        constant: Adam at a constant learning rate, instead of AdamW with one cycle.
        keep_last: keep the weights of the last epoch instead.

    Raises:
        ModelError: the checkpoint to continue from is broken, or not even one picture fits into
            memory.
        SettingsError: the devices are not those that were started.
    """
    # Lightning takes a second to import, and most commands train nothing.
    from garim.training.lightning_loop import Learning, learn  # noqa: PLC0415

    shares = cast(Shares, train.batch_sampler)
    module = Learning(model, objective or Classification(), schedule, shares, constant)
    return learn(module, train, validation, folder, seed, keep_last)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let the random numbers of Python, NumPy and torch start from a seed.

    Afterwards they go on as if nothing had been drawn.
    """
    from lightning import seed_everything  # noqa: PLC0415 - slow to import
    from lightning.pytorch.utilities.seed import isolate_rng  # noqa: PLC0415

    with isolate_rng():
        seed_everything(seed, verbose=False)
        yield
