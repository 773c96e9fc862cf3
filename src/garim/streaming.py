"""Going over many things in order: threads, bounded look-ahead, progress, clean Ctrl-C.

Progress is shown on standard error only inside ``with showing_progress():`` (the command line does
that); a library caller sees nothing. Pillow, OpenCV and PyTorch let go of Python's lock while they
work, so threads keep the cores busy without copying pictures between processes.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from garim.errors import PictureError

T = TypeVar("T")
R = TypeVar("R")

_shown: ContextVar[Progress | None] = ContextVar("garim_progress", default=None)
_hidden: ContextVar[Progress | None] = ContextVar("garim_hidden_progress", default=None)


class _Rate(ProgressColumn):
    """Steps per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f}/s", style="progress.data.speed")


@contextmanager
def showing_progress(enabled: bool = True) -> Iterator[None]:
    """Show a progress bar with rate and time left, on standard error, for work in the block."""
    if not enabled or _shown.get() is not None:
        yield
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True) as progress:
        token = _shown.set(progress)
        try:
            yield
        finally:
            _shown.reset(token)


@contextmanager
def hidden_progress() -> Iterator[None]:
    """Show no progress of the work in the block: it is a part of what is shown already."""
    with _showing(None, _shown.get() or _hidden.get()):
        yield


@contextmanager
def revealed_progress() -> Iterator[None]:
    """Show the progress of the work in the block though it was hidden: of one that takes hours."""
    with _showing(_shown.get() or _hidden.get(), None):
        yield


@contextmanager
def _showing(shown: Progress | None, hidden: Progress | None) -> Iterator[None]:
    tokens = _shown.set(shown), _hidden.set(hidden)
    try:
        yield
    finally:
        _shown.reset(tokens[0])
        _hidden.reset(tokens[1])


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Pass items on, one step of progress each."""
    with steps(description, total) as step:
        for item in items:
            yield item
            step(1)


class Step(Protocol):
    """Moves a progress bar on."""

    def __call__(self, count: int, note: str = "") -> None:
        """Move it on by so many steps, and show how things stand."""


@contextmanager
def steps(description: str, total: int | None) -> Iterator[Step]:
    """Give a function that moves a progress bar on."""
    progress = _shown.get()
    if progress is None:
        yield lambda count, note="": None
        return
    task = progress.add_task(description, total=total)

    def step(count: int, note: str = "") -> None:
        progress.update(task, advance=count, description=f"{description} {note}".rstrip())

    try:
        yield step
    finally:
        progress.remove_task(task)


_most_threads: list[int] = []


def limit_threads(most: int) -> None:
    """Take this process to have so many processors, the others being for other processes."""
    _most_threads[:] = [most]


def default_workers() -> int:
    """Give the number of processors that this process may use."""
    return min(_processors(), *_most_threads) if _most_threads else _processors()


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def stream(
    function: Callable[[T], R], items: Iterable[T], workers: int | None = None
) -> Iterator[tuple[T, R | PictureError]]:
    """Apply a function to items in threads and give the results in the items' order.

    At most four results per worker wait in memory. A ``PictureError`` is a result like any other,
    so that a bad picture never ends a run; every other error does.

    Args:
        function: called in a thread; must not depend on the order of calls.
        items: read as needed, so an endless or huge iterable is fine.
        workers: threads; by default one per processor.
    """
    count = workers or default_workers()
    waiting: deque[tuple[T, Future[R | PictureError]]] = deque()
    with ThreadPoolExecutor(count, thread_name_prefix="garim") as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(_caught, function, item)))
                if len(waiting) >= 4 * count:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _caught(function: Callable[[T], R], item: T) -> R | PictureError:
    try:
        return function(item)
    except PictureError as error:
        return error


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut an iterable into lists of at most ``size`` items."""
    part: list[T] = []
    for item in items:
        part.append(item)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
