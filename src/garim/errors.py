"""Every error a user can meet.

GarimError
├── PictureError        a picture cannot be opened, is too large, or cannot be saved
├── DatasetError        a dataset cannot be read, written, split or locked
│   └── FormatError     a file of a dataset format says something it must not say
├── PlanError           a plan cannot be read, or does not fit the dataset it is applied to
├── DiskError           a disk is full, over a quota or read-only (an OSError, too)
├── ModelError          a network, its weights or its folder cannot be used
├── ExecutionError      work cannot be finished where it runs, or its folder is another run's
└── SettingsError       settings that cannot work, every problem in one message

A message says what was expected, what came, and what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


def printable(text: str) -> str:
    """Escape what no text can hold: half of a surrogate pair, as of a file name without UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


class GarimError(Exception):
    """Base of every error that Garim raises on purpose."""

    def __str__(self) -> str:
        """Give the message, printable."""
        return printable(super().__str__())


class PictureError(GarimError):
    """A picture that cannot be opened or saved; names the file and the reason."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = Path(path)
        self.reason = reason

    def __reduce__(self) -> tuple[type[PictureError], tuple[Path, str]]:
        return type(self), (self.path, self.reason)


class DatasetError(GarimError):
    """A dataset that cannot be read, written, split or locked."""


class FormatError(DatasetError):
    """A file of a dataset format that says something it must not say."""


class PlanError(GarimError):
    """A plan that cannot be read, or does not fit the dataset it is applied to."""


class DiskError(GarimError, OSError):
    """A disk that takes nothing more: full, over a quota or read-only; names the file."""

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


class ModelError(GarimError):
    """A network, its weights or its folder that cannot be used."""


class ExecutionError(GarimError):
    """Work that cannot be finished where it runs, or whose folder belongs to another run."""


class SettingsError(GarimError):
    """Settings that cannot work; lists every problem at once."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[type[SettingsError], tuple[tuple[str, ...]]]:
        return type(self), (self.problems,)


def seed_problems(seed: int) -> list[str]:
    """Say why a seed cannot be one; the libraries take 32 bits."""
    return [] if 0 <= seed < 2**32 else [f"seed must be from 0 to {2**32 - 1}, not {seed}"]


@dataclass(frozen=True, slots=True)
class Failure:
    """One picture, row or file that was left out, and why; the run went on."""

    picture: str
    error: str

    def to_dict(self) -> dict[str, str]:
        """Give the failure as it stands in ``--json``."""
        return {"picture": self.picture, "error": self.error}
