"""What an apply in place did, written before it is done, so that it can go on and be undone.

``DATA/.garim/applied/NNNN/`` holds ``journal.jsonl`` and, under ``kept/``, every file that was
replaced or taken away, under its old name. Its lines, in the order in which they are written:

========================  =====================================================================
``{"plan": digest}``      which plan this is
``{"file": …}``           one step, flushed to the disk before the dataset changes
``{"done": true}``        every step was made
``{"left": file}``        the last step was not made: its file had changed in between
``{"undoing": true}``     an undo has begun; the plan cannot go on any more
``{"undone": file}``      one step was taken back
``{"settled": true}``     the undo has ended, but some files had changed and were left
========================  =====================================================================

Steps are made one after another and taken back in reverse, so that whenever a process is killed
only the last line's step can be half done, and only that one is repeated: an earlier step's name
may by then belong to another picture.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from garim import files, locks
from garim.errors import DatasetError, PictureError
from garim.plan.disk import append_line

FOLDER = ".garim"
"""Folder inside a dataset that holds what Garim keeps there."""

CHANGED = "has changed since the plan was made; make a new plan for it"
"""Why an edit is not made to a file."""

_REMOVED = ".removed"
"""Ending of a journal's folder that is on its way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change of one file."""

    file: str
    """File name relative to the dataset's root, before the step."""
    before: str
    """Digest of the file before the step."""
    after: str | None
    """Digest of what takes its place; None when nothing does."""
    to: str | None = None
    """File name after the step, when it moves."""
    folders: tuple[str, ...] = ()
    """Folders that the step makes, outermost first."""


class Journal:
    """The steps of one apply in place."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = root
        self.folder = folder
        self.plan = ""
        self.done = False
        self.undoing = False
        self.settled = False
        self.undone: set[str] = set()
        self.by_file: dict[str, Step] = {}
        self._read()

    @property
    def steps(self) -> list[Step]:
        """The steps in the order in which they were made."""
        return list(self.by_file.values())

    def _read(self) -> None:
        path = self.folder / "journal.jsonl"
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        # What follows the last newline was cut off by a kill while it was written: its step was
        # not begun.
        for number, line in enumerate(text.split("\n")[:-1], start=1):
            try:
                self._take(json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise DatasetError(
                    f"{path}:{number}: cannot be read: {error}; the replaced pictures are in "
                    f"{self.folder / 'kept'}"
                ) from error

    def _take(self, entry: dict[str, Any]) -> None:
        if "file" in entry:
            step = Step(**{**entry, "folders": tuple(entry.get("folders", ()))})
            for name in filter(None, (step.file, step.to, *step.folders)):
                _check_inside(name)
            self.by_file[step.file] = step
        elif "left" in entry:
            self.by_file.pop(entry["left"], None)
        elif "undone" in entry:
            self.undone.add(entry["undone"])
        else:
            self.plan = entry.get("plan", self.plan)
            self.done = self.done or "done" in entry
            self.undoing = self.undoing or "undoing" in entry
            self.settled = "settled" in entry

    def write(self, entry: dict[str, Any]) -> None:
        """Append a line, flush it to the disk and take it in."""
        self.folder.mkdir(parents=True, exist_ok=True)
        append_line(self.folder / "journal.jsonl", entry)
        self._take(entry)

    def kept(self, file: str) -> Path:
        """Where a file's old content is kept."""
        return self.folder / "kept" / file

    def new(self, file: str) -> Path:
        """Where a file's new content waits for its place."""
        return self.folder / "new" / file

    def begin(self, step: Step) -> None:
        """Keep a file and note the step; the file itself is still untouched.

        Raises:
            PictureError: the file is not any more what the step is for.
        """
        kept = self.kept(step.file)
        if not has(kept, step.before):
            try:
                _link_or_copy(self.root / step.file, kept)
            except FileNotFoundError as error:
                raise PictureError(step.file, "is gone; it was there a moment ago") from error
            if not has(kept, step.before):
                kept.unlink()
                raise PictureError(step.file, CHANGED)
        self.write(asdict(step))

    def leave(self, step: Step) -> None:
        """Note that the last step was not made."""
        self.write({"left": step.file})

    def finish(self) -> None:
        """Note that every step was made."""
        shutil.rmtree(self.folder / "new", ignore_errors=True)
        if not self.done:
            self.write({"done": True})

    def undo(self) -> Iterator[tuple[Step, str | None]]:
        """Take the steps back, the last first; give each with the reason if it is refused."""
        self.write({"undoing": True})
        for step in reversed(self.steps):
            refused = None
            if step.file not in self.undone:
                refused = self._undo_step(step)
                if refused is None:
                    self.write({"undone": step.file})
            yield step, refused
        for step in reversed(self.steps):
            for folder in reversed(step.folders):
                remove_if_empty(self.root / folder)

    def _undo_step(self, step: Step) -> str | None:
        original, now = self.root / step.file, self.root / (step.to or step.file)
        link = link_in(self.root, step.file) or link_in(self.root, step.to or step.file)
        if link:
            return f"is reached through the link {link}; it was left as it is"
        if has(original, step.before):
            if now != original and has(now, step.after):
                now.unlink()
            return None
        if now.exists() and not has(now, step.after):
            return "has changed since the plan was applied; it was left as it is"
        if now != original and original.exists():
            return f"another file has its old name; its new name is {step.to}"
        if not has(self.kept(step.file), step.before):
            return "the kept original is gone or has changed"
        self._restore(step.file)
        if now != original:
            now.unlink(missing_ok=True)
        return None

    def _restore(self, file: str) -> None:
        staged, original = self.new(file), self.root / file
        _link_or_copy(self.kept(file), staged)  # there, so that a kill leaves nothing in DATA
        original.parent.mkdir(parents=True, exist_ok=True)
        staged.replace(original)
        files.flush_folder(original.parent)

    def remove(self) -> None:
        """Forget the apply: after an undo nothing of it is left."""
        going = self.folder.with_name(self.folder.name + _REMOVED)
        self.folder.rename(going)
        shutil.rmtree(going)
        remove_if_empty(going.parent)


def journals(root: Path) -> list[Journal]:
    """List the applies in place that have not been undone, oldest first."""
    return [Journal(root, folder) for _, folder in sorted(_numbered(root))]


def _numbered(root: Path) -> list[tuple[int, Path]]:
    folder = root / FOLDER / "applied"
    found = list(folder.iterdir()) if folder.is_dir() else []
    return [(int(one.name), one) for one in found if one.name.isdecimal()]


def new_journal(root: Path, plan: str) -> Journal:
    """Start a journal for a plan (named by its digest)."""
    last = max((number for number, _ in _numbered(root)), default=0)
    journal = Journal(root, root / FOLDER / "applied" / f"{last + 1:04d}")
    journal.write({"plan": plan})
    return journal


@contextmanager
def locked(root: Path, doing: str) -> Iterator[None]:
    """Hold a dataset alone, for a change in place.

    Raises:
        DatasetError: another Garim is changing it, or the folder cannot be written.
    """
    if not root.is_dir():
        raise DatasetError(f"{root}: there is no such folder")
    home = root / FOLDER
    try:
        with locks.alone(home / "lock", root, doing):
            _sweep(root)
            yield
    finally:
        with suppress(OSError):  # another process may have come
            remove_if_empty(home / "applied")
            remove_if_empty(home)


def _sweep(root: Path) -> None:
    """Remove journals that a kill left before their first line or on their way out."""
    folder = root / FOLDER / "applied"
    for going in folder.glob(f"*{_REMOVED}") if folder.is_dir() else ():
        shutil.rmtree(going)
    for journal in journals(root):
        if not journal.plan and not journal.steps:
            journal.remove()


def has(path: Path, digest: str | None) -> bool:
    """Tell whether there is a file with this content."""
    return digest is not None and path.is_file() and files.digest(path) == digest


def link_in(root: Path, name: str) -> str | None:
    """Give the part of a file name that is a symbolic link, if one is: it may lead outside."""
    path = PurePosixPath(name)
    parts = [path, *path.parents][:-1]
    return next((str(part) for part in reversed(parts) if (root / part).is_symlink()), None)


def remove_if_empty(folder: Path) -> None:
    """Remove a folder that nothing is in; leave any other."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _check_inside(name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(f"{name!r} is not inside the dataset")


def _link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name that replaces whatever stood there.

    A hard link costs nothing and is safe here: Garim never writes into a file, it renames new ones
    over old names. Where the file system has no hard links, or a name was given in between, copy.
    """
    with files.replacing(target, source.stat().st_size) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copy2(source, temporary)
