"""Training on several devices: what torchrun starts comes to what one process does."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import lightning as L
import pytest
import torch
from drawn_classes import draw, settings, weights
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.utilities.rank_zero import _get_rank
from test_resume import finished, interrupted

from garim.errors import SettingsError
from garim.training import callbacks, train
from garim.training.loop import seeded
from garim.training.processes import device_problems, is_first, launched, placed


@pytest.mark.parametrize("devices", ["0", "gpu", "", "cuda:0", "-2", "1.5"])
def test_what_names_no_devices_is_refused(devices: str) -> None:
    assert "devices must be auto, a count" in device_problems(devices)[0]


def test_devices_that_are_not_there_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert not device_problems("auto") and not device_problems("2")
    assert "there is no GPU here" in device_problems("0,1")[0]
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert not any(device_problems(devices) for devices in ("auto", "-1", "2", "0,1", "1,"))
    for devices in ("3", "0,2"):
        assert "there are 2 GPUs here" in device_problems(devices)[0]


def started(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_the_launcher_says_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert launched() == (1, 1)
    assert placed("auto") == ("auto", 1) and placed("2") == (2, 1)
    with monkeypatch.context() as torchrun:
        started(torchrun, TORCHELASTIC_RUN_ID="1", LOCAL_WORLD_SIZE="4", WORLD_SIZE="8")
        assert launched() == (4, 2)
        assert placed("auto") == placed("4") == (4, 2)
        with pytest.raises(SettingsError, match="devices is 3, but 4 processes were started"):
            placed("3")
    started(monkeypatch, SLURM_NTASKS="6", SLURM_NNODES="3", SLURM_JOB_NAME="train")
    assert launched() == (1, 1)  # inside a job, but not by srun
    started(monkeypatch, SLURM_STEP_NUM_TASKS="6", SLURM_STEP_NUM_NODES="3")
    assert launched() == (2, 3)
    monkeypatch.setenv("SLURM_JOB_NAME", "bash")
    assert launched() == (1, 1) and not SLURMEnvironment.detect()


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"RANK": "0"},
        {"RANK": "4", "LOCAL_RANK": "0"},
        {"LOCAL_RANK": "1"},
        {"LOCAL_RANK": "0", "SLURM_PROCID": "3"},
        {"SLURM_PROCID": "3"},
        {"JSM_NAMESPACE_RANK": "2"},
    ],
)
def test_the_first_process_is_lightnings(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started(monkeypatch, **variables)
    assert is_first() == ((_get_rank() or 0) == 0)


def test_what_is_seeded_comes_out_the_same_and_leaves_no_trace() -> None:
    torch.manual_seed(5)
    undisturbed = torch.rand(3)
    torch.manual_seed(5)
    with seeded(7):
        drawn = torch.rand(3)
    assert torch.equal(torch.rand(3), undisturbed)
    torch.manual_seed(7)
    assert torch.equal(torch.rand(3), drawn)


def test_too_small_a_batch_is_said_plainly(tmp_path: Path) -> None:
    drawn = draw(tmp_path / "data", each=4)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(L.Trainer, "world_size", property(lambda self: 3))
        with pytest.raises(SettingsError, match="batch must be at least 3, one picture for each"):
            train(drawn, settings(batch=2))


def curve(folder: Path) -> list[list[float]]:
    with (folder / "curves" / "metrics.csv").open(newline="") as stream:
        return [[float(value) for value in row.values()] for row in csv.DictReader(stream)]


@pytest.mark.slow
def test_two_processes_go_on_where_one_was_and_learn_as_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a loss that remembers pictures, in batches that do not come out even."""
    monkeypatch.setattr(callbacks, "SECONDS", 0.0)
    monkeypatch.setattr(callbacks, "SHARE", 0.0)
    drawn = draw(tmp_path / "data", each=15)  # 39 to learn from: batches of 7, and 4
    start = weights(tmp_path / "start.safetensors")
    chosen = {"backbone": "mobilenetv3_small_050", "weights": start, "tune": "all", "epochs": 3,
              "batch": 7, "noise": "elr", "learning_rate": 0.001}  # fmt: skip
    unbroken = train(drawn, settings(**chosen), tmp_path / "one")
    out = tmp_path / "two"
    interrupted(drawn, out, epoch=1, **chosen)
    options = [part for name, value in {**chosen, "size": 32}.items()
               for part in (f"--{name.replace('_', '-')}", str(value))]  # fmt: skip
    command = ["train", str(tmp_path / "data"), "--out", str(out), "--no-localizer", "--json"]
    run = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2",
         "-m", "garim", *command, *options],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout)  # one process speaks
    assert finished(out)
    assert len(curve(out)) == 3
    for one, two in zip(curve(tmp_path / "one"), curve(out), strict=True):
        assert two == pytest.approx(one, rel=1e-3, abs=1e-4)
    assert said["metrics"] == pytest.approx(unbroken.classifier.card.metrics, rel=1e-2, abs=1e-3)
