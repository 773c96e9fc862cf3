"""The processes of one training: torchrun or SLURM started them, or Lightning itself does."""

from __future__ import annotations

import os
import re
from typing import Any

import torch
from torch import Tensor, distributed

from garim.errors import SettingsError

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
"""Variables that launchers number processes by; the first that is set holds, as in Lightning."""


def is_first() -> bool:
    """Tell whether this process writes: the only one, or the first of several."""
    if _together():
        return distributed.get_rank() == 0
    return int(next((os.environ[name] for name in RANKS if name in os.environ), 0)) == 0


def launched() -> tuple[int, int]:
    """Give how many processes torchrun or srun started on each machine, and on how many machines.

    Both are 1 for a process that was started by itself.
    """
    if distributed.is_available() and distributed.is_torchelastic_launched():
        beside = int(os.environ["LOCAL_WORLD_SIZE"])
        return beside, int(os.environ["WORLD_SIZE"]) // beside
    if "SLURM_STEP_NUM_TASKS" in os.environ and _is_slurm_job():  # srun's own variable
        nodes = int(os.environ["SLURM_STEP_NUM_NODES"])
        return int(os.environ["SLURM_STEP_NUM_TASKS"]) // nodes, nodes
    return 1, 1


def _is_slurm_job() -> bool:
    """Tell what Lightning goes by; in a job of these names, a person types commands."""
    name = os.environ.get("SLURM_JOB_NAME")
    return "SLURM_NTASKS" in os.environ and name not in {"bash", "interactive"}


def beside() -> int:
    """Give how many processes share this machine, this one included."""
    return launched()[0]


def placed(devices: str) -> tuple[int | str, int]:
    """Give Lightning's ``devices`` and ``num_nodes``: those of the launcher, where there is one.

    Args:
        devices: `auto`, a count, or a list.

    Raises:
        SettingsError: a launcher started another number of processes than ``devices`` says.
    """
    on_each, nodes = launched()
    wanted = int(devices) if devices.isdigit() else devices
    if on_each * nodes == 1:
        return wanted, 1
    if wanted not in {"auto", on_each}:
        raise SettingsError([
            f"devices is {devices}, but {on_each} processes were started on each machine; leave "
            "devices away, or start as many"
        ])  # fmt: skip
    return on_each, nodes


def device_problems(devices: str) -> list[str]:
    """List what is wrong with Lightning's ``devices`` on this machine."""
    if not re.fullmatch(r"auto|-1|0*[1-9]\d*|\d+,[\d,]*", devices):
        known = "auto, a count of at least 1, or numbers of GPUs such as 0,1"
        return [f"devices must be {known}, not {devices!r}"]
    if devices.isdigit() or devices == "auto" or torch.accelerator.is_available():
        return _missing_gpus(devices)
    return [
        f"devices is {devices!r}, but there is no GPU here; leave devices away, or give a count"
    ]


def _missing_gpus(devices: str) -> list[str]:
    """Say which of the GPUs that are asked for are not there; a processor takes any count."""
    there = torch.cuda.device_count()
    numbers = [int(one) for one in devices.split(",") if one.isdigit()]
    most = max(numbers, default=0) + ("," in devices)
    if not there or most <= there:
        return []
    return [f"devices is {devices!r}, but there are {there} GPUs here, numbered from 0"]


def several(devices: int | str, nodes: int) -> bool:
    """Tell whether a training on these devices has more than one process."""
    if devices in {"auto", "-1"}:
        return nodes > 1 or torch.cuda.device_count() > 1
    listed = [one for one in str(devices).split(",") if one.strip()]
    return nodes > 1 or (devices > 1 if isinstance(devices, int) else len(listed) > 1)


def own_device() -> str:
    """Name the device that this process computes on besides the training itself."""
    if not torch.cuda.is_available():
        return "cpu"
    number = os.environ.get("LOCAL_RANK") or os.environ.get("SLURM_LOCALID") or "0"
    return f"cuda:{number}"


def everywhere(*tensors: Tensor) -> list[tuple[Tensor, ...]]:
    """Give what each process passes here, in their order; each must call this at once.

    What comes from other processes lies in the memory of the processor.
    """
    if not _together():
        return [tensors]
    found: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(found, tuple(one.cpu() for one in tensors))
    return found


def _together() -> bool:
    """Tell whether the processes of this training can reach each other."""
    return distributed.is_available() and distributed.is_initialized()
