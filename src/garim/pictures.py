"""The only place that opens or saves a picture.

Every picture comes out upright (EXIF orientation applied), 8-bit RGB, transparency laid over
white, first frame of an animation, 16-bit values scaled to 8. The kind of file is found from its
content, not from its suffix. Its size is checked before any pixel is decoded. Every function may
be called from many threads at once.
"""

from __future__ import annotations

import os
import stat
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from garim import files, remote
from garim.boxes import Box
from garim.errors import DiskError, PictureError

Pixels = NDArray[np.uint8]
"""An RGB picture, shape ``(height, width, 3)``, values 0 to 255."""

SUFFIXES = frozenset({
    ".avif", ".bmp", ".gif", ".ico", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg",
    ".mpo", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
})  # fmt: skip
"""File name endings, in lower case, that are taken for pictures without a look inside."""

UNREAD = frozenset({
    ".arw", ".cr2", ".cr3", ".dng", ".heic", ".heif", ".jxl", ".nef", ".orf", ".raf", ".rw2",
})  # fmt: skip
"""Endings of pictures that cameras save and that are not read."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "ICO")
"""Pillow's readers that are allowed; those that start other programs (EPS) or nest are not."""

MAX_PIXELS = 268_435_456
"""Largest picture that is decoded, in pixels (16,384 × 16,384: 768 MiB as RGB)."""

MAX_SIDE = 65_535
"""Longest side that is decoded, in pixels: JPEG's own limit."""

BACKGROUND = (255, 255, 255)
"""What shows through where a picture is transparent."""

_MAGIC = (
    b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"\xff\x4f\xff\x51",
    b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+", b"\x00\x00\x00\x0cjP  \r\n\x87\n",
)  # fmt: skip
_TURNS = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE",
          6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90"}  # fmt: skip
"""What each EXIF orientation asks for."""
_WHITES = {"I;": (65_535,), "I": (65_535, 2**31 - 1), "F": (1, 255, 65_535, 2**31 - 1)}
"""Values that may mean white, by mode: the first that no value of the picture exceeds."""

Image.init()
_READERS = tuple(name for name in FORMATS if name in Image.OPEN)

# Sizes are checked here, for every picture and with its name; Pillow's own check stays, at the
# same limit, for pictures inside pictures (ICO): it warns there and refuses twice as many pixels.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS

# Oddities that Pillow survives (corrupt EXIF) worry nobody. Once, for the modules that read
# pictures, as warnings.catch_warnings is not safe in threads.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.(Image$|\w+ImagePlugin$)")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture's header says, before any pixel is decoded."""

    width: int
    """Width of the upright picture in pixels."""
    height: int
    """Height of the upright picture in pixels."""
    format: str
    """Pillow's name of the file's real kind: JPEG, PNG …"""
    mode: str
    """Pillow's name of the colour mode: RGB, CMYK, L, P, I;16 …"""
    frames: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """An upright RGB picture, perhaps decoded smaller, and its full size."""

    image: Image.Image
    size: tuple[int, int]
    """Width and height of the full upright picture in pixels."""
    mode: str = "RGB"
    """Pillow's name of the colour mode in the file: RGB, CMYK, L, P, I;16 …"""

    @property
    def scale(self) -> tuple[float, float]:
        """Decoded pixels per full pixel, along x and y."""
        return self.image.width / self.size[0], self.image.height / self.size[1]

    def crop(self, box: Box, size: tuple[int, int]) -> Image.Image:
        """Cut out a box given in full pixels and resize it (antialiased) to ``size``."""
        sx, sy = self.scale
        part = box.scale(sx, sy).clip(self.image.width, self.image.height)
        return self.image.resize(size, Image.Resampling.BILINEAR, box=part.xyxy())


def is_picture(path: Path) -> bool:
    """Tell whether a file is meant as a picture: by its suffix, else by its first bytes.

    A broken file with a picture's suffix counts: it has to be reported as broken, not passed over.
    """
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with _regular(path).open("rb") as stream:
            head = stream.read(18)
    except (PictureError, OSError, ValueError):  # ValueError: a name with a null byte
        return False
    if head[:2] == b"BM":
        return int.from_bytes(head[14:18], "little") in {12, 16, 40, 52, 56, 64, 108, 124}
    if head[:4] == b"RIFF" or head[4:8] == b"ftyp":
        return head[8:12] in {b"WEBP", b"avif", b"avis"}
    return head.startswith(_MAGIC)


def header(path: Path) -> Header:
    """Read a picture's size and kind without decoding it.

    Raises:
        PictureError: the file is no picture, cannot be read, or is over the size limits.
    """
    with opened(path) as image:
        if image.format == "PNG":
            _find_exif_behind_the_pixels(image)
        width, height = image.size if _orientation(image) < 5 else image.size[::-1]
        frames = int(getattr(image, "n_frames", 1))
        return Header(width, height, image.format or "", image.mode, frames)


def open_picture(path: Path, at_least: int | None = None) -> Decoded:
    """Open a picture upright, as 8-bit RGB.

    With ``at_least``, a JPEG may be decoded at a half, a quarter or an eighth of its size, as long
    as both sides stay at least that many pixels (DCT scaling; several times faster on photos).

    Raises:
        PictureError: the file is no picture, is cut off, cannot be read or is over the limits.
    """
    with opened(path) as image:
        full, mode = image.size, image.mode
        if at_least is not None:
            image.draft("RGB", (max(at_least, 1), max(at_least, 1)))
        is_whole = image.size == full
        upright = upright_frame(image)
        size = upright.size if is_whole else full if _orientation(image) < 5 else full[::-1]
        return Decoded(_eight_bit_rgb(upright), size, mode)


def decode(data: bytes, name: str) -> Image.Image:
    """Open a picture held in memory, upright, as 8-bit RGB; ``name`` is for the error."""
    with opened(Path(name), BytesIO(data)) as image:
        return _eight_bit_rgb(upright_frame(image))


def open_mask(path: Path) -> tuple[NDArray[np.uint8], bytes]:
    """Open an index mask: a palette or grey picture whose values are class numbers, as they are.

    Returns:
        Values, shape ``(height, width)``, and the palette's colours (RGB, 3 bytes each; empty for
        grey).

    Raises:
        PictureError: the file cannot be opened, is in colour, or has more than 8 bits.
    """
    with opened(path) as image:
        if image.mode not in {"1", "L", "P"}:
            expected = "a mask must be a palette or 8-bit grey picture of class numbers"
            raise PictureError(path, f"{expected}; this one is {image.mode}")
        palette = bytes(image.getpalette("RGB") or ()) if image.mode == "P" else b""
        return np.array(upright_frame(image), dtype=np.uint8), palette


def to_array(image: Image.Image) -> Pixels:
    """Give an RGB picture as an array of shape ``(height, width, 3)``, uint8."""
    return np.asarray(image, dtype=np.uint8)


Change = Callable[[Image.Image], Image.Image]
"""Makes another picture of one, in any mode."""


def save(image: Image.Image, path: Path, quality: int = 95) -> None:
    """Save a picture as one step, in the format that the suffix names.

    Raises:
        PictureError: the suffix names no format, or the picture cannot be written in it.
        DiskError: the disk refuses.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES or suffix not in Image.EXTENSION:
        known = f"use one of {', '.join(sorted(SUFFIXES))}"
        raise PictureError(path, f"cannot tell the format from the suffix; {known}")
    _write(image, path, Image.EXTENSION[suffix], quality)


def crop_file(
    source: Path, box: Box, target: Path, quality: int = 95, change: Change | None = None
) -> None:
    """Cut a box out of a picture at full resolution and save it in the picture's own format.

    Colour mode, bit depth, transparency and colour profile stay, except that 16-bit *colour*
    becomes 8-bit (16-bit grey stays). EXIF orientation is applied; other EXIF fields go.
    ``box`` is in upright pixels and is snapped to whole ones; ``change`` is made to what was cut.

    Raises:
        PictureError: the picture cannot be opened, or the box is outside it.
        DiskError: the disk refuses.
    """
    with opened(source) as image:
        kind = image.format or "PNG"
        upright = upright_frame(image)
        part = box.rounded().clip(*upright.size)
        if part.is_degenerate:
            size = f"{upright.width} × {upright.height}"
            raise PictureError(source, f"the box {box.xywh()} has no pixel of the {size} picture")
        left, top, right, bottom = (int(v) for v in part.xyxy())
        cut = upright.crop((left, top, right, bottom))
    if change is not None:
        kept = {k: v for k, v in cut.info.items() if k in ("icc_profile", "compression")}
        cut = change(cut)
        cut.info.update(kept)
    _write(cut, target, kind, quality)


def _write(image: Image.Image, path: Path, kind: str, quality: int) -> None:
    kind = "JPEG" if kind == "MPO" else kind
    if kind == "JPEG" and image.mode not in {"L", "RGB", "CMYK"}:
        image = _eight_bit_rgb(image)
    options: dict[str, object] = {"icc_profile": image.info.get("icc_profile")}
    if kind == "JPEG":
        options |= {"quality": quality, "subsampling": 0, "xmp": b""}  # XMP repeats the EXIF
    elif kind in {"WEBP", "AVIF"} or (kind, image.info.get("compression")) == ("TIFF", "jpeg"):
        options["quality"] = quality
    elif kind == "ICO":
        options["sizes"] = [image.size]
    try:
        encoded = BytesIO()  # so that a full disk is met by Python, which says so
        image.save(encoded, format=kind, **options)
        files.write_bytes(path, encoded.getvalue())
    except DiskError:
        raise
    except Exception as error:  # Pillow's encoders, too, raise nearly anything
        raise PictureError(path, f"cannot be saved as {kind}: {_reason(error)}") from error


def _regular(path: Path) -> Path:
    """Give the path back if it is a file with content; opening a pipe would wait for ever."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        kind = "is a folder, not a picture" if path.is_dir() else "is no ordinary file"
        raise PictureError(path, kind)
    if status.st_size == 0 and remote.fetched(path).stat().st_size == 0:
        raise PictureError(path, "the file is empty")
    return path


@contextmanager
def opened(path: Path, stream: IO[bytes] | None = None) -> Iterator[Image.Image]:
    """Open without decoding, check the size, and turn every failure into a PictureError."""
    try:
        with Image.open(stream or _regular(path), formats=_READERS) as image:
            _check_size(path, *image.size)
            yield image
    except PictureError:
        raise
    except Exception as error:  # broken files make Pillow's plugins raise nearly anything
        raise PictureError(path, f"cannot be opened: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError | Image.DecompressionBombError):
        return f"too large: {error}"
    if isinstance(error, UnidentifiedImageError):
        return "not a picture in a format that Garim reads, or its header is broken"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"{type(error).__name__}: {error}"


def _check_size(path: Path, width: int, height: int) -> None:
    if not (width and height):
        raise PictureError(path, f"has no pixels ({width} × {height})")
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        limit = f"{MAX_PIXELS:,} pixels and {MAX_SIDE:,} a side"
        raise PictureError(path, f"{width:,} × {height:,} pixels is over the limit of {limit}")


def _orientation(image: Image.Image) -> int:
    """Give the EXIF orientation, 1 to 8; 1 where the EXIF is broken, or Pillow turns (TIFF)."""
    if image.format == "TIFF":
        return 1
    try:  # not PngImageFile.getexif, which decodes the picture
        found = Image.Image.getexif(image).get(ExifTags.Base.Orientation)
    except Exception:  # the EXIF is broken; the pixels need not be
        return 1
    return found if isinstance(found, int) and found in _TURNS else 1


def _find_exif_behind_the_pixels(image: Image.Image) -> None:
    """Look through a PNG's chunks for EXIF, which may come last, without decoding."""
    stream: IO[bytes] = image.fp  # type: ignore[attr-defined]
    stream.seek(8)
    while "exif" not in image.info and len(head := stream.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name == b"eXIf":
            image.info["exif"] = b"Exif\x00\x00" + stream.read(length)
        stream.seek(length + 4, os.SEEK_CUR)


def upright_frame(image: Image.Image) -> Image.Image:
    """Decode the first frame, in its own mode, and turn it; a new image, without its file."""
    image.load()
    turn = _TURNS.get(_orientation(image))
    return image.transpose(Image.Transpose[turn]) if turn else image.copy()


def _eight_bit_rgb(image: Image.Image) -> Image.Image:
    """Convert; what is known about the picture goes, but for a colour profile that still fits."""
    profile = image.info.get("icc_profile") if image.mode in {"RGB", "RGBA", "P"} else None
    if image.mode.startswith(("I", "F")):
        image = _scaled_to_eight_bits(image)
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        canvas = Image.new("RGBA", coloured.size, (*BACKGROUND, 255))
        image = Image.alpha_composite(canvas, coloured)
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    rgb.info = {"icc_profile": profile} if profile else {}
    return rgb


def _scaled_to_eight_bits(image: Image.Image) -> Image.Image:
    """Scale grey values of more than 8 bits, a transparent value becoming white."""
    values = np.nan_to_num(np.asarray(image).astype(np.float32), posinf=0, neginf=0)
    whites = _WHITES[image.mode[:2]]
    white = next((w for w in whites if values.max() <= w), whites[-1])
    scaled = np.round(np.clip(values * (255.0 / white), 0, 255)).astype(np.uint8)
    if "transparency" in image.info:
        scaled[values == image.info["transparency"]] = BACKGROUND[0]
    return Image.fromarray(scaled)


def square(path: Path, size: int) -> Pixels:
    """Open a picture and resize it to ``size × size`` without keeping its aspect ratio.

    Raises:
        PictureError: it cannot be opened.
    """
    image = open_picture(path, at_least=size).image
    return to_array(image.resize((size, size), Image.Resampling.BILINEAR))


def blank(side: int) -> Image.Image:
    """Give a pale square that stands for a picture which cannot be shown."""
    return Image.new("RGB", (side, side), (226, 226, 226))
