"""Run a stage over many items: cut into shards, spread by an engine, resumed where it was."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from garim import files, locks, remote
from garim.errors import ExecutionError, SettingsError
from garim.execution import local, ray
from garim.execution.local import Parts
from garim.execution.settings import ExecutionSettings
from garim.execution.shards import LOCK, Shards
from garim.execution.stage import Record, Stage
from garim.streaming import Step, steps

Item = TypeVar("Item")

SHARD = 256
"""Items of a shard, where nothing else is said."""

Engine = Callable[[Stage[Any], Parts, Sequence[int], Shards, ExecutionSettings, Step], None]

ENGINES: dict[str, Engine] = {
    "local": local.run,  # this process, or several of this machine
    "ray": ray.run,  # actors on a Ray cluster
}
"""What spreads the work, by name."""


@dataclass(frozen=True, slots=True)
class Results(Generic[Item]):
    """The items with their records, read from the shards each time they are asked for."""

    parts: Sequence[Sequence[Item]]
    shards: Shards

    def __iter__(self) -> Iterator[tuple[Item, Record]]:
        for number, items in enumerate(self.parts):
            yield from zip(items, self.shards.read(number), strict=True)


@contextmanager
def executed(
    stage: Stage[Item],
    items: Sequence[Item],
    settings: ExecutionSettings | None = None,
    *,
    about: Mapping[str, Any],
    beside: Path | None = None,
    description: str,
    shard: int = SHARD,
) -> Iterator[Results[Item]]:
    """Do the work, or what is left of it, and give the results; shards go when the block ends well.

    At most a shard per worker is in memory, besides the items.

    Args:
        stage: the work.
        items: what it is done on.
        settings: where it runs.
        about: what else the results depend on: settings, digest of the model.
        beside: file or folder of the result; shards stand beside it until it is written. Without
            it, and without ``settings.work``, they are temporary.
        description: shown beside the progress bar.
        shard: items of a shard, where the settings say nothing.

    Raises:
        SettingsError: settings that cannot work.
        ExecutionError: the folder holds another run, another process works in it, or the work
            cannot be finished where it runs.
    """
    chosen = settings or ExecutionSettings()
    chosen.check(tuple(ENGINES))
    with ExitStack() as stack:
        shards = Shards(_folder(chosen, beside, stack), dict(stage.schema))
        stack.enter_context(_alone(shards.folder))
        size = chosen.shard or shard
        shards.begin({"stage": stage.name, "items": len(items), "shard": size,
                      "digest": _digest(stage, items), **about})  # fmt: skip
        parts = [items[at : at + size] for at in range(0, len(items), size)]
        _do(stage, parts, shards, chosen, description)
        yield Results(parts, shards)
        shards.remove()


def _do(
    stage: Stage[Item],
    parts: Sequence[Sequence[Item]],
    shards: Shards,
    settings: ExecutionSettings,
    description: str,
) -> None:
    """Do the shards that are not finished; leave no folder if none is."""
    todo = [number for number in range(len(parts)) if not shards.has(number)]
    left = set(todo)
    try:
        with steps(description, sum(map(len, parts))) as step:
            step(sum(len(part) for number, part in enumerate(parts) if number not in left))
            if todo:
                ENGINES[settings.engine](stage, parts, todo, shards, settings, step)
    except BaseException:
        if not any(shards.has(number) for number in range(len(parts))):
            shards.remove()
        raise


def _folder(settings: ExecutionSettings, beside: Path | None, stack: ExitStack) -> Path:
    if settings.work is not None:
        remote.refuse(settings.work, "unfinished work")
        return settings.work.expanduser().resolve()
    if beside is not None and remote.address_of(beside) is None:
        return beside.resolve().with_name(beside.name + ".unfinished")
    if settings.address is not None:
        raise SettingsError(["with --address name a folder that all machines see, with --work"])
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="garim-")))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let no other process work in the folder; remove it in the end if nothing is left in it."""
    try:
        with locks.alone(folder / LOCK, folder, "being worked on", error=ExecutionError):
            yield
    finally:
        with suppress(OSError):  # there are shards in it, or it is gone
            folder.rmdir()


def _digest(stage: Stage[Item], items: Sequence[Item]) -> str:
    """Name the items in their order."""
    named = hashlib.sha256()
    for item in items:
        named.update(stage.key(item).encode("utf-8", "surrogateescape") + b"\n")
    return named.hexdigest()[: files.DIGEST_LENGTH]
