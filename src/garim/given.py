"""What a user names: pictures, folders, other datasets; and the pictures that it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from garim import dataset, formats, pictures
from garim.dataset import Dataset
from garim.errors import DatasetError, Failure, printable
from garim.formats import archive

Source = Path | str | Dataset
"""A picture, a folder or other dataset, or a dataset that was read."""


_NO_PICTURE = (
    "in no format that Garim reads; give a picture such as a .jpg or .png, a folder, a .zip, a "
    ".csv, COCO's .json or YOLO's .yaml"
)


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
        if isinstance(one, Dataset) or _is_dataset(path := Path(one).expanduser()):
            found = one if isinstance(one, Dataset) else dataset.read(one)
            names |= {found.path(row): Path(row.file_name) for row in found.rows}
            failures += found.failures
        elif not pictures.is_picture(path):
            failures.append(Failure(printable(str(path)), _NO_PICTURE))
        elif (shown := printable(str(path))) == str(path):
            names[path] = Path(path.name)
        else:
            failures.append(Failure(shown, "its name is not valid UTF-8; rename it"))
    if not names and not failures:
        raise DatasetError(f"there is no picture to {verb}; name pictures, folders or a dataset")
    return Given(names, tuple(failures))


def place_of(picture: Path | str) -> Path:
    """Give the absolute place of a picture under the name that was given, also where it is a link.

    What a link leads to may have no telling name, and several may lead to one file.
    """
    path = Path(picture).absolute()
    return path.parent.resolve() / path.name if ".." in path.parts else path


def _is_dataset(path: Path) -> bool:
    """Tell what is to be read as a dataset, be it there or not, from single files."""
    if pictures.is_picture(path):
        return False
    if not path.is_file() or archive.is_archive(path):
        return True
    return any(one.detect(path) for one in formats.FORMATS.values())
