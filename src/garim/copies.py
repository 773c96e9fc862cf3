"""Which pictures are copies of each other: the same file, or the same picture saved again.

Two pictures are near copies when their 256-bit difference hashes (dHash; Krawetz 2013) differ in
at most ``MAX_DISTANCE`` bits *and* their 32 × 32 grey thumbnails are nearly equal and nearly
proportional. The second test keeps apart pictures that share only a layout, such as garments on a
white background.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from garim import files, pictures
from garim.errors import PictureError
from garim.streaming import stream, track

MAX_DISTANCE = 24
"""Most bits, of 256, in which the hashes of near copies differ."""

MAX_THUMBNAIL_ERROR = 6.0
"""Largest mean difference of the thumbnails' grey values (0 to 255), after removing the mean."""

MIN_CORRELATION = 0.98
"""Smallest correlation of the thumbnails. JPEG at quality 30 and scaling to a third keep 0.997;
a small disc and a small square on white have 0.96."""

MARGIN = 2.0
"""Grey values by which a pixel must be brighter than its left neighbour to set a bit: without it,
JPEG's noise on a plain background sets a good part of them."""

_FLAT = 1.0
"""Standard deviation of the grey values below which a thumbnail is noise around one tone."""
_BAND_BITS = 16
_CROWD = 200
"""A band shared by more pictures than this (a plain border, say) tells little: only neighbours in
the order of the whole hash are compared."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What two copies share."""

    digest: str
    """Name of the file's content."""
    bits: NDArray[np.bool_]
    """Difference hash, shape ``(256,)``."""
    thumbnail: NDArray[np.float32]
    """Grey values, shape ``(32, 32)``, 0 to 255."""


def fingerprint(path: Path) -> Fingerprint:
    """Fingerprint a picture.

    Raises:
        PictureError: it cannot be opened.
    """
    image = pictures.open_picture(path, at_least=64).image
    grey = np.asarray(image.convert("L"), dtype=np.float32)
    small = cv2.resize(grey, (17, 16), interpolation=cv2.INTER_AREA)
    thumbnail = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA)
    bits = (small[:, 1:] - small[:, :-1] > MARGIN).ravel()
    return Fingerprint(files.digest(path), bits, thumbnail.astype(np.float32))


def are_copies(first: Fingerprint, second: Fingerprint) -> bool:
    """Tell whether two pictures are the same, or nearly."""
    if first.digest == second.digest:
        return True
    if int((first.bits != second.bits).sum()) > MAX_DISTANCE:
        return False
    difference = first.thumbnail - second.thumbnail
    if max(first.thumbnail.std(), second.thumbnail.std()) < _FLAT:
        return float(np.abs(difference).mean()) <= MAX_THUMBNAIL_ERROR
    error = float(np.abs(difference - difference.mean()).mean())
    return error <= MAX_THUMBNAIL_ERROR and _correlation(first, second) >= MIN_CORRELATION


def _correlation(first: Fingerprint, second: Fingerprint) -> float:
    """Pearson's correlation of the thumbnails; 0 where one of them is of one tone."""
    one, other = (each.thumbnail - each.thumbnail.mean() for each in (first, second))
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float((one * other).sum()) / lengths if lengths else 0.0


def copy_groups(paths: Sequence[Path]) -> list[int]:
    """Give each picture the number of its group; copies of copies share one.

    Pictures that cannot be opened are groups of their own. Candidates share one of 16 hash
    bands (certain when at most 15 bits differ, likely up to 24), so the work grows with the
    pictures and not with their pairs.
    """
    prints: list[Fingerprint | None] = []
    for _, result in track(stream(fingerprint, paths), "Looking for copies", len(paths)):
        prints.append(None if isinstance(result, PictureError) else result)
    parent = list(range(len(paths)))
    for one, other in sorted(set(_candidates(prints))):
        a, b = prints[one], prints[other]
        if a and b and _root(parent, one) != _root(parent, other) and are_copies(a, b):
            parent[_root(parent, other)] = _root(parent, one)
    return [_root(parent, index) for index in range(len(paths))]


def _candidates(prints: Sequence[Fingerprint | None]) -> Iterable[tuple[int, int]]:
    bands: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    hashes: dict[int, bytes] = {}
    for index, one in enumerate(prints):
        if one is not None:
            bands[-1, one.digest.encode()].append(index)
            packed = hashes[index] = np.packbits(one.bits).tobytes()
            for band in range(0, len(packed), _BAND_BITS // 8):
                bands[band, packed[band : band + _BAND_BITS // 8]].append(index)
    for (band, _), members in bands.items():
        if band == -1:
            yield from pairwise(members)
        elif len(members) <= _CROWD:
            yield from combinations(members, 2)
        else:
            yield from map(_in_order, pairwise(sorted(members, key=hashes.__getitem__)))


def _in_order(pair: tuple[int, int]) -> tuple[int, int]:
    return min(pair), max(pair)


def _root(parent: list[int], index: int) -> int:
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = parent[index]
    return index
