"""Copies: pairs of pictures, what kind of copy each is, and the groups that they form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from garim import pictures
from garim.copies.alignment import SIDE, Alignment, align, meet
from garim.copies.candidates import Candidate, candidates, turned
from garim.copies.fingerprints import Fingerprint, fingerprint
from garim.copies.prints import Prints
from garim.errors import PictureError
from garim.pictures import Pixels
from garim.streaming import stream, track

Kind = Literal["exact", "recompressed", "near", "flipped", "rotated", "cropped"]

KINDS: dict[Kind, str] = {
    "exact": "the same file",
    "recompressed": "the same picture, saved again or resized",
    "near": "the same picture, changed: brighter, a watermark",
    "flipped": "the mirror image",
    "rotated": "turned, by a quarter or a little",
    "cropped": "a part of the other, or the other in a border",
}
"""Kinds of copies."""

_UNCHANGED = 0.85
"""Agreement that mirror images and quarter turns need: nothing else is expected to be changed."""
_SAVED_AGAIN = 0.93
"""Similarity from which nothing but the file was changed."""
_SAME_CONTRAST = 0.04
_SAME_EXTENT = 0.97
_TURNED = 1.0
_SAME_TONE = 4.0
_KEPT = 512
"""Pictures whose pixels are kept while candidates are compared."""


@dataclass(frozen=True, slots=True)
class Copy:
    """Two pictures, by their numbers, that are copies."""

    first: int
    second: int
    kind: Kind
    similarity: float
    """How well their details agree, 0 to 1; 1 for the same file."""


def find_copies(
    paths: Sequence[Path | str],
    prints: Prints | Iterable[Fingerprint | None],
    root: Path | None = None,
) -> list[Copy]:
    """Find pairs of copies; of many copies of one picture not every pair is named.

    Args:
        paths: the pictures.
        prints: their fingerprints; None for those that cannot be opened.
        root: folder that the paths are relative to.
    """
    known = prints if isinstance(prints, Prints) else Prints(prints)
    numbers = np.flatnonzero(known.opened)
    ordered = numbers[np.argsort(known.digests[numbers], kind="stable")]
    again = known.digests[ordered[1:]] == known.digests[ordered[:-1]]
    same = zip(ordered[:-1][again].tolist(), ordered[1:][again].tolist(), strict=True)
    found = [Copy(a, b, "exact", 1.0) for a, b in same]
    different = np.sort(np.delete(ordered, np.flatnonzero(again) + 1))
    flat = known.flat[different]
    found += _of_one_tone(different[flat], known.tones)
    found += _laid_over(paths, root or Path(), known, different[~flat])
    return sorted(found, key=lambda copy: (copy.first, copy.second))


def copy_groups(paths: Sequence[Path]) -> list[int]:
    """Give each picture the number of its group; copies of copies share one.

    Pictures that cannot be opened are groups of their own.
    """
    prints = Prints()
    for _, result in track(stream(fingerprint, paths), "Looking for copies", len(paths)):
        prints.append(None if isinstance(result, PictureError) else result)
    return groups_of(len(paths), find_copies(paths, prints))


def groups_of(count: int, found: Iterable[Copy]) -> list[int]:
    """Give each of ``count`` pictures the number of its group, the first picture in it."""
    parent = list(range(count))
    for copy in found:
        one, other = sorted((_root(parent, copy.first), _root(parent, copy.second)))
        parent[other] = one
    return [_root(parent, index) for index in range(count)]


def _root(parent: list[int], index: int) -> int:
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = parent[index]
    return index


def _of_one_tone(flat: NDArray[np.int64], tones: NDArray[np.float64]) -> Iterator[Copy]:
    """Pair pictures without structure by their colour."""
    ordered = sorted(flat.tolist(), key=lambda number: tuple(tones[number]))
    for one, other in pairwise(ordered):
        apart = float(np.abs(tones[one] - tones[other]).max())
        if apart <= _SAME_TONE:
            low, high = sorted((one, other))
            yield Copy(low, high, "recompressed", 1 - apart / 255)


def _laid_over(
    paths: Sequence[Path | str], root: Path, prints: Prints, rich: NDArray[np.int64]
) -> Iterator[Copy]:
    """Compare the candidates' pixels."""
    found = candidates(prints, rich)
    done: set[tuple[int, int]] = set()

    @lru_cache(maxsize=_KEPT)
    def pixels(number: int) -> Pixels:
        image = pictures.open_picture(root / paths[number], at_least=SIDE).image
        small = cv2.resize(pictures.to_array(image), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        return np.asarray(small, dtype=np.uint8)

    def compared(one: Candidate) -> Alignment | None:
        if _ordered(one) in done:  # as a whole already
            return None
        first, second = prints[one.part], prints[one.whole]
        if first is None or second is None:
            return None
        start = meet(turned(first.thumbnail, one.turn), second.thumbnail, one.window)
        if start is None:
            return None
        part = turned(pixels(one.part), one.turn)
        return align(part, pixels(one.whole), start, (_shape(first, one.turn), second.size))

    jobs = track(stream(compared, found), "Comparing", len(found))
    for one, aligned in jobs:
        low, high = _ordered(one)
        if not isinstance(aligned, Alignment) or (one.turn and aligned.mean < _UNCHANGED):
            continue
        if (low, high) not in done:
            done.add((low, high))
            kind = _kind(one, aligned)
            yield Copy(low, high, kind, min(aligned.similarity, 1.0))


def _ordered(one: Candidate) -> tuple[int, int]:
    return min(one.whole, one.part), max(one.whole, one.part)


def _shape(one: Fingerprint, turn: int) -> tuple[int, int]:
    return one.size[::-1] if turn % 2 else one.size


def _kind(one: Candidate, aligned: Alignment) -> Kind:
    if one.turn >= 4:
        return "flipped"
    if one.turn or abs(aligned.angle) > _TURNED:
        return "rotated"
    if not _SAME_EXTENT < aligned.share < 1 / _SAME_EXTENT:
        return "cropped"
    unchanged = abs(np.log(max(aligned.gain, 1e-3))) < _SAME_CONTRAST
    return "recompressed" if unchanged and aligned.mean > _SAVED_AGAIN else "near"
