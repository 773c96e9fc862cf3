"""The training loop: one Lightning module for every network and every task."""

from __future__ import annotations

import logging
import signal
import threading
import warnings
from collections import Counter
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, cast

import lightning as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor, nn
from torch.utils.data import DataLoader

from garim.errors import ModelError
from garim.training.callbacks import Best, Curves, Progress, Replay, Resume, trained_state
from garim.training.losses import Classification

for _name in ("lightning.pytorch", "lightning.fabric"):
    logging.getLogger(_name).setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What came of a training."""

    epochs: int
    """Epochs that were run."""
    metrics: dict[str, float]
    """Validation figures of the weights that were kept."""


class Schedule(Protocol):
    """What the loop must know of a training."""

    @property
    def epochs(self) -> int:
        """Passes over the training pictures."""

    @property
    def learning_rate(self) -> float:
        """Largest step size."""

    @property
    def weight_decay(self) -> float:
        """Decay of the weights."""

    @property
    def patience(self) -> int:
        """Epochs without a better validation loss before it stops; 0 never stops."""

    @property
    def devices(self) -> str:
        """Lightning's ``devices``."""

    @property
    def precision(self) -> str:
        """Lightning's ``precision``."""


class Objective(Protocol):
    """What a training makes small, and what it is judged by; one for each task."""

    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        """Give the loss of a training batch, a scalar."""

    def figures(self, model: nn.Module, batch: Any) -> dict[str, Tensor]:
        """Give the figures of a validation batch, scalars; ``loss`` chooses the best epoch."""


class Learning(L.LightningModule):
    """An objective, AdamW with a one-cycle schedule; or Adam at a constant rate.

    Args:
        model: trained where its parameters require gradients.
        objective: loss and figures of a batch; the second part of a batch is its targets. What it
            remembers is kept in the checkpoints if it is a module.
        schedule: learning rate and decay.
        total_steps: optimizer steps of the whole training.
        constant: Adam at a constant rate, as older papers train.
    """

    strict_loading = False  # checkpoints leave out what is frozen

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        schedule: Schedule,
        total_steps: int,
        constant: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.objective = objective
        self.schedule = schedule
        self.total_steps = total_steps
        self.constant = constant

    def training_step(self, batch: Any, index: int) -> Tensor:
        """Give the loss of one batch."""
        loss = self.objective.loss(self.model, batch)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(batch[1]))
        return loss

    def validation_step(self, batch: Any, index: int) -> None:
        """Note the figures of one batch."""
        for name, value in self.objective.figures(self.model, batch).items():
            self.log(f"val_{name}", value, batch_size=len(batch[1]))

    def configure_optimizers(self) -> Any:
        """Give AdamW and its one-cycle schedule (Smith 2018), or Adam (Kingma & Ba 2015)."""
        trained = [p for p in self.model.parameters() if p.requires_grad]
        rate = self.schedule.learning_rate
        if self.constant:
            return torch.optim.Adam(trained, lr=rate)
        optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=self.schedule.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, rate, total_steps=self.total_steps
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave the frozen backbone out: it never changes."""
        checkpoint["state_dict"] = trained_state(self)


def fit(
    model: nn.Module,
    train: DataLoader[Any],
    validation: DataLoader[Any] | None,
    schedule: Schedule,
    folder: Path,
    objective: Objective | None = None,
    description: str = "Training",
    seed: int = 0,
    constant: bool = False,
) -> Fitted:
    """Train a model in place and keep its best weights.

    Args:
        model: trained where its parameters require gradients.
        train: batches of inputs and targets; its sampler's ``epoch`` is set.
        validation: the same, for early stopping and choosing the best epoch; None to run all
            epochs and keep the last.
        schedule: epochs, learning rate, patience, devices.
        folder: takes ``curves/`` and, while it runs, ``checkpoints/``; a checkpoint left there by
            an interrupted run is continued.
        objective: what is made small; cross-entropy of class scores by default.
        description: shown beside the progress bar.
        seed: of what is random inside the model, such as dropout.
        constant: Adam at a constant learning rate, instead of AdamW with one cycle.

    Raises:
        ModelError: the checkpoint to continue from is broken.
    """
    steps = max(1, schedule.epochs * len(train))
    module = Learning(model, objective or Classification(), schedule, steps, constant)
    module.train()  # Lightning takes the modes as it finds them
    best = Best(schedule.patience)
    callbacks: list[L.Callback] = [best] if validation else []
    last = folder / "checkpoints" / "last.ckpt"
    callbacks += [Progress(description, train.sampler), Replay(seed)]
    callbacks += [Curves(folder), Resume(last)]
    trainer = _trainer(schedule, folder, callbacks)
    with _interruptible(), isolate_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice on worker counts and the like
        trainer.fit(module, train, validation, ckpt_path=_checked(last))
    module.load_state_dict(best.weights, strict=False)
    return Fitted(epochs=trainer.current_epoch, metrics=_metrics(trainer, module, validation))


def _checked(checkpoint: Path) -> Path | None:
    """Give the checkpoint to continue from, if there is one: sound, and nothing but tensors."""
    if not checkpoint.exists():
        return None
    try:
        torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # zip's, pickle's and torch's errors have no common base
        raise ModelError(
            f"{checkpoint}: cannot be continued from; delete the training's folder and start "
            f"again: {error}"
        ) from error
    return checkpoint


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C through: Lightning would leave the program, and ignore Ctrl-C from then on."""
    is_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    finally:
        if is_main:
            signal.signal(signal.SIGINT, handler)


def _trainer(schedule: Schedule, folder: Path, callbacks: list[L.Callback]) -> L.Trainer:
    logs = bool(find_spec("tensorboard"))
    return L.Trainer(
        max_epochs=schedule.epochs,
        devices=schedule.devices if not schedule.devices.isdigit() else int(schedule.devices),
        precision=cast(Any, schedule.precision),
        logger=TensorBoardLogger(folder, name="", version="curves") if logs else False,
        callbacks=callbacks,
        log_every_n_steps=10,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )


def _metrics(
    trainer: L.Trainer, module: Learning, loader: DataLoader[Any] | None
) -> dict[str, float]:
    """Measure the kept weights, which may be older than the last epoch's."""
    if loader is None or not isinstance(loader.dataset, Sized) or not len(loader.dataset):
        return {}
    module.eval().to(trainer.strategy.root_device)
    totals: Counter[str] = Counter()
    pictures = 0
    with torch.inference_mode():
        for batch in loader:
            on_device = module.transfer_batch_to_device(batch, module.device, 0)
            size = len(batch[1])
            pictures += size
            found = module.objective.figures(module.model, on_device)
            totals.update({f"validation_{n}": float(v) * size for n, v in found.items()})
    module.cpu()
    return {name: total / pictures for name, total in totals.items()}
