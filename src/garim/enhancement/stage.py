"""Enlarging as a stage: files to larger ones, which the workers write."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from garim import frames, pictures
from garim.enhancement.colours import enlarge_image
from garim.enhancement.listing import Finished, Job
from garim.enhancement.methods import Method
from garim.enhancement.settings import UpscaleSettings
from garim.enhancement.video import enlarge_video
from garim.errors import PictureError
from garim.execution import Record, Work, check_seen
from garim.streaming import revealed_progress, stream

SHARD = 8
"""Files of a shard: seconds or minutes each, and noted one by one as they are done."""


@dataclass(frozen=True, kw_only=True)
class Enlarging:
    """The stage: jobs, of whole paths, to what was done."""

    root: Path
    """Folder of the first file."""
    out: Path
    """Folder of the results, which every worker must see."""
    method: Method
    settings: UpscaleSettings
    way: str
    """Names the model and the settings."""
    name: str = "upscale"
    schema: ClassVar[dict[str, Any]] = {"frames": pl.Int64, "seconds": pl.Float64}

    def key(self, item: Job) -> str:
        """Name a file as it is now, and its result."""
        changed = None
        with suppress(OSError):
            status = item.source.stat()
            changed = [status.st_size, status.st_mtime_ns]
        return json.dumps([str(item.source), item.name, changed])

    def open(self) -> Work[Job]:
        """Learn what is there already."""
        check_seen(self.out)
        return partial(self._work, Finished(self.out, self.way))

    def _work(self, finished: Finished, jobs: Sequence[Job]) -> Iterator[Record | PictureError]:
        """Do what is not done yet; pictures are opened ahead, in threads."""
        for job, opened in stream(partial(self._opened, finished), jobs):
            if isinstance(opened, PictureError):
                yield opened
                continue
            started, (digest, whole), count = time.perf_counter(), opened, 0
            try:
                if not finished.has(job, digest):
                    finished.begin(job)
                    count = self._enlarged(job, whole)
                    finished.end(job, digest)
            except PictureError as error:
                yield error
                continue
            yield {"frames": count, "seconds": round(time.perf_counter() - started, 3)}

    def _opened(self, finished: Finished, job: Job) -> tuple[str, frames.WholePicture | None]:
        digest = finished.digest(job)
        if job.is_video or finished.has(job, digest):
            return digest, None
        return digest, frames.read(job.source, pictures.MAX_PIXELS // self.settings.scale**2)

    def _enlarged(self, job: Job, whole: frames.WholePicture | None) -> int:
        """Enlarge one file, and give how many frames it has."""
        method = self.method
        if whole is None:
            with revealed_progress():
                return enlarge_video(job.source, job.target, method.colours)
        large = [enlarge_image(f, method.colours, method.transparency) for f in whole.frames]
        frames.write(whole.with_frames(large), job.target, self.settings.quality)
        return len(large)
