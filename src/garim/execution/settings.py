"""How heavy work is spread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from garim.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionSettings:
    """Where heavy work runs, and how it is cut. No result depends on it."""

    workers: int = 1
    """Processes that work at once. 1 with the engine local: this process."""
    engine: str = "local"
    """What starts the workers: `local` (this machine), or `ray` (a Ray cluster; needs the extra
    `ray`)."""
    address: str | None = None
    """Address of a Ray cluster, such as `auto` on one of its machines. Default: the one that
    `RAY_ADDRESS` names, or else this machine alone."""
    shard: int | None = None
    """Pictures of one shard, which one worker does; whoever is interrupted loses the shards that
    were begun. Default: 256; 8 where pictures are enlarged."""
    work: Path | None = None
    """Folder for the shards until the result is written; every machine must see it. Default: beside
    the result; a temporary one where pictures are enlarged."""

    def check(self, engines: tuple[str, ...]) -> None:
        """Raise a SettingsError with everything that cannot work."""
        problems = []
        if self.engine not in engines:
            problems.append(f"there is no engine {self.engine!r}; known: {', '.join(engines)}")
        if self.workers < 1:
            problems.append(f"workers must be at least 1, not {self.workers}")
        if self.shard is not None and self.shard < 1:
            problems.append(f"shard must be at least 1, not {self.shard}")
        if self.address is not None and self.engine != "ray":
            problems.append("an address is for --engine ray")
        if problems:
            raise SettingsError(problems)
