"""The training loop: one Lightning module for every network and every task.

Only `garim.training.loop` imports it, and only to train.
"""

from __future__ import annotations

import logging
import signal
import threading
import warnings
from collections import Counter
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import lightning as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor, nn
from torch.utils.data import DataLoader

from garim.errors import ModelError
from garim.models.memory import Halving, ran_out, release, too_large
from garim.training.batches import Shares
from garim.training.callbacks import (
    Best,
    Curves,
    Progress,
    Replay,
    Resume,
    Sharing,
    trained_state,
)
from garim.training.objective import Fitted, Objective, Schedule
from garim.training.processes import placed, several

_log = logging.getLogger(__name__)

for _name in ("lightning.pytorch", "lightning.fabric"):
    logging.getLogger(_name).setLevel(logging.ERROR)


class Learning(L.LightningModule):
    """An objective, AdamW with a one-cycle schedule; or Adam at a constant rate.

    Args:
        model: trained where its parameters require gradients.
        objective: loss and figures of a batch; the second part of a batch is its targets. What it
            remembers is kept in the checkpoints if it is a module.
        schedule: learning rate and decay.
        shares: of the training batches.
        constant: Adam at a constant rate, as older papers train.
    """

    strict_loading = False  # checkpoints leave out what is frozen

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        schedule: Schedule,
        shares: Shares,
        constant: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.objective = objective
        self.schedule = schedule
        self.shares = shares
        self.constant = constant
        self.halving = Halving()

    def training_step(self, batch: Any, index: int) -> Tensor:
        """Give the loss of a part of a batch, weighted so that the parts add up to the batch's."""
        loss = self.objective.loss(self.model, batch)
        self._note("train_loss", loss, batch)
        return loss * self.shares.weight(index, len(batch[1]))

    def validation_step(self, batch: Any, index: int) -> None:
        """Note the figures of one batch."""
        for name, value in self.figures(batch).items():
            self._note(f"val_{name}", value, batch)

    def _note(self, name: str, value: Tensor, batch: Any) -> None:
        """Add to the mean of an epoch's pictures, those of all processes."""
        size: Any = float(len(batch[1]))  # Lightning rounds the mean of whole numbers down
        self.log(name, value, on_step=False, on_epoch=True, batch_size=size, sync_dist=True)

    def figures(self, batch: Any) -> dict[str, Tensor]:
        """Give the figures of a batch; of one that does not fit into memory, the mean over parts.

        Raises:
            ModelError: not even one picture fits into memory.
        """

        def judged(part: slice) -> tuple[int, dict[str, Tensor]]:
            some = tuple(one[part] for one in batch)
            return len(some[1]), self.objective.figures(self.model, some)

        parts = self.halving(judged, len(batch[1]))
        if len(parts) == 1:
            return parts[0][1]
        size = sum(seen for seen, _ in parts)
        return {
            name: torch.stack([found[name] * (seen / size) for seen, found in parts]).sum()
            for name in parts[0][1]
        }

    def configure_optimizers(self) -> Any:
        """Give AdamW and its one-cycle schedule (Smith 2018), or Adam (Kingma & Ba 2015)."""
        trained = [p for p in self.model.parameters() if p.requires_grad]
        rate = self.schedule.learning_rate
        if self.constant:
            return torch.optim.Adam(trained, lr=rate)
        optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=self.schedule.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, rate, total_steps=max(1, int(self.trainer.estimated_stepping_batches))
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave the frozen backbone out: it never changes."""
        checkpoint["state_dict"] = trained_state(self)


def learn(
    module: Learning,
    train: DataLoader[Any],
    validation: DataLoader[Any] | None,
    folder: Path,
    seed: int,
    keep_last: bool,
) -> Fitted:
    """Train a module in place and keep its best weights: `garim.training.loop.fit`."""
    schedule, shares = module.schedule, module.shares
    module.train()  # Lightning takes the modes as it finds them
    start = {name: t.detach().cpu().clone() for name, t in trained_state(module).items()}
    last = folder / "checkpoints" / "last.ckpt"
    best = Best(schedule.patience, keep_last)
    while True:
        callbacks: list[L.Callback] = [Sharing(train, validation)]
        callbacks += [best] if validation else []
        callbacks += [Progress(shares.order), Replay(seed)]
        callbacks += [Curves(folder), Resume(last)]
        trainer = _trainer(schedule, folder, callbacks, shares.parts)
        if _fits(trainer, module, train, validation, last):
            break
        module.load_state_dict(start, strict=False)
        best = Best(schedule.patience, keep_last)
    module.load_state_dict(trainer.strategy.broadcast(best.weights), strict=False)
    for one in (train, validation):
        if one is not None:
            cast(Shares, one.batch_sampler).alone()
    return Fitted(epochs=trainer.current_epoch, metrics=_metrics(trainer, module, validation))


def _fits(
    trainer: L.Trainer,
    module: Learning,
    train: DataLoader[Any],
    validation: DataLoader[Any] | None,
    last: Path,
) -> bool:
    """Train; where memory runs out, cut the batches into more parts and give False."""
    shares = module.shares
    try:
        with _interruptible(), isolate_rng(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice on worker counts and the like
            trainer.fit(module, train, validation, ckpt_path=_checked(last))
        return True
    except Exception as error:  # they have no common base
        if not ran_out(error):
            raise
        if shares.processes > 1:  # the others wait for this one's gradients
            raise ModelError(
                f"a batch of {shares.batch} on {shares.processes} devices does not fit into "
                f"memory; give a smaller batch: {error}"
            ) from error
        if not shares.can_be_cut:
            raise too_large(error) from error
    shares.cut()
    release()  # here, where the error no longer holds tensors
    _log.warning(
        "a batch of %d does not fit into memory; it is trained on in %d parts, which comes to the "
        "same", shares.batch, shares.parts,
    )  # fmt: skip
    return False


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


def _trainer(
    schedule: Schedule, folder: Path, callbacks: list[L.Callback], parts: int
) -> L.Trainer:
    logs = bool(find_spec("tensorboard"))
    devices, nodes = placed(schedule.devices)
    # Of some networks a picture without objects uses only a part.
    strategy = DDPStrategy(find_unused_parameters=True) if several(devices, nodes) else "auto"
    return L.Trainer(
        max_epochs=schedule.epochs,
        devices=devices,
        num_nodes=nodes,
        strategy=strategy,
        use_distributed_sampler=False,  # `Shares` does it
        accumulate_grad_batches=parts,
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
            found = module.figures(on_device)
            totals.update({f"validation_{n}": float(v) * size for n, v in found.items()})
    module.cpu()
    return {name: total / pictures for name, total in totals.items()}
