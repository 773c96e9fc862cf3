"""What an apply in place did, written before it is done, so that it can go on and be undone.

``DATA/.garim/applied/NNNN/`` holds ``journal.jsonl`` and, under ``kept/``, every file that was
replaced or taken away, under its old name. A step is written to the journal and flushed before
the dataset changes; each step can be done, repeated and undone any number of times.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from garim import files
from garim.errors import DatasetError

FOLDER = ".garim"
"""Folder inside a dataset that holds what Garim keeps there."""


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


class Journal:
    """The steps of one apply in place."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = root
        self.folder = folder
        self.plan = ""
        self.done = False
        self.steps: list[Step] = []
        self._read()

    def _read(self) -> None:
        path = self.folder / "journal.jsonl"
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            try:
                entry = json.loads(line)
            except ValueError:
                break  # cut off by a kill while it was written; its step was not begun
            if "plan" in entry:
                self.plan = entry["plan"]
            elif entry.get("done"):
                self.done = True
            else:
                self.steps.append(Step(**entry))

    def write(self, entry: dict[str, Any]) -> None:
        """Append a line and flush it to the disk."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "journal.jsonl").open("a+b") as stream:
            if stream.tell() and not _ends_with_newline(stream):
                _cut_last_line(stream)
            stream.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())

    def kept(self, file: str) -> Path:
        """Where a file's old content is kept."""
        return self.folder / "kept" / file

    def begin(self, step: Step) -> None:
        """Keep a file and note the step; the file itself is still untouched."""
        kept = self.kept(step.file)
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            _link_or_copy(self.root / step.file, kept)
        if step not in self.steps:
            self.write(asdict(step))
            self.steps.append(step)

    def finish(self) -> None:
        """Note that every step was made."""
        shutil.rmtree(self.folder / "new", ignore_errors=True)
        self.write({"done": True})

    def undo(self, step: Step) -> str | None:
        """Bring a file back; give the reason when that is refused."""
        original, kept = self.root / step.file, self.kept(step.file)
        now = self.root / (step.to or step.file)
        if not kept.exists():
            return None if _has(original, step.before) else "the kept original is gone"
        if _has(original, step.before) and now == original:
            return None
        if now.exists() and not (_has(now, step.after) or _has(now, step.before)):
            return "has changed since the plan was applied; it was left as it is"
        original.parent.mkdir(parents=True, exist_ok=True)
        if not _has(original, step.before):
            _link_or_copy(kept, original)
        if now != original and _has(now, step.after):
            now.unlink()
            _remove_if_empty(now.parent)
        return None

    def remove(self) -> None:
        """Forget the apply: after an undo nothing of it is left."""
        shutil.rmtree(self.folder)
        _remove_if_empty(self.folder.parent)
        _remove_if_empty(self.root / FOLDER)


def journals(root: Path) -> list[Journal]:
    """List the applies in place that have not been undone, oldest first."""
    folder = root / FOLDER / "applied"
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [Journal(root, one) for one in found if (one / "journal.jsonl").is_file()]


def new_journal(root: Path, plan: str) -> Journal:
    """Start a journal for a plan (named by its digest)."""
    folder = root / FOLDER / "applied"
    last = max((int(p.name) for p in folder.glob("[0-9]*") if p.name.isdigit()), default=0)
    journal = Journal(root, folder / f"{last + 1:04d}")
    journal.write({"plan": plan})
    journal.plan = plan
    return journal


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold a dataset alone, for a change in place.

    Raises:
        DatasetError: another Garim is changing it, or the folder cannot be written.
    """
    path = root / FOLDER / "lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=0)
        lock.acquire()
    except Timeout as error:
        raise DatasetError(
            f"{root}: another Garim is changing this dataset; wait for it"
        ) from error
    except OSError as error:
        raise DatasetError(f"{root}: cannot be written: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()
        path.unlink(missing_ok=True)
        _remove_if_empty(path.parent)


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _has(path: Path, digest: str | None) -> bool:
    return digest is not None and path.is_file() and files.digest(path) == digest


def _link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name that replaces whatever stood there.

    A hard link costs nothing and is safe here: Garim never writes into a file, it renames new ones
    over old names. Where the file system has no hard links, or a name was given in between, copy.
    """
    with files.replacing(target) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copy2(source, temporary)


def _ends_with_newline(stream: Any) -> bool:
    stream.seek(-1, os.SEEK_END)
    return bool(stream.read(1) == b"\n")


def _cut_last_line(stream: Any) -> None:
    stream.seek(0)
    whole = stream.read()
    stream.truncate(whole.rfind(b"\n") + 1)
    stream.seek(0, os.SEEK_END)
