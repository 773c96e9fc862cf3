"""Pictures of many kinds on the disk, and how they are compared."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from garim import pictures

ORIENTATION = 0x0112
SIZE = (40, 30)


def scene(width: int = 40, height: int = 30, seed: int = 0) -> Image.Image:
    """A picture without symmetry: smooth colours, a light corner, a few shapes."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    red, green = 255 * x / width, 255 * y / height
    blue = 128 + 100 * np.sin(x * 5 / width + seed) * np.cos(y * 4 / height)
    pixels = np.stack([red, green, blue], axis=2)
    pixels[: height // 3, : width // 4] = (250, 240, 20)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def two_colours() -> Image.Image:
    """A picture with a palette: colour 0 in a corner, colour 1 elsewhere."""
    image = Image.new("P", SIZE, 1)
    image.putpalette([9, 9, 9, 10, 200, 30])
    image.paste(0, (0, 0, 20, 15))
    return image


def grey16(width: int = 40, height: int = 30) -> NDArray[np.uint16]:
    values = np.linspace(0, 65_535, width * height).reshape(height, width)
    return values.round().astype(np.uint16)


def stored(folder: Path, image: Image.Image, name: str, kind: str, **options: object) -> Path:
    path = folder / name
    image.save(path, format=kind, **options)
    return path


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format=kind, **options)
    return stream.getvalue()


def opened(path: Path) -> NDArray[np.int64]:
    decoded = pictures.open_picture(path)
    assert decoded.image.mode == "RGB"
    assert decoded.size == decoded.image.size == size_of(path)
    return np.asarray(decoded.image).astype(np.int64)


def size_of(path: Path) -> tuple[int, int]:
    head = pictures.header(path)
    return head.width, head.height


def near(first: object, second: object, within: float = 0) -> None:
    one, other = (np.asarray(v).astype(np.float64) for v in (first, second))
    assert one.shape == other.shape
    assert np.abs(one - other).max() <= within


def like(first: object, second: object, mean: float = 6) -> None:
    """Check that a lossy format kept the picture: the mean error is small."""
    one, other = (np.asarray(v).astype(np.float64) for v in (first, second))
    assert one.shape == other.shape
    assert np.abs(one - other).mean() <= mean


def exif(orientation: int) -> bytes:
    fields = Image.Exif()
    fields[ORIENTATION] = orientation
    return fields.tobytes()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, data: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
