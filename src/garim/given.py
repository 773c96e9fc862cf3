"""What a user names: pictures, folders, other datasets; and the pictures that it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from garim import dataset, pictures
from garim.dataset import Dataset
from garim.errors import DatasetError, Failure, printable

Source = Path | str | Dataset
"""A picture, a folder or other dataset, or a dataset that was read."""


@dataclass(frozen=True, slots=True)
class Given:
    """The pictures that were named."""

    names: dict[Path, Path]
    """The file of each picture, once, and its name within what was named."""
    failures: tuple[Failure, ...]
    """What could not be read on the way."""


def given_pictures(named: Source | Sequence[Source], verb: str) -> Given:
    """List the pictures in what was named, each once.

    Args:
        named: pictures, folders, other datasets, or several of them.
        verb: what is to be done to the pictures, for the error.

    Raises:
        DatasetError: no picture at all, or nothing where a folder or dataset was named.
    """
    names: dict[Path, Path] = {}
    failures: list[Failure] = []
    for one in [named] if isinstance(named, Source) else named:
        if isinstance(one, Dataset) or not pictures.is_picture(path := Path(one).expanduser()):
            found = one if isinstance(one, Dataset) else dataset.read(one)
            names |= {found.path(row): Path(row.file_name) for row in found.rows}
            failures += found.failures
        elif (shown := printable(str(path))) == str(path):
            names[path] = Path(path.name)
        else:
            failures.append(Failure(shown, "its name is not valid UTF-8; rename it"))
    if not names and not failures:
        raise DatasetError(f"there is no picture to {verb}; name pictures, folders or a dataset")
    return Given(names, tuple(failures))
