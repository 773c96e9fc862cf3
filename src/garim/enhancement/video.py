"""Videos, frame by frame, through the ffmpeg program; sound and the rest are copied."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np

from garim import files
from garim.enhancement.colours import Enlarge
from garim.errors import PictureError
from garim.pictures import Pixels
from garim.resizing import as_pixels, as_values
from garim.streaming import track

SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".ogv", ".webm", ".wmv"})
"""File name endings, in lower case, that are taken for videos."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the frames of a video are like."""

    width: int
    height: int
    rate: Fraction
    """Frames per second."""


def enlarge_video(source: Path, target: Path, enlarge: Enlarge) -> int:
    """Enlarge each frame, write them as one step, and give how many there were.

    Raises:
        PictureError: ffmpeg is not installed, or cannot read the video or write the result.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise PictureError(source, "videos need the program ffmpeg, which is not installed or not "
                           "in PATH")  # fmt: skip
    shape = _shape(program, source)
    count = 0
    with files.replacing(target) as temporary, _reading(program, source) as frames:
        first = next(large := _enlarged(frames, shape, enlarge), None)
        if first is None:
            raise PictureError(source, "has no frame")
        command = _writing(program, source, target.suffix, temporary, first, shape)
        with _running(source, command, stdin=subprocess.PIPE) as stdin:
            for frame in track(chain([first], large), f"Frames of {source.name}"):
                stdin.write(frame.tobytes())
                count += 1
    return count


def _shape(program: str, source: Path) -> Shape:
    """Ask ffmpeg for the size as it is shown, and the frame rate; ffprobe may not be there."""
    command = [program, "-v", "error", *_input(source), "-map", "0:v:0", "-frames:v", "1",
               "-c:v", "rawvideo", "-f", "framecrc", "-"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
    size = re.search(r"^#dimensions 0: (\d+)x(\d+)", done.stdout, re.MULTILINE)
    beat = re.search(r"^#tb 0: (\d+)/(\d+)", done.stdout, re.MULTILINE)
    if done.returncode or not size or not beat:
        raise PictureError(source, f"ffmpeg cannot read it: {_last_line(done.stderr)}")
    return Shape(int(size[1]), int(size[2]), Fraction(int(beat[2]), int(beat[1])))


def _input(source: Path) -> list[str]:
    """Let ffmpeg open this file and nothing else, whatever its name or its content asks for."""
    return ["-protocol_whitelist", "file", "-i", f"file:{source}"]


@contextmanager
def _reading(program: str, source: Path) -> Iterator[IO[bytes]]:
    command = [program, "-v", "error", *_input(source), "-map", "0:v:0",
               "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]  # fmt: skip
    with _running(source, command, stdout=subprocess.PIPE) as stdout:
        yield stdout


def _writing(
    program: str, source: Path, suffix: str, target: Path, frame: Pixels, shape: Shape
) -> list[str]:
    """Take frames from a pipe, and sound, subtitles and metadata from the source."""
    size = f"{frame.shape[1]}x{frame.shape[0]}"
    return [
        program, "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size,
        "-r", str(shape.rate), "-i", "-", *_input(source),
        "-map", "0:v", "-map", "1:a?", "-c:a", "copy", "-map_metadata", "1",
        *(["-pix_fmt", "yuv420p"] if suffix.lower() != ".avi" else []),
        "-f", _container(suffix), str(target),
    ]  # fmt: skip


def _container(suffix: str) -> str:
    """Name ffmpeg's muxer: the temporary file's name does not say."""
    other = {"mkv": "matroska", "m4v": "mp4", "mpg": "mpeg", "ogv": "ogg", "wmv": "asf"}
    return other.get(name := suffix.lower().removeprefix("."), name)


def _enlarged(frames: IO[bytes], shape: Shape, enlarge: Enlarge) -> Iterator[Pixels]:
    length = shape.width * shape.height * 3
    while len(data := frames.read(length)) == length:
        pixels = np.frombuffer(data, np.uint8).reshape(shape.height, shape.width, 3)
        yield as_pixels(enlarge(as_values(pixels)))


@contextmanager
def _running(source: Path, command: list[str], **pipes: Any) -> Iterator[IO[bytes]]:
    """Run ffmpeg with one pipe; its own words are the error."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, **pipes)
    pipe = process.stdin or process.stdout
    assert pipe is not None, "the caller asks for one pipe"
    try:
        yield pipe
    except BrokenPipeError:
        pass  # the reason is in what it wrote
    except BaseException:
        process.kill()
        raise
    finally:
        with suppress(BrokenPipeError):
            pipe.close()
        told = process.stderr.read() if process.stderr else b""
        process.wait()
    if process.returncode:
        raise PictureError(source, f"ffmpeg failed: {_last_line(told.decode(errors='replace'))}")


def _last_line(text: str) -> str:
    return next(iter(reversed(text.strip().splitlines())), "it says nothing")
