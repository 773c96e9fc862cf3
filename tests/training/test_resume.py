"""A training that was cut off goes on, and ends as if it had not been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import lightning as L
import pytest
import torch
from drawn_classes import draw, settings

from garim import locks
from garim.dataset import Dataset
from garim.errors import ModelError
from garim.training import callbacks, train
from garim.training.run_folder import UNFINISHED


@pytest.fixture
def drawn(tmp_path, monkeypatch) -> Dataset:
    monkeypatch.setattr(callbacks, "SECONDS", 0.0)
    monkeypatch.setattr(callbacks, "SHARE", 0.0)
    return draw(tmp_path / "data")


def interrupt(monkeypatch: pytest.MonkeyPatch, epoch: int, fit: int = 1) -> None:
    """Press Ctrl-C at the start of an epoch, in the first training or a later one."""
    started = []
    plain = callbacks.Progress.on_train_epoch_start

    def pressed(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        plain(self, trainer, module)
        if trainer not in started:
            started.append(trainer)
        if len(started) == fit and trainer.current_epoch == epoch:
            raise KeyboardInterrupt

    monkeypatch.setattr(callbacks.Progress, "on_train_epoch_start", pressed)


def interrupted(drawn: Dataset, out: Path, epoch: int, fit: int = 1, **more: object) -> None:
    handler = signal.getsignal(signal.SIGINT)
    with pytest.MonkeyPatch.context() as patched:
        interrupt(patched, epoch, fit)
        with pytest.raises(KeyboardInterrupt):
            train(drawn, settings(**more), out)
    assert signal.getsignal(signal.SIGINT) is handler
    assert (out / UNFINISHED).exists()
    assert (out / "checkpoints" / "last.ckpt").exists()


def same(one: torch.nn.Module, two: torch.nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def finished(out: Path) -> bool:
    return (out / "config.json").exists() and not (
        (out / UNFINISHED).exists() or list(out.rglob("checkpoints"))
    )


HARD_TO_RESUME = {
    "plain": {},
    "remembers": {"noise": "elr"},  # a loss with a state of its own
    "draws": {"imbalance": "balanced-sampling"},
    "weighs": {"imbalance": "effective-number", "noise": "gce"},
    "drops": {"dropout": 0.5},  # random numbers inside the network
}


@pytest.mark.parametrize("epoch", [1, 4])
@pytest.mark.parametrize("chosen", HARD_TO_RESUME.values(), ids=HARD_TO_RESUME)
def test_a_continued_training_ends_as_an_unbroken_one(
    chosen: dict[str, object], epoch: int, drawn, tmp_path
) -> None:
    out = tmp_path / "model"
    interrupted(drawn, out, epoch, epochs=6, **chosen)
    made = train(drawn, settings(epochs=6, **chosen), out)
    assert finished(out)
    unbroken = train(drawn, settings(epochs=6, **chosen), tmp_path / "unbroken")
    assert same(made.classifier.network, unbroken.classifier.network)
    curves = [(f / "curves" / "metrics.csv").read_text() for f in (out, tmp_path / "unbroken")]
    assert curves[0] == curves[1]


def test_folds_go_on_too(drawn, tmp_path) -> None:
    out = tmp_path / "model"
    chosen = {"epochs": 3, "folds": 3, "noise": "elr", "dropout": 0.2}
    interrupted(drawn, out, epoch=2, fit=3, **chosen)
    made = train(drawn, settings(**chosen), out)
    assert finished(out)
    unbroken = train(drawn, settings(**chosen))
    for one, two in zip(made.classifier.folds, unbroken.classifier.folds, strict=True):
        assert same(one.network, two.network)
    assert same(made.classifier.network, unbroken.classifier.network)


def test_an_early_stop_is_not_forgotten(drawn, tmp_path) -> None:
    chosen = {"epochs": 20, "patience": 1, "learning_rate": 1e-12, "folds": 2}
    unbroken = train(drawn, settings(**chosen), tmp_path / "unbroken")
    out = tmp_path / "model"
    interrupted(drawn, out, epoch=0, fit=2, **chosen)
    made = train(drawn, settings(**chosen), out)
    curves = [(f / "curves" / "metrics.csv").read_text() for f in (out, tmp_path / "unbroken")]
    assert curves[0] == curves[1]
    assert same(made.classifier.network, unbroken.classifier.network)


def test_other_settings_do_not_go_on(drawn, tmp_path) -> None:
    out = tmp_path / "model"
    interrupted(drawn, out, epoch=1)
    with pytest.raises(ModelError, match="unfinished training of other settings or data"):
        train(drawn, settings(batch=9), out)
    with pytest.raises(ModelError, match="unfinished training of other settings or data"):
        train(drawn.where(classes=["red", "blue"]), settings(), out)
    train(drawn, settings(), out)
    assert finished(out)


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_broken_or_planted_checkpoint_is_refused(drawn, tmp_path) -> None:
    out = tmp_path / "model"
    interrupted(drawn, out, epoch=2)
    last = out / "checkpoints" / "last.ckpt"
    whole = last.read_bytes()
    last.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="cannot be continued from; delete"):
        train(drawn, settings(), out)
    torch.save({"state_dict": Evil(tmp_path / "executed")}, last)
    with pytest.raises(ModelError, match="cannot be continued from; delete"):
        train(drawn, settings(), out)
    assert not (tmp_path / "executed").exists()


SCRIPT = """
import sys, torch
torch.set_num_threads(1)
sys.path.insert(0, {here!r})
from garim import dataset
from garim.training import callbacks, train
from drawn_classes import settings
callbacks.SECONDS = callbacks.SHARE = 0.0
train(dataset.read({data!r}), settings(epochs=400, patience=0), {out!r})
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")
def test_a_killed_training_goes_on(drawn, tmp_path, monkeypatch) -> None:
    out = tmp_path / "model"
    here = str(Path(__file__).parent)
    script = SCRIPT.format(here=here, data=str(tmp_path / "data"), out=str(out))
    process = subprocess.Popen([sys.executable, "-c", script])
    deadline = time.monotonic() + 120
    while not (out / "checkpoints" / "last.ckpt").exists() and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert (out / UNFINISHED).exists()
    seen = []
    start = callbacks.Progress.on_train_start

    def watched(self, trainer, module) -> None:
        seen.append(trainer.current_epoch)
        trainer.fit_loop.max_epochs = trainer.current_epoch + 2
        start(self, trainer, module)

    monkeypatch.setattr(callbacks.Progress, "on_train_start", watched)
    train(drawn, settings(epochs=400, patience=0), out)
    assert seen[0] > 0
    assert finished(out)


def test_two_trainings_in_one_folder(drawn: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    with (
        locks.alone(locks.beside(folder), folder, "being trained"),
        pytest.raises(ModelError, match=r"model: is being trained by process \d+ on this machine"),
    ):
        train(drawn, settings(epochs=1), folder)
    train(drawn, settings(epochs=1), folder)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
