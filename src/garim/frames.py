"""Whole pictures, to be changed and written back: every frame in its own mode, timing, metadata.

`garim.pictures` gives what networks look at: the first frame, as 8-bit RGB. Here stays what a user
wants to find again in the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from garim import files
from garim.errors import DiskError, PictureError
from garim.pictures import MAX_PIXELS, opened, upright_frame

ANIMATED = frozenset({"GIF", "WEBP", "PNG", "AVIF"})
"""Formats whose frames have a duration."""

SEVERAL = ANIMATED | {"TIFF"}
"""Formats that are written with all their frames; of others the first is kept."""

WITH_EXIF = frozenset({"JPEG", "PNG", "WEBP", "AVIF"})


@dataclass(frozen=True, slots=True)
class WholePicture:
    """All frames of a picture file, upright, with what the file says about them."""

    frames: tuple[Image.Image, ...]
    """In the mode of the file; frames of an animation as they are seen, RGB or RGBA."""
    durations: tuple[int, ...]
    """Milliseconds of each frame; 0 where the file says none."""
    format: str
    """Pillow's name of the file's kind: JPEG, PNG …"""
    loop: int | None
    """How often an animation is repeated, 0 for ever; None where the file does not say."""
    profile: bytes | None
    """ICC colour profile."""
    exif: bytes | None
    """EXIF without the orientation, which is applied."""
    dpi: tuple[float, float] | None

    def with_frames(self, frames: Sequence[Image.Image]) -> WholePicture:
        """Exchange the frames."""
        return replace(self, frames=tuple(frames))


def read(path: Path, pixels_at_most: int = MAX_PIXELS) -> WholePicture:
    """Read a whole picture.

    Args:
        path: the file.
        pixels_at_most: of all frames together.

    Raises:
        PictureError: it is no picture, is cut off, or has too many pixels.
    """
    with opened(path) as image:
        kind = "JPEG" if image.format == "MPO" else image.format or "PNG"
        count = int(getattr(image, "n_frames", 1)) if kind in SEVERAL else 1
        if (pixels := count * image.width * image.height) > pixels_at_most:
            raise PictureError(path, f"{pixels:,} pixels in all frames are over the limit of "
                               f"{pixels_at_most:,}")  # fmt: skip
        frames, durations = [], []
        for number in range(count):
            image.seek(number)
            frame = upright_frame(image)
            moving = count > 1 and kind in ANIMATED
            frames.append(_as_seen(frame) if moving else frame)
            durations.append(int(image.info.get("duration") or 0))
        info = frames[0].info if count == 1 else image.info
        return WholePicture(
            tuple(frames), tuple(durations), kind, image.info.get("loop"),
            info.get("icc_profile"), _exif(image), image.info.get("dpi"),
        )  # fmt: skip


def write(picture: WholePicture, path: Path, quality: int = 95) -> None:
    """Write a whole picture as one step.

    Raises:
        PictureError: its format cannot hold it, or the disk refuses.
    """
    kind, first = picture.format, picture.frames[0]
    options: dict[str, Any] = {"icc_profile": picture.profile}
    if kind in WITH_EXIF and picture.exif:
        options["exif"] = picture.exif
    if kind in {"JPEG", "PNG", "TIFF"} and picture.dpi:
        options["dpi"] = picture.dpi
    if kind in {"JPEG", "WEBP", "AVIF"}:
        options["quality"] = quality
    if kind == "JPEG":
        options["subsampling"] = 0
    if kind == "ICO":
        options["sizes"] = [first.size]
    if len(picture.frames) > 1:
        options |= {"save_all": True, "append_images": list(picture.frames[1:])}
        options |= _timing(picture)
    try:
        encoded = BytesIO()
        first.save(encoded, format=kind, **options)
        files.write_bytes(path, encoded.getvalue())
    except DiskError:
        raise
    except Exception as error:  # Pillow's encoders raise nearly anything
        raise PictureError(path, f"cannot be saved as {kind}: {error}") from error


def _timing(picture: WholePicture) -> dict[str, Any]:
    if picture.format not in ANIMATED:
        return {}
    options: dict[str, Any] = {"duration": list(picture.durations)}
    if picture.loop is not None:
        options["loop"] = picture.loop
    if picture.format == "GIF" and any(f.mode == "RGBA" for f in picture.frames):
        options["disposal"] = 2  # else what one frame leaves transparent shows the frame before
    return options


def _as_seen(frame: Image.Image) -> Image.Image:
    """Give RGB, or RGBA where something shows through; WebP's reader says RGBA always."""
    full = frame.convert("RGBA")
    return full if full.getchannel("A").getextrema() != (255, 255) else full.convert("RGB")


def _exif(image: Image.Image) -> bytes | None:
    try:
        exif = image.getexif()
        exif.pop(ExifTags.Base.Orientation, None)
        sizes = exif.get_ifd(ExifTags.IFD.Exif)
        for tag in (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight):
            sizes.pop(tag, None)  # no longer true
        return exif.tobytes() if exif else None
    except Exception:  # the EXIF is broken; the pixels need not be
        return None
