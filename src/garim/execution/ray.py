"""A Ray cluster: shards as a Ray Dataset, done by a pool of actors that each hold the model.

Actors write their shards into the run's folder, which every machine must see, as it must see the
pictures. Ray starts an actor anew that died, and gives it its shard again; without end, so that
the deaths over a shard are counted here.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from garim.errors import ExecutionError, SettingsError
from garim.execution.local import DEATHS, Parts, dead, finish, portable, take_threads
from garim.execution.settings import ExecutionSettings
from garim.execution.shards import RUN, Shards
from garim.execution.stage import Stage, Work, check_seen
from garim.streaming import Step


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
        ExecutionError: the cluster cannot be reached, a machine does not see the folders, or actors
            keep dying.
    """
    for number in todo:
        shards.deaths(number).unlink(missing_ok=True)
    with _connected(settings) as ray:
        held = ray.put(stage)
        listed = [{"number": n, "items": pickle.dumps(parts[n])} for n in todo]
        made = ray.data.from_items(listed, override_num_blocks=len(listed)).map_batches(
            _Actor,
            # In a list the stage stays in Ray's store, from where an actor that is started anew
            # has it again.
            fn_constructor_args=([held], shards),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=min(settings.workers, len(listed))),
            num_cpus=1,
        )
        for row in _told(made):
            if row["error"]:
                raise pickle.loads(row["error"])  # noqa: S301 - made by our actors
            step(row["items"])


def _told(made: Any) -> Iterator[dict[str, Any]]:
    """Give what the actors tell; what troubles Ray itself becomes an error of ours."""
    try:
        yield from made.iter_rows()
    except Exception as error:  # Ray has a hundred kinds
        last = next(reversed(str(error).strip().splitlines()), type(error).__name__)
        raise ExecutionError(
            f"the Ray cluster could not finish: {last}; run again to go on"
        ) from error


@contextmanager
def _connected(settings: ExecutionSettings) -> Iterator[ModuleType]:
    """Give Ray, connected to a cluster; who was connected before stays so."""
    if find_spec("ray") is None:
        raise SettingsError(["the engine ray needs Ray: pip install 'garim[ray]'"])
    # Both are read when Ray is first imported. Threads of Ray Data that outlive an error would
    # else connect again after we have let go, in the way of the next run.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_AUTO_CONNECT": "0"}
    import ray  # noqa: PLC0415 - an extra
    import ray.data  # noqa: PLC0415

    ours = not ray.is_initialized()
    if ours:
        _connect(ray, settings)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context.print_on_execution_start = False
    try:
        yield ray
    finally:
        if ours:
            ray.shutdown()


def _connect(ray: ModuleType, settings: ExecutionSettings) -> None:
    local = {} if settings.address else {"num_cpus": settings.workers, "include_dashboard": False}
    try:
        ray.init(address=settings.address, logging_level=logging.ERROR, log_to_driver=False,
                 **local)  # fmt: skip
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ExecutionError(
            f"no Ray cluster at {settings.address or 'this machine'}: {error}; start one with "
            "`ray start --head`, and give --address auto on one of its machines"
        ) from error


class _Actor:
    """Holds the stage's model on some machine and does shards; tells of errors, raises none."""

    def __init__(self, held: list[Any], shards: Shards) -> None:
        self.held, self.shards = held, shards

    @cached_property
    def work(self) -> Work[Any]:
        """The stage, ready to work."""
        import ray  # noqa: PLC0415 - an extra

        take_threads(1)
        stage: Stage[Any] = ray.get(self.held[0])
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
