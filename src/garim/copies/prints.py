"""Fingerprints of many pictures: numbers in columns, thumbnails in a file, some bytes in memory."""

from __future__ import annotations

import os
import weakref
from array import array
from collections.abc import Iterable, Iterator
from tempfile import SpooledTemporaryFile
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from garim.copies.fingerprints import SIDE, Fingerprint
from garim.files import DIGEST_LENGTH

IN_MEMORY = 16 * 2**20
"""Bytes of thumbnails up to which they are kept in memory."""

_THUMBNAIL = SIDE * SIDE
_NUMBERS = 6
"""Width, height, red, green, blue, colourfulness."""


class Prints:
    """Fingerprints in order; None for pictures that cannot be opened.

    Args:
        prints: the first ones; `append` adds more, until an array is asked for.
    """

    def __init__(self, prints: Iterable[Fingerprint | None] = ()) -> None:
        self._digests = bytearray()
        self._flat = bytearray()
        self._numbers = array("d")
        self._thumbnails = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed with this object
        weakref.finalize(self, self._thumbnails.close)
        self._lock = Lock()
        for one in prints:
            self.append(one)

    def append(self, one: Fingerprint | None) -> None:
        """Add one more."""
        self._digests += (b"" if one is None else one.digest.encode()).ljust(DIGEST_LENGTH, b"\0")
        self._flat.append(one is not None and one.is_flat)
        numbers = (*one.size, *one.tone, one.colourfulness) if one else [np.nan] * _NUMBERS
        self._numbers.extend(numbers)
        thumbnail = np.zeros(_THUMBNAIL, np.uint8) if one is None else one.thumbnail
        with self._lock:
            self._thumbnails.seek(0, os.SEEK_END)
            self._thumbnails.write(thumbnail.tobytes())

    def __len__(self) -> int:
        return len(self._flat)

    def __iter__(self) -> Iterator[Fingerprint | None]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> Fingerprint | None:
        width, height, red, green, blue, colourfulness = self._table()[number].tolist()
        if np.isnan(width):
            return None
        thumbnail = self.thumbnails(np.array([number])).reshape(SIDE, SIDE)
        start = number * DIGEST_LENGTH
        digest = self._digests[start : start + DIGEST_LENGTH].rstrip(b"\0").decode()
        size = int(width), int(height)
        return Fingerprint(digest, size, thumbnail, (red, green, blue), colourfulness)

    def _table(self) -> NDArray[np.float64]:
        return np.asarray(self._numbers, dtype=np.float64).reshape(-1, _NUMBERS)

    @property
    def opened(self) -> NDArray[np.bool_]:
        """Whether each picture could be opened."""
        return ~np.isnan(self._table()[:, 0])

    @property
    def flat(self) -> NDArray[np.bool_]:
        """Whether each is of one tone; false for those that cannot be opened."""
        return np.frombuffer(bytes(self._flat), dtype=np.bool_)

    @property
    def digests(self) -> NDArray[np.bytes_]:
        """Names of the files' contents, ASCII; empty for those that cannot be opened."""
        return np.frombuffer(bytes(self._digests), dtype=f"S{DIGEST_LENGTH}")

    @property
    def sizes(self) -> NDArray[np.float64]:
        """Width and height in pixels, ``(n, 2)``; NaN where a picture cannot be opened."""
        return self._table()[:, :2]

    @property
    def tones(self) -> NDArray[np.float64]:
        """Mean red, green and blue, 0 to 255, ``(n, 3)``, or NaN."""
        return self._table()[:, 2:5]

    @property
    def colourfulness(self) -> NDArray[np.float64]:
        """Mean difference of a pixel's largest and smallest channel, 0 to 255, or NaN."""
        return self._table()[:, 5]

    def thumbnails(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Read the thumbnails of some pictures, ``(n, 1024)``; runs of numbers are read at once."""
        found = np.empty((len(numbers), _THUMBNAIL), np.uint8)
        runs = np.split(np.arange(len(numbers)), np.flatnonzero(np.diff(numbers) != 1) + 1)
        with self._lock:
            for run in runs if len(numbers) else ():
                self._thumbnails.seek(int(numbers[run[0]]) * _THUMBNAIL)
                read = self._thumbnails.read(len(run) * _THUMBNAIL)
                found[run] = np.frombuffer(read, np.uint8).reshape(len(run), -1)
        return found
