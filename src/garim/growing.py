"""Folders that are made anew: a kill at any moment can be continued, and no part looks whole.

What is useful only as a whole *grows* beside its target, each file written in one step, and takes
its name when it is whole. Run again, files that are there already need not be written again. Where
nothing can grow beside it (a disk of its own, such as a volume of a container), it grows hidden
inside. A folder whose files are of use one by one is *claimed*, and filled.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from garim import files, locks, remote
from garim.errors import DatasetError, DiskError, SettingsError

_MARKER, _GROWING = "unfinished", "dataset"
_INSIDE = ".unfinished"
_LOCK = ".unfinished.lock"
AGAIN = "run the same command again to go on"


def check_target(folder: Path) -> None:
    """Raise a DatasetError unless a folder, or an address, is new or empty."""
    address = remote.address_of(folder)
    if address is not None and remote.is_taken(address):
        raise DatasetError(f"{address}: is not empty; give a new address")
    if folder.exists() and not (folder.is_dir() and all(map(_is_own, folder.iterdir()))):
        raise DatasetError(f"{folder}: is not empty; give a new or empty folder")


def check_outside(target: Path, dataset: Path) -> None:
    """Refuse a new dataset inside a folder of pictures, which would be read as a part of it.

    Raises:
        DatasetError: it is there, and not hidden.
    """
    here, around = target.resolve(), dataset.resolve()
    if remote.address_of(target) is None and around.is_dir() and here.is_relative_to(around):
        inside = here.relative_to(around).parts
        if inside and not any(part.startswith(".") for part in inside):
            raise DatasetError(
                f"{target}: lies inside {dataset}, where it would be read as a part of it; give a "
                "folder beside it"
            )


def _is_own(path: Path) -> bool:
    return path.name == _INSIDE or path.name.startswith(_LOCK)


@contextmanager
def growing(target: Path, name: str, advice: str = AGAIN) -> Iterator[Path]:
    """Give a folder that takes the name of ``target`` when the block ends well.

    Its parent, hidden beside the target, holds what else must outlast an interruption.

    Args:
        target: new or empty folder.
        name: of what is made; what is there of the same name is kept, of any other begun again.
        advice: what to do when the disk refuses.

    Raises:
        DatasetError: the target is not empty, something is in the way, another process writes it,
            or the disk refuses.
    """
    target = target.resolve()
    unfinished = _place(target)
    lock = target / _LOCK if unfinished.parent == target else locks.beside(target)
    with errors_named(target, advice), locks.alone(lock, target, "being written"):
        folder = _begin(target, unfinished, name)
        try:
            yield folder
        except BaseException:
            if not any(folder.iterdir()):  # nothing to go on with
                shutil.rmtree(unfinished)
            raise
        _give_name(folder, target)


def _place(target: Path) -> Path:
    """Give the folder to work in: on the target's disk, where it may be written."""
    if target.is_dir() and (target.is_mount() or not os.access(target.parent, os.W_OK)):
        return target / _INSIDE
    return target.with_name(f".{target.name}{_INSIDE}")


def _begin(target: Path, unfinished: Path, name: str) -> Path:
    marker = unfinished / _MARKER
    if _is_ours(unfinished) and target.exists() and not (unfinished / _GROWING).exists():
        shutil.rmtree(unfinished)  # killed right after the target was whole
    check_target(target)
    if unfinished.exists() and not _is_ours(unfinished):
        raise DatasetError(f"{unfinished}: is in the way; remove it")
    if marker.is_file() and marker.read_text() != name:
        shutil.rmtree(unfinished)
    files.write_text(marker, name)
    (unfinished / _GROWING).mkdir(exist_ok=True)
    return unfinished / _GROWING


def _is_ours(unfinished: Path) -> bool:
    """Tell whether a folder was made here; then nothing in it is an original."""
    if not unfinished.is_dir() or (unfinished / _MARKER).is_file():
        return unfinished.is_dir()
    return all(one.name.endswith(".tmp") for one in unfinished.iterdir())  # killed at its start


def _give_name(folder: Path, target: Path) -> None:
    """Let a folder that is whole take its name."""
    files.remove_strays(folder)
    if folder.is_relative_to(target):
        for path in list(folder.iterdir()):
            path.replace(target / path.name)
    else:
        if target.exists():
            target.rmdir()
        folder.replace(target)
    files.flush_folder(target.parent)
    shutil.rmtree(folder.parent)


@contextmanager
def claimed(folder: Path, record: str, noted: Any) -> Iterator[None]:
    """Hold a folder alone, to fill it; another run that is made with the same may go on there.

    Args:
        folder: new or empty, or that of an earlier run.
        record: name of the JSON file there that says what it is made with.
        noted: what it is made with.

    Raises:
        SettingsError: the folder was made with something else.
        DatasetError: it has no such file, and is not empty; or another process fills it.
    """
    text = json.dumps(noted, ensure_ascii=False, indent=2, default=str) + "\n"
    path = folder / record
    with locks.alone(folder / _LOCK, folder, "being written"):
        files.remove_strays(folder)
        if not path.exists():
            check_target(folder)
            files.write_text(path, text)
        elif path.read_text(encoding="utf-8") != text:
            raise SettingsError([f"{folder}: was made with other settings; name another folder"])
        yield


@contextmanager
def errors_named(folder: Path, advice: str) -> Iterator[None]:
    """Turn what the system refuses in the block into a DatasetError that says what to do next."""
    try:
        with files.refusal_named(folder):
            yield
    except DiskError as error:
        raise DatasetError(f"{error}; {advice}") from error
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        raise DatasetError(f"{folder}: {error.strerror or error}{place}; {advice}") from error
