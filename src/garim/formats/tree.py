"""Walking a dataset's folders, what their names mean, and finding a listed picture on the disk."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from garim import files, pictures
from garim.errors import Failure, printable
from garim.formats import labels
from garim.formats.rows import SPLITS

_IGNORED = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
_OUTSIDE = re.compile(r"[A-Za-z]:|\\|(.*[\\/])?\.\.([\\/]|$)", re.DOTALL)
"""Names that lead outside on Windows; elsewhere a file may have such a name as its own."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Files under a folder, relative to it, sorted; hidden ones and system litter left out."""

    pictures: tuple[str, ...]
    others: tuple[str, ...]
    failures: tuple[Failure, ...]
    """Folders that cannot be read, and files whose names are no Unicode."""
    empty: tuple[str, ...] = ()
    """Folders in which there is nothing."""


def is_ignored(name: str) -> bool:
    """Tell whether a file or folder is hidden, or the litter of an operating system."""
    return name.startswith(".") or name.lower() in _IGNORED


def folders_in(folder: Path) -> list[Path]:
    """List the visible folders directly in a folder, sorted; none if it cannot be read."""
    try:
        return sorted(one for one in folder.iterdir() if not is_ignored(one.name) and one.is_dir())
    except OSError:
        return []


def files_in(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """List the visible files directly in a folder that have one of the (lower case) suffixes."""
    try:
        visible = [one for one in folder.iterdir() if not is_ignored(one.name)]
    except OSError:
        return []
    return sorted(one for one in visible if one.suffix.lower() in suffixes and one.is_file())


def split_and_label(file_name: str) -> tuple[str | None, str | None]:
    """Say what the folders of a file mean: the first that names a split, and the nearest other.

    >>> split_and_label("Pokemon/train/dog/a.jpg")
    ('train', 'dog')
    >>> split_and_label("dog/val/a.jpg")
    ('validation', 'dog')
    >>> split_and_label("a.jpg")
    (None, None)
    """
    folders = list(PurePosixPath(file_name).parts[:-1])
    for index, name in enumerate(folders):
        split = SPLITS.get(name.lower())
        if split:
            del folders[index]
            return split, labels.clean(folders[-1]) if folders else None
    return None, labels.clean(folders[-1]) if folders else None


def walk(root: Path) -> Tree:
    """List the files under a folder. Links are followed, but never back into a folder above."""
    found: list[str] = []
    others: list[str] = []
    failures: list[Failure] = []
    empty: list[str] = []

    def unreadable(error: OSError) -> None:
        name = _relative(Path(error.filename or root), root)
        failures.append(Failure(printable(name), f"cannot be read: {error.strerror or error}"))

    for folder, names, is_leaf in _folders(root, unreadable):
        prefix = "" if folder == root else f"{_relative(folder, root)}/"
        if is_leaf and not names and prefix:
            empty.append(printable(prefix))
        for name in names:
            relative = prefix + name
            if printable(relative) != relative:
                failures.append(Failure(printable(relative), _why_no_unicode(relative)))
            elif Path(name).suffix.lower() in pictures.UNREAD:
                kind = Path(name).suffix[1:].upper()
                reason = f"{kind} pictures are not read; save it as JPEG or PNG"
                failures.append(Failure(relative, reason))
            else:
                (found if _holds_picture(folder / name) else others).append(relative)
    return Tree(tuple(sorted(found)), tuple(sorted(others)), tuple(failures), tuple(sorted(empty)))


def _folders(
    root: Path, unreadable: Callable[[OSError], None]
) -> Iterator[tuple[Path, list[str], bool]]:
    """Give each folder, the files in it, and whether there is no folder in it."""
    real = {root: root.resolve()}
    above: dict[Path, frozenset[Path]] = {root: frozenset({real[root]})}
    for name, folders, names in os.walk(root, followlinks=True, onerror=unreadable):
        here = Path(name)
        real_here, above_here = real.pop(here), above.pop(here)
        entered = []
        for one in sorted(folders):
            path = here / one
            target = path.resolve() if path.is_symlink() else real_here / one
            if not (is_ignored(one) or target in above_here or real_here.is_relative_to(target)):
                entered.append(one)
                real[path], above[path] = target, above_here | {target}
        is_leaf = all(map(is_ignored, folders))
        folders[:] = entered
        yield here, [one for one in names if not is_ignored(one)], is_leaf


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _holds_picture(path: Path) -> bool:
    try:
        special = not stat.S_ISREG(path.stat().st_mode)
    except OSError:  # a link to nothing: a picture by its name, to be reported as broken
        special = False
    return not special and pictures.is_picture(path)


def _why_no_unicode(name: str) -> str:
    reason = "its name is not valid UTF-8; rename it"
    try:
        return f"{reason}, perhaps to {os.fsencode(name).decode('cp949')!r}"
    except UnicodeDecodeError:
        return reason


class Finder:
    """Finds listed pictures under a root, whichever Unicode form their names were listed in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._names: dict[str, dict[str, str]] = {}

    def find(self, name: str, listed_in: str, folders: Sequence[str] = ("",)) -> str | Failure:
        """Find a picture.

        Args:
            name: as listed; ``\\`` is tried as ``/`` too.
            listed_in: the file, and perhaps line, that lists it; for the failure.
            folders: folders under the root to look in, in this order.

        Returns:
            Its name relative to the root, spelled as on the disk, or why there is none: it is
            not there, or the name leads outside the root.
        """
        spellings = dict.fromkeys((name, name.replace("\\", "/"), name.strip()))
        for folder in folders:
            for spelling in spellings:
                inside = self._inside(PurePosixPath(folder, spelling))
                found = self._spelled(inside) if inside else None
                if found is not None:
                    return found
        reason = "not on disk"
        if _OUTSIDE.match(name) or self._inside(PurePosixPath(name)) is None:
            reason = "leads outside the dataset; list it relative to the dataset's folder"
        return Failure(name, f"listed in {listed_in} but {reason}")

    def _inside(self, path: PurePosixPath) -> PurePosixPath | None:
        """Give a path relative to the root; None where it leads outside."""
        if path.is_absolute():
            root = PurePosixPath(self.root.absolute().as_posix())
            if not path.is_relative_to(root):
                return None
            path = path.relative_to(root)
        name = str(path)
        outside = ".." in path.parts or (os.name == "nt" and _OUTSIDE.match(name))
        return None if outside or printable(name) != name else path

    def _spelled(self, path: PurePosixPath) -> str | None:
        if is_there(self.root / path, Path.is_file):
            return path.as_posix()
        here = PurePosixPath()
        for part in path.parts:
            actual = self._listing(here.as_posix()).get(files.nfc(part))
            if actual is None:
                return None
            here /= actual
        return here.as_posix() if is_there(self.root / here, Path.is_file) else None

    def _listing(self, folder: str) -> dict[str, str]:
        if folder not in self._names:
            try:
                names = sorted(one.name for one in (self.root / folder).iterdir())
            except OSError:
                names = []
            self._names[folder] = {files.nfc(name): name for name in names}
        return self._names[folder]


def is_there(path: Path, kind: Callable[[Path], bool] = Path.exists) -> bool:
    """Tell whether there is such a path, of a kind; names that no disk can hold are not there."""
    try:
        return kind(path)
    except (OSError, ValueError):  # too long, or with a NUL
        return False
