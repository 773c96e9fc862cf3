"""This machine: one process, or several that each hold the stage's model.

A worker that dies, killed or out of memory, is replaced and its shard done again; the second death
over one shard ends the run.
"""

from __future__ import annotations

import multiprocessing as mp
import pickle
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, cast

import torch

from garim.errors import ExecutionError
from garim.execution.process import GUARDED, Helper, pickled
from garim.execution.settings import ExecutionSettings
from garim.execution.shards import Shards
from garim.execution.stage import Stage, Work
from garim.streaming import Step, default_workers, hidden_progress, limit_threads

DEATHS = 2
"""Deaths of workers over one shard that end a run."""

Parts = Sequence[Sequence[Any]]
"""The items of each shard."""


def run(
    stage: Stage[Any],
    parts: Parts,
    todo: Sequence[int],
    shards: Shards,
    settings: ExecutionSettings,
    step: Step,
) -> None:
    """Do shards here, or in worker processes of this machine.

    Args:
        stage: the work.
        parts: items of each shard.
        todo: numbers of the shards that are wanted.
        shards: where the results go.
        settings: number of workers.
        step: told of every item that is done.

    Raises:
        ExecutionError: workers keep dying over a shard.
    """
    if settings.workers > 1:
        with _Crew(stage, shards, min(settings.workers, len(todo))) as crew:
            crew.do(parts, todo, step)
        return
    work = stage.open()
    for number in todo:
        finish(work, parts[number], number, shards, step)


def finish(work: Work[Any], items: Sequence[Any], number: int, shards: Shards, step: Step) -> None:
    """Do one shard and write it."""
    results = []
    with hidden_progress():
        for result in work(items):
            results.append(result)
            step(1)
    shards.write(number, results)


def take_threads(most: int) -> None:
    """Leave the other processors to other workers."""
    limit_threads(most)
    torch.set_num_threads(most)


def dead(shards: Shards, number: int) -> ExecutionError:
    """Say that a shard ends those who work on it."""
    return ExecutionError(
        f"{shards.path(number)}: {DEATHS} workers were killed over this shard, or began and ended; "
        "memory may not suffice for so many: run again with fewer --workers, or --shard smaller; "
        f"{GUARDED}"
    )


@dataclass
class _Worker(Helper):
    shard: int | None = None
    """What it works on."""
    counted: int = 0
    """Items of it that are done."""


@dataclass
class _Crew:
    """Worker processes; each holds the stage's model and does one shard after the other."""

    stage: Stage[Any]
    shards: Shards
    size: int
    workers: list[_Worker] = field(default_factory=list)
    deaths: Counter[int] = field(default_factory=Counter)

    def __enter__(self) -> _Crew:
        self.pickled = pickled(self.stage)
        self.workers += [self._hired() for _ in range(self.size)]
        return self

    def _hired(self) -> _Worker:
        threads = max(1, default_workers() // self.size)
        return _Worker.started(_context(), _serve, self.pickled, self.shards, threads)

    def do(self, parts: Parts, todo: Sequence[int], step: Step) -> None:
        """Hand out shards until all are done."""
        queue = deque(todo)
        while queue or any(one.shard is not None for one in self.workers):
            for worker in self.workers:
                if worker.shard is None and queue:
                    worker.shard, worker.counted = queue.popleft(), 0
                    _tell(worker, (worker.shard, parts[worker.shard]))
            busy = {one.link: one for one in self.workers if one.shard is not None}
            for link in wait(list(busy)):
                worker = busy[cast(Connection, link)]
                try:
                    said = worker.link.recv()
                except (EOFError, OSError):  # it died
                    queue.appendleft(self._replaced(worker, step))
                else:
                    self._heard(worker, said, step)

    def _heard(self, worker: _Worker, said: object, step: Step) -> None:
        if isinstance(said, BaseException):
            raise said
        if said is None:
            worker.shard = None
        else:
            worker.counted += 1
            step(1)

    def _replaced(self, worker: _Worker, step: Step) -> int:
        """Put another worker in the place of one that died; give the shard to do again."""
        number = cast(int, worker.shard)
        self.deaths[number] += 1
        worker.ended()
        if self.deaths[number] == DEATHS:
            raise dead(self.shards, number)
        step(-worker.counted)
        self.workers[self.workers.index(worker)] = self._hired()
        return number

    def __exit__(self, *exc: object) -> None:
        for worker in self.workers:
            worker.process.terminate()
        for worker in self.workers:
            worker.ended()


def _context() -> Any:
    """Start processes from one that has loaded the libraries and done nothing else yet.

    A plain fork would copy threads' locks (Polars, OpenMP) and hang; a new interpreter for each
    worker would load the libraries anew. Where there is no such server (Windows), it does.
    """
    if "forkserver" not in mp.get_all_start_methods():
        return mp.get_context("spawn")
    context = mp.get_context("forkserver")
    context.set_forkserver_preload(["garim"])
    return context


def _tell(worker: _Worker, task: tuple[int, Sequence[Any]]) -> None:
    try:
        worker.link.send(task)
    except OSError:  # it died; whoever listens to it will find out
        return


def _serve(link: Connection, pickled: bytes, shards: Shards, threads: int) -> None:
    """Work in a process of its own until there is no more."""
    take_threads(threads)
    work = pickle.loads(pickled).open()  # noqa: S301 - made by our parent
    while True:
        number, items = link.recv()
        finish(work, items, number, shards, lambda count, note="": link.send(count))
        link.send(None)
