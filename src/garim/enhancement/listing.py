"""What is to be enlarged, where the results go, and which are there already."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from garim import files
from garim.enhancement.video import SUFFIXES
from garim.errors import DatasetError, Failure, PictureError
from garim.formats.placing import place
from garim.formats.rows import Row
from garim.formats.tree import walk

DONE = "upscaled.jsonl"
"""File in a folder of results that lists them, so that an interrupted run can be continued."""


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


class Finished:
    """What is finished in a folder of results.

    Args:
        out: the folder.
        way: names the model and the settings; results made in another way are made again.
    """

    def __init__(self, out: Path, way: str) -> None:
        self.path = out / DONE
        self.way = way
        self.known = dict(_lines(self.path))

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
        self._write(job.name, "")

    def end(self, job: Job, digest: str) -> None:
        """Note that a job is done."""
        self._write(job.name, digest)

    def _write(self, name: str, digest: str) -> None:
        """Add a line; the one before may be broken off."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"picture": name, "of": digest}, ensure_ascii=False).encode()
        with self.path.open("ab+") as stream:
            stream.seek(max(stream.tell() - 1, 0))
            stream.write((b"" if stream.read() in {b"", b"\n"} else b"\n") + line + b"\n")


def _lines(path: Path) -> list[tuple[str, str]]:
    """Read the lines; the last may be broken off."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            value = json.loads(line)
            found.append((str(value["picture"]), str(value["of"])))
        except (ValueError, KeyError, TypeError):
            continue
    return found
