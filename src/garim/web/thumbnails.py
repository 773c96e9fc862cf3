"""Small pictures for the page, made when they are asked for and kept while there is room."""

from __future__ import annotations

from collections import OrderedDict
from io import BytesIO
from math import ceil
from pathlib import Path
from threading import Lock

from PIL import Image

from garim import pictures
from garim.boxes import Box

ROOM = 96 * 2**20
"""Bytes of encoded pictures that are kept in memory: about 10,000 thumbnails."""

QUALITY = 82

Key = tuple[str, int, int, int, tuple[float, ...]]


class Thumbnails:
    """A cache of encoded pictures; the one that was not asked for the longest goes first."""

    def __init__(self, room: int = ROOM) -> None:
        self.room = room
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def get(self, path: Path, side: int, box: Box | None = None) -> bytes:
        """Give a picture, or a box of it, as JPEG of at most ``side`` pixels a side.

        Raises:
            PictureError: it cannot be opened.
            OSError: there is no such file.
        """
        now = path.stat()
        key = (str(path), now.st_mtime_ns, now.st_size, side, box.xyxy() if box else ())
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
                return known
        made = _encoded(path, side, box)
        with self._lock:
            self._keep(key, made)
        return made

    def _keep(self, key: Key, made: bytes) -> None:
        self._size += len(made) - len(self._kept.pop(key, b""))
        self._kept[key] = made
        while self._size > self.room and len(self._kept) > 1:
            self._size -= len(self._kept.popitem(last=False)[1])


def _encoded(path: Path, side: int, box: Box | None) -> bytes:
    decoded = pictures.open_picture(path, at_least=_enough(path, side, box))
    image = decoded.image
    if box is not None:
        part = box.rounded().clip(*decoded.size)
        if part.is_degenerate:
            part = Box.whole(*decoded.size)
        longest = max(part.width, part.height)
        scale = min(side / longest, 1.0)
        size = max(round(part.width * scale), 1), max(round(part.height * scale), 1)
        image = decoded.crop(part, size)
    image.thumbnail((side, side), Image.Resampling.BILINEAR)
    stream = BytesIO()
    image.save(stream, format="JPEG", quality=QUALITY)
    return stream.getvalue()


def _enough(path: Path, side: int, box: Box | None) -> int:
    """How many pixels the shorter side needs, so that a box has ``side`` of them after decoding."""
    if box is None or box.is_degenerate:
        return side
    header = pictures.header(path)
    share = max(box.width / header.width, box.height / header.height)
    return ceil(side / max(share, 1e-6))
