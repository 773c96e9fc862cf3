"""What is to be enlarged, where the results go, and which are there already."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from garim import files, locks
from garim.enhancement.video import SUFFIXES
from garim.errors import DatasetError, Failure, PictureError
from garim.formats.placing import place
from garim.formats.rows import Row
from garim.formats.tree import walk

DONE = "upscaled.jsonl"
"""File in a folder of results that lists them, so that an interrupted run can be continued."""

NOTES = ".upscaled-*.jsonl"
"""Files beside it, one of each worker, until the run ends."""


@dataclass(frozen=True, slots=True)
class Job:
    """A file, and the file that is made of it."""

    source: Path
    target: Path
    name: str
    """Of the target, relative to the folder of results."""

    @property
    def is_video(self) -> bool:
        """Whether it is named like a video."""
        return self.source.suffix.lower() in SUFFIXES


def listed(given: Sequence[Path | str], out: Path) -> tuple[list[Job], list[Failure]]:
    """List each file once, those in folders too, and give each a place under ``out``.

    Raises:
        DatasetError: nothing there, or a result would replace an original.
    """
    sources: dict[Path, str] = {}
    failures: list[Failure] = []
    for path in (Path(one).expanduser() for one in given):
        if path.is_dir():
            found = walk(path)
            videos = [name for name in found.others if Path(name).suffix.lower() in SUFFIXES]
            sources |= {path / name: name for name in (*found.pictures, *videos)}
            failures += found.failures
        elif path.exists():
            sources[path] = path.name
        else:
            raise DatasetError(f"{path}: there is no such file or folder")
    if not sources:
        raise DatasetError(f"{', '.join(map(str, given))}: holds no picture or video to enlarge")
    names = place([Row(file_name=name) for name in sources.values()], lambda row: row.file_name)
    jobs = [Job(s, out / name, name) for s, name in zip(sources, names, strict=True)]
    originals = {path.resolve() for path in sources}
    for job in jobs:
        if job.target.resolve() in originals:
            raise DatasetError(f"{job.target}: is an original; give another folder with --out")
    return jobs, failures


@contextmanager
def listing_done(out: Path) -> Iterator[None]:
    """Let no other run write to a folder of results; in the end its list has what workers noted.

    Raises:
        DatasetError: another process writes to it, or it cannot be written.
    """
    with locks.alone(out / ".upscaled.lock", out, "being written"):
        files.remove_strays(out)
        _gather(out)
        try:
            yield
        finally:
            _gather(out)


def _gather(out: Path) -> None:
    """Bring what workers noted, now or in a run that was killed, into the list."""
    notes = sorted(out.glob(NOTES), key=lambda path: path.stat().st_mtime_ns)
    if notes:
        known = dict(chain.from_iterable(map(_lines, [out / DONE, *notes])))
        files.write_text(out / DONE, "".join(_line(*one) for one in known.items()))
    for path in notes:
        path.unlink(missing_ok=True)


class Finished:
    """What is finished in a folder of results, as one worker knows it.

    Each worker notes what it does in a file of its own, line by line, so that no two write to one.

    Args:
        out: the folder.
        way: names the model and the settings; results made in another way are made again.
    """

    def __init__(self, out: Path, way: str) -> None:
        self.notes = out / NOTES.replace("*", uuid.uuid4().hex)
        self.way = way
        self.known = dict(chain.from_iterable(map(_lines, [out / DONE, *out.glob(NOTES)])))

    def digest(self, job: Job) -> str:
        """Name what the result of a job depends on.

        Raises:
            PictureError: the original cannot be read, or a file of another origin is in the way.
        """
        if job.target.exists() and job.name not in self.known:
            raise PictureError(job.source, f"{job.target} is there already, and no result of "
                               "Garim; move it, or give another folder with --out")  # fmt: skip
        try:
            return files.digest_of([files.digest(job.source), self.way])
        except OSError as error:
            raise PictureError(job.source, error.strerror or str(error)) from error

    def has(self, job: Job, digest: str) -> bool:
        """Say whether a job need not be done again."""
        return self.known.get(job.name) == digest and job.target.exists()

    def begin(self, job: Job) -> None:
        """Note that the target will be ours, before there is one."""
        self._note(job.name, "")

    def end(self, job: Job, digest: str) -> None:
        """Note that a job is done."""
        self._note(job.name, digest)

    def _note(self, name: str, digest: str) -> None:
        with self.notes.open("ab") as stream:
            stream.write(_line(name, digest).encode())


def _line(name: str, digest: str) -> str:
    return json.dumps({"picture": name, "of": digest}, ensure_ascii=False) + "\n"


def _lines(path: Path) -> list[tuple[str, str]]:
    """Read the lines; the last may be broken off."""
    found = []
    for line in path.read_bytes().split(b"\n") if path.exists() else ():
        try:
            value = json.loads(line)
            found.append((str(value["picture"]), str(value["of"])))
        except (ValueError, KeyError, TypeError):
            continue
    return found
