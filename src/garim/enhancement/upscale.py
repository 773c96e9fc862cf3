"""``garim upscale``: enlarge pictures, animations and videos, and keep what else is in them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from garim import files
from garim.enhancement.colours import enlarge_image
from garim.enhancement.listing import Job, listed, listing_done
from garim.enhancement.methods import Method, chosen
from garim.enhancement.settings import UpscaleSettings
from garim.enhancement.stage import SHARD, Enlarging
from garim.errors import Failure
from garim.execution import ExecutionSettings, Record, executed
from garim.execution.shards import ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class UpscaledFile:
    """One file that was enlarged."""

    picture: str
    """The file that was given."""
    to: str
    """The file that was written."""
    frames: int
    """How many were enlarged: 1, but for animations and videos; 0 where it was there already."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Upscaled:
    """What came of an enlargement."""

    out: Path
    scale: int
    method: str
    rows: tuple[UpscaledFile, ...]
    failures: tuple[Failure, ...]
    seconds: float

    @property
    def reused(self) -> int:
        """How many files were there already, from a run that was interrupted."""
        return sum(not row.frames for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Give the result as it stands in ``--json``."""
        return {
            "pictures": len(self.rows),
            "reused": self.reused,
            "to": str(self.out),
            "scale": self.scale,
            "method": self.method,
            "seconds": round(self.seconds, 2),
            "files": [asdict(row) for row in self.rows],
            "failed": [failure.to_dict() for failure in self.failures],
        }


def upscale(
    given: Path | str | Sequence[Path | str],
    out: Path | str,
    settings: UpscaleSettings | None = None,
    execution: ExecutionSettings | None = None,
) -> Upscaled:
    """Enlarge pictures, and all in folders; the originals stay as they are.

    Format, colour mode, transparency, colour profile, EXIF, and the timing of animations are kept.
    Run again after an interruption, it goes on where it was. A file that cannot be enlarged is
    listed with its error, and the rest goes on.

    Args:
        given: pictures, videos and folders of them.
        out: folder for the results, under the same names.
        settings: scale, method, model.
        execution: where it runs.

    Raises:
        SettingsError: settings that cannot work.
        ModelError: the model cannot be opened.
        DatasetError: nothing to enlarge, a result would replace an original, or another process
            writes to the folder.
        ExecutionError: unfinished work of another run is in the way.
    """
    started = time.perf_counter()
    settings = settings or UpscaleSettings()
    settings.check()
    target = Path(out).expanduser()
    jobs, failures = listed([given] if isinstance(given, Path | str) else given, target)
    method = chosen(settings)
    rows = []
    for job, record in _done(jobs, target, method, settings, execution):
        if record[ERROR] is not None:
            failures.append(Failure(str(job.source), record[ERROR]))
        else:
            told = {name: record[name] for name in ("frames", "seconds")}
            rows.append(UpscaledFile(picture=str(job.source), to=str(job.target), **told))
    return Upscaled(
        out=target, scale=settings.scale, method=settings.method, rows=tuple(rows),
        failures=tuple(failures), seconds=time.perf_counter() - started,
    )  # fmt: skip


def _done(
    jobs: Sequence[Job], out: Path, method: Method, settings: UpscaleSettings,
    execution: ExecutionSettings | None,
) -> Iterator[tuple[Job, Record]]:  # fmt: skip
    """Do what is not done yet, and give what came of each job."""
    # Whole paths: a worker on another machine may stand in another folder.
    placed = [replace(j, source=j.source.absolute(), target=j.target.absolute()) for j in jobs]
    way = files.digest_of([settings.scale, settings.method, settings.quality, method.name])
    stage = Enlarging(root=placed[0].source.parent, out=out.absolute(), method=method,
                      settings=settings, way=way)  # fmt: skip
    about = {"out": str(out.resolve()), "way": way}
    with (
        listing_done(out),
        executed(stage, placed, execution, about=about, description="Enlarging",
                 shard=SHARD) as found,
    ):  # fmt: skip
        for job, (_, record) in zip(jobs, found, strict=True):
            yield job, record


@dataclass(frozen=True, slots=True)
class ImageEnlarger:
    """Makes larger pictures, in any mode."""

    method: Method
    scale: int
    """How many times as long the sides become."""

    def __call__(self, image: Image.Image) -> Image.Image:
        """Enlarge a picture."""
        return enlarge_image(image, self.method.colours, self.method.transparency)


def enlarger(settings: UpscaleSettings | None = None) -> ImageEnlarger:
    """Give what makes larger pictures, such as of the small crops of ``garim.apply``.

    Args:
        settings: method and scale; by default Garim's own weights, to twice the sides.

    Raises:
        SettingsError: the model's scale and the one asked for do not fit.
        ModelError: the model cannot be opened.
    """
    how = settings or UpscaleSettings()
    return ImageEnlarger(chosen(how), how.scale)
