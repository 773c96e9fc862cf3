"""A Ray cluster: shards as a Ray Dataset, done by a pool of actors that each hold the model.

Actors write their shards into the run's folder, which every machine must see, as it must see the
pictures. Ray starts an actor anew that died, and gives it its shard again; without end, so that
the deaths over a shard are counted here.

What leads the actors is a process of its own: Ray ends the process that is connected to it where
others raise an error, when the cluster is gone, or when a thread of its own comes too late.
"""

from __future__ import annotations

import logging
import multiprocessing as mp
import os
import pickle
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from garim.errors import ExecutionError, SettingsError
from garim.execution.local import DEATHS, Parts, dead, finish, take_threads
from garim.execution.process import GUARDED, Helper, pickled, portable
from garim.execution.settings import ExecutionSettings
from garim.execution.shards import RUN, Shards
from garim.execution.stage import Stage, Work, check_seen
from garim.streaming import Step

PATIENCE = 30.0
"""Seconds that Ray has to say farewell."""


def run(
    stage: Stage[Any],
    parts: Parts,
    todo: Sequence[int],
    shards: Shards,
    settings: ExecutionSettings,
    step: Step,
) -> None:
    """Do shards on a Ray cluster; the arguments are those of `garim.execution.local.run`.

    Raises:
        SettingsError: Ray is not installed.
        ExecutionError: the cluster cannot be reached or is lost, a machine does not see the
            folders, or actors keep dying.
    """
    if find_spec("ray") is None:
        raise SettingsError(["the engine ray needs Ray: pip install 'garim[ray]'"])
    for number in todo:
        shards.deaths(number).unlink(missing_ok=True)
    wanted = {number: parts[number] for number in todo}
    with TemporaryDirectory(prefix="garim-") as folder:
        noise = Path(folder) / "said"
        leader = Helper.started(
            mp.get_context("spawn"), _lead, pickled(stage), wanted, shards, settings.workers,
            _address(settings), noise,
        )  # fmt: skip
        try:
            for count in _heard(leader, noise):
                step(count)
        except KeyboardInterrupt:
            leader.process.terminate()
            raise
        finally:
            leader.ended(PATIENCE)


def _heard(leader: Helper, noise: Path) -> Iterator[int]:
    """Give how many items are done, again and again; raise what the leader raised."""
    try:
        while (said := leader.link.recv()) is not None:
            if isinstance(said, Exception):
                break
            yield said
    except (EOFError, OSError) as error:
        code = leader.ended()
        raise ExecutionError(
            f"the process that leads the work on Ray has ended (exit code {code}: {_last(noise)}); "
            "see that the cluster is there, and run again to go on"
        ) from error
    if said is not None:
        raise said


def _last(noise: Path) -> str:
    """Give the last line that a process said, or why it may have said none."""
    lines = noise.read_text(errors="replace").split("\n") if noise.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), GUARDED)


def _address(settings: ExecutionSettings) -> str:
    """Give the cluster that is named, that this process is connected to, or one for this run."""
    if settings.address:
        return settings.address
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        return str(ray.get_runtime_context().gcs_address)
    return os.environ.get("RAY_ADDRESS") or "local"


def _lead(
    link: Connection,
    stage: bytes,
    wanted: Mapping[int, Sequence[Any]],
    shards: Shards,
    workers: int,
    address: str,
    noise: Path,
) -> None:
    """Have shards done, and tell of it: numbers of items, at last None.

    The connection ends with this process, when all is told.
    """
    # Ray's own threads write there, of what troubles nobody and of why they end this process.
    file = os.open(noise, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    ray = _connected(address, workers)
    held = ray.put(stage)
    listed = [{"number": n, "items": pickle.dumps(items)} for n, items in wanted.items()]
    made = ray.data.from_items(listed, override_num_blocks=len(listed)).map_batches(
        _Actor,
        # In a list the stage stays in Ray's store, from where an actor that is started anew has
        # it again.
        fn_constructor_args=([held], shards),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=min(workers, len(listed))),
        num_cpus=1,
    )
    for row in _told(made):
        if row["error"]:
            raise pickle.loads(row["error"])  # noqa: S301 - made by our actors
        link.send(row["items"])
    link.send(None)


def _told(made: Any) -> Iterator[dict[str, Any]]:
    """Give what the actors tell; what troubles Ray itself becomes an error of ours."""
    try:
        yield from made.iter_rows()
    except Exception as error:  # Ray has a hundred kinds
        last = next(reversed(str(error).strip().splitlines()), type(error).__name__)
        raise ExecutionError(
            f"the Ray cluster could not finish: {last}; run again to go on"
        ) from error


def _connected(address: str, workers: int) -> ModuleType:
    """Give Ray, connected to a cluster."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray is imported
    import ray  # noqa: PLC0415 - an extra
    import ray.data  # noqa: PLC0415

    ours: dict[str, Any] = (
        {"num_cpus": workers, "include_dashboard": False} if address == "local" else {}
    )
    try:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, **ours)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ExecutionError(
            f"no Ray cluster at {'this machine' if ours else address}: {error}; start one with "
            "`ray start --head`, and give --address auto on one of its machines"
        ) from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray


class _Actor:
    """Holds the stage's model on some machine and does shards; tells of errors, raises none."""

    def __init__(self, held: list[Any], shards: Shards) -> None:
        self.held, self.shards = held, shards

    @cached_property
    def work(self) -> Work[Any]:
        """The stage, ready to work."""
        import ray  # noqa: PLC0415 - an extra

        take_threads(1)
        stage: Stage[Any] = pickle.loads(ray.get(self.held[0]))  # noqa: S301 - made by our driver
        check_seen(self.shards.folder / RUN, stage.root)
        return stage.open()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        number, said = int(batch["number"][0]), b""
        items = pickle.loads(batch["items"][0])  # noqa: S301 - made by the driver
        try:
            with self._counted(number):
                finish(self.work, items, number, self.shards, lambda count, note="": None)
        except Exception as error:  # told to the driver, whose error it becomes
            said = pickle.dumps(portable(error))
        return {"items": [len(items)], "error": [said]}

    @contextmanager
    def _counted(self, number: int) -> Iterator[None]:
        """Note that a shard was begun, until it is done or an error ends it."""
        path = self.shards.deaths(number)
        if path.exists() and path.stat().st_size >= DEATHS:
            raise dead(self.shards, number)
        with path.open("ab") as stream:
            stream.write(b".")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
