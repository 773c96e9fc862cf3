"""The training loop: one Lightning module for a whole network, a head, or a head on features."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sized
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import lightning as L
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics.functional.classification import multiclass_accuracy

from garim.streaming import steps
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

    def __init__(self, model: nn.Module, recipe: Recipe, total_steps: int) -> None:
        super().__init__()
        self.model = model
        self.recipe = recipe
        self.total_steps = total_steps

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """Give the loss of one batch."""
        inputs, targets = batch
        loss = nn.functional.cross_entropy(self.model(inputs), targets)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        """Note loss and accuracy of one batch."""
        inputs, targets = batch
        scores = self.model(inputs)
        accuracy = multiclass_accuracy(scores, targets, scores.shape[1], average="micro")
        self.log("val_loss", nn.functional.cross_entropy(scores, targets))
        self.log("val_accuracy", accuracy)

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


class _Epochs(L.Callback):
    """Tell the pictures which epoch it is, and show progress."""

    def __init__(self, description: str) -> None:
        self.description = description

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        self._bar = steps(self.description, trainer.max_epochs)
        self._step = self._bar.__enter__()

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        pictures = trainer.train_dataloader.dataset
        if hasattr(pictures, "epoch"):
            pictures.epoch = trainer.current_epoch

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._step(1)

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        self._bar.__exit__(None, None, None)


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
        train: batches of inputs and class numbers.
        validation: the same, for early stopping and choosing the best epoch; None to run all
            epochs and keep the last.
        recipe: epochs, learning rate, patience, devices.
        folder: takes ``curves/`` and, while it runs, ``checkpoints/``; a checkpoint left there by
            an interrupted run is continued.
        description: shown beside the progress bar.
    """
    module = Classification(model, recipe, max(1, recipe.epochs * len(train)))
    checkpoints = folder / "checkpoints"
    monitor = "val_loss" if validation else None
    keep = ModelCheckpoint(checkpoints, monitor=monitor, save_last=True)
    callbacks: list[L.Callback] = [keep, _Epochs(description)]
    if validation and recipe.patience:
        callbacks.append(EarlyStopping("val_loss", patience=recipe.patience))
    trainer = _trainer(recipe, folder, callbacks)
    last = checkpoints / "last.ckpt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice on worker counts and the like
        trainer.fit(module, train, validation, ckpt_path=last if last.exists() else None)
    if trainer.interrupted:
        raise KeyboardInterrupt
    best = torch.load(keep.best_model_path, map_location="cpu", weights_only=True)
    module.load_state_dict(best["state_dict"])
    return Fitted(epochs=trainer.current_epoch, metrics=_metrics(trainer, module, validation))


def _trainer(recipe: Recipe, folder: Path, callbacks: list[L.Callback]) -> L.Trainer:
    loggers: list[Any] = [CSVLogger(folder, name="", version="curves")]
    if find_spec("tensorboard"):
        loggers.append(TensorBoardLogger(folder, name="", version="curves"))
    return L.Trainer(
        max_epochs=recipe.epochs,
        devices=recipe.devices if not recipe.devices.isdigit() else int(recipe.devices),
        precision=cast(Any, recipe.precision),
        logger=loggers,
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
    accuracy = multiclass_accuracy(scores, targets, scores.shape[1], average="micro")
    return {
        "validation_accuracy": float(accuracy),
        "validation_loss": float(nn.functional.cross_entropy(scores, targets)),
    }
