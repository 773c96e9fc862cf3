"""What happens beside the training loop: the best weights, curves, progress, and resuming.

Each keeps what it needs to go on in the checkpoint, so that a continued training ends as one that
was never interrupted.
"""

from __future__ import annotations

import csv
import io
import math
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Checkpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader

from garim import files
from garim.errors import SettingsError
from garim.streaming import steps
from garim.training.batches import Order

SECONDS = 15.0
"""Least time between two checkpoints, and the most work that an interruption costs."""

SHARE = 20.0
"""Training goes on for at least so many times as long as saving a checkpoint takes."""

FIRST = ("epoch", "step", "train_loss", "val_loss")
"""First columns of ``curves/metrics.csv``; the task's other figures follow."""


def trained_state(module: nn.Module) -> dict[str, Tensor]:
    """Give a module's tensors without the frozen parameters."""
    named = module.named_parameters(remove_duplicate=False)
    frozen = {name for name, p in named if not p.requires_grad}
    return {name: t for name, t in module.state_dict().items() if name not in frozen}


class Best(L.Callback):
    """Keep the weights of the least validation loss; stop when it falls no more.

    Args:
        patience: epochs without a better loss before it stops; 0 never stops.
        last: keep those of the last epoch instead.
    """

    def __init__(self, patience: int, last: bool = False) -> None:
        self.patience = patience
        self.last = last
        self.loss = math.inf
        self.stale = 0
        self.weights: dict[str, Tensor] = {}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop at once when what is continued had come to its end."""
        self._stop(trainer)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Compare this epoch with the best so far."""
        loss = float(trainer.callback_metrics["val_loss"])
        self.stale += 1
        if loss < self.loss:
            self.loss, self.stale = loss, 0
        if self.last or not self.stale:
            state = trained_state(pl_module)
            self.weights = {name: t.detach().cpu().clone() for name, t in state.items()}
        self._stop(trainer)

    def _stop(self, trainer: L.Trainer) -> None:
        if self.patience and self.stale >= self.patience:
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """Give what a continued training needs."""
        return {"loss": self.loss, "stale": self.stale, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from an interrupted training."""
        self.loss, self.stale = state_dict["loss"], state_dict["stale"]
        self.weights = state_dict["weights"]


class Sharing(L.Callback):
    """Let each process of a training see its share of the batches.

    Args:
        loaders: of `garim.training.batches.loader`, or None.
    """

    def __init__(self, *loaders: DataLoader[Any] | None) -> None:
        self.shares: list[Any] = [one.batch_sampler for one in loaders if one is not None]

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Tell which process this is, before the first batch is drawn.

        Raises:
            SettingsError: there are fewer pictures in a batch than processes.
        """
        for one in self.shares:
            if one.batch < trainer.world_size:
                raise SettingsError([
                    f"batch must be at least {trainer.world_size}, one picture for each device, "
                    f"not {one.batch}"
                ])  # fmt: skip
            one.among(trainer.global_rank, trainer.world_size)


class Progress(L.Callback):
    """Show progress, and tell the order which epoch it is."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self._open = ExitStack()

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Open the progress bar."""
        self._step = self._open.enter_context(steps("Training", trainer.max_epochs))

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Show what was done before the interruption."""
        self._step(trainer.current_epoch)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Let the next order be this epoch's."""
        self.order.epoch = trainer.current_epoch

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Move the bar on, and show how good the model is now."""
        now = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self._step(1, ", ".join(f"{name} {value:.3f}" for name, value in now.items()))

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Close the bar."""
        self._open.close()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Close the bar."""
        self._open.close()

    def state_dict(self) -> dict[str, Any]:
        """Give the next epoch: loaders with workers draw ahead before it starts."""
        return {"epoch": self.order.epoch + 1}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from an interrupted training."""
        self.order.epoch = state_dict["epoch"]


class Replay(L.Callback):
    """Let what is random in a step, such as dropout, depend on the seed and the step only."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Start this step's random numbers."""
        place = [self.seed, trainer.current_epoch, batch_idx, trainer.global_rank]
        torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))


class Curves(L.Callback):
    """Write ``curves/metrics.csv``, one line per epoch; Lightning's own starts anew on resuming."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "curves" / "metrics.csv"
        self.rows: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Note the epoch's figures."""
        known = {n: float(v) for n, v in trainer.callback_metrics.items()}
        self.rows.append({"epoch": trainer.current_epoch, "step": trainer.global_step, **known})

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the whole table."""
        self._write(trainer)

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Leave what is known so far."""
        self._write(trainer)

    def _write(self, trainer: L.Trainer) -> None:
        if trainer.is_global_zero:
            text = io.StringIO()
            names = dict.fromkeys((*FIRST, *(name for row in self.rows for name in row)))
            table = csv.DictWriter(text, list(names), lineterminator="\n")
            table.writeheader()
            table.writerows(self.rows)
            files.write_text(self.path, text.getvalue())

    def state_dict(self) -> dict[str, Any]:
        """Give what a continued training needs."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from an interrupted training."""
        self.rows = state_dict["rows"]


class Resume(Checkpoint):
    """Write a checkpoint at the end of an epoch, now and then, and after the last one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.due = time.monotonic() + SECONDS

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save if it is time."""
        started = time.monotonic()
        last = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        if trainer.strategy.broadcast(last or started >= self.due):
            unfinished = self.path.with_name("unfinished.ckpt")
            trainer.save_checkpoint(unfinished)
            if trainer.is_global_zero:
                unfinished.replace(self.path)
            taken = time.monotonic() - started
            self.due = time.monotonic() + max(SECONDS, SHARE * taken)
