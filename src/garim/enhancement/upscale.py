"""``garim upscale``: enlarge pictures, animations and videos, and keep what else is in them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from garim import files, frames, pictures
from garim.enhancement.colours import enlarge_image
from garim.enhancement.listing import Finished, Job, listed
from garim.enhancement.methods import Method, chosen
from garim.enhancement.settings import UpscaleSettings
from garim.enhancement.video import enlarge_video
from garim.errors import Failure, PictureError
from garim.streaming import stream, track


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
) -> Upscaled:
    """Enlarge pictures, and all in folders; the originals stay as they are.

    Format, colour mode, transparency, colour profile, EXIF, and the timing of animations are kept.
    Run again after an interruption, it goes on where it was. A file that cannot be enlarged is
    listed with its error, and the rest goes on.

    Args:
        given: pictures, videos and folders of them.
        out: folder for the results, under the same names.
        settings: scale, method, model.

    Raises:
        SettingsError: settings that cannot work.
        ModelError: the model cannot be opened.
        DatasetError: nothing to enlarge, or a result would replace an original.
    """
    started = time.perf_counter()
    settings = settings or UpscaleSettings()
    settings.check()
    target = Path(out).expanduser()
    jobs, failures = listed([given] if isinstance(given, Path | str) else given, target)
    method = chosen(settings)
    way = files.digest_of([settings.scale, settings.method, settings.quality, method.name])
    rows = []
    for job, result in _done(jobs, method, Finished(target, way), settings):
        if isinstance(result, PictureError):
            failures.append(Failure(str(job.source), result.reason))
        else:
            rows.append(result)
    return Upscaled(
        out=target, scale=settings.scale, method=settings.method, rows=tuple(rows),
        failures=tuple(failures), seconds=time.perf_counter() - started,
    )  # fmt: skip


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


def _done(
    jobs: Sequence[Job], method: Method, finished: Finished, settings: UpscaleSettings
) -> Iterator[tuple[Job, UpscaledFile | PictureError]]:
    """Do what is not done yet; pictures are opened ahead, in threads."""

    def opened(job: Job) -> tuple[str, frames.WholePicture | None]:
        digest = finished.digest(job)
        if job.is_video or finished.has(job, digest):
            return digest, None
        return digest, frames.read(job.source, pictures.MAX_PIXELS // settings.scale**2)

    for job, result in track(stream(opened, jobs), "Enlarging", len(jobs)):
        if isinstance(result, PictureError):
            yield job, result
            continue
        started, (digest, whole), count = time.perf_counter(), result, 0
        try:
            if not finished.has(job, digest):
                finished.begin(job)
                count = _enlarged(job, whole, method, settings)
                finished.end(job, digest)
        except PictureError as error:
            yield job, error
            continue
        seconds = round(time.perf_counter() - started, 3)
        yield (
            job,
            UpscaledFile(
                picture=str(job.source), to=str(job.target), frames=count, seconds=seconds
            ),
        )


def _enlarged(
    job: Job, whole: frames.WholePicture | None, method: Method, settings: UpscaleSettings
) -> int:
    """Enlarge one file, and give how many frames it has."""
    if whole is None:
        return enlarge_video(job.source, job.target, method.colours)
    large = [enlarge_image(f, method.colours, method.transparency) for f in whole.frames]
    frames.write(whole.with_frames(large), job.target, settings.quality)
    return len(large)
