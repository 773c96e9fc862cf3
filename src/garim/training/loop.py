"""The training loop: one Lightning module for a whole network, a head, or a head on features."""

from __future__ import annotations

import logging
import signal
import threading
import warnings
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import lightning as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader

from garim.errors import ModelError
from garim.training.callbacks import Best, Curves, Progress, Resume, trained_state
from garim.training.settings import Recipe

for _name in ("lightning.pytorch", "lightning.fabric"):
    logging.getLogger(_name).setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What came of a training."""

    epochs: int
    """Epochs that were run."""
    metrics: dict[str, float]
    """Validation figures of the weights that were kept."""


class Classification(L.LightningModule):
    """Cross-entropy, AdamW with a one-cycle schedule, accuracy.

    Args:
        model: gives class scores ``(n, classes)`` for what the loader gives.
        recipe: learning rate and decay.
        total_steps: optimizer steps of the whole training.
    """

    strict_loading = False  # checkpoints leave out what is frozen

    def __init__(self, model: nn.Module, recipe: Recipe, total_steps: int) -> None:
        super().__init__()
        self.model = model
        self.recipe = recipe
        self.total_steps = total_steps

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """Give the loss of one batch."""
        inputs, targets = batch
        loss = nn.functional.cross_entropy(self.model(inputs), targets)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(targets))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        """Note loss and accuracy of one batch."""
        inputs, targets = batch
        scores = self.model(inputs)
        loss = nn.functional.cross_entropy(scores, targets)
        self.log("val_loss", loss, batch_size=len(targets))
        self.log("val_accuracy", _accuracy(scores, targets), batch_size=len(targets))

    def configure_optimizers(self) -> Any:
        """Give AdamW and its one-cycle schedule (Smith 2018)."""
        trained = [p for p in self.model.parameters() if p.requires_grad]
        rate = self.recipe.learning_rate
        optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=self.recipe.weight_decay)
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


def _accuracy(scores: Tensor, targets: Tensor) -> Tensor:
    return (scores.argmax(dim=1) == targets).float().mean()


def fit(
    model: nn.Module,
    train: DataLoader[Any],
    validation: DataLoader[Any] | None,
    recipe: Recipe,
    folder: Path,
    description: str = "Training",
) -> Fitted:
    """Train a model in place and keep its best weights.

    Args:
        model: trained where its parameters require gradients.
        train: batches of inputs and class numbers; its sampler's ``epoch`` is set.
        validation: the same, for early stopping and choosing the best epoch; None to run all
            epochs and keep the last.
        recipe: epochs, learning rate, patience, devices.
        folder: takes ``curves/`` and, while it runs, ``checkpoints/``; a checkpoint left there by
            an interrupted run is continued.
        description: shown beside the progress bar.

    Raises:
        ModelError: the checkpoint to continue from is broken.
    """
    module = Classification(model, recipe, max(1, recipe.epochs * len(train)))
    module.train()  # Lightning takes the modes as it finds them
    best = Best(recipe.patience)
    callbacks: list[L.Callback] = [best] if validation else []
    last = folder / "checkpoints" / "last.ckpt"
    callbacks += [Progress(description, train.sampler), Curves(folder), Resume(last)]
    trainer = _trainer(recipe, folder, callbacks)
    with _interruptible(), warnings.catch_warnings():
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


def _trainer(recipe: Recipe, folder: Path, callbacks: list[L.Callback]) -> L.Trainer:
    logs = bool(find_spec("tensorboard"))
    return L.Trainer(
        max_epochs=recipe.epochs,
        devices=recipe.devices if not recipe.devices.isdigit() else int(recipe.devices),
        precision=cast(Any, recipe.precision),
        logger=TensorBoardLogger(folder, name="", version="curves") if logs else False,
        callbacks=callbacks,
        log_every_n_steps=10,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )


def _metrics(
    trainer: L.Trainer, module: Classification, loader: DataLoader[Any] | None
) -> dict[str, float]:
    """Measure the kept weights, which may be older than the last epoch's."""
    if loader is None or not isinstance(loader.dataset, Sized) or not len(loader.dataset):
        return {}
    module.eval().to(trainer.strategy.root_device)
    with torch.inference_mode():
        parts = [
            (module.model(inputs.to(module.device)).float().cpu(), targets)
            for inputs, targets in loader
        ]
    module.cpu()
    scores, targets = (torch.cat(part) for part in zip(*parts, strict=True))
    return {
        "validation_accuracy": float(_accuracy(scores, targets)),
        "validation_loss": float(nn.functional.cross_entropy(scores, targets)),
    }
