"""Looks at many pictures: what was measured stands in columns, a hundred bytes a picture."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from sys import intern

import numpy as np
from numpy.typing import NDArray

from garim.audit.look import Look
from garim.copies import Prints

MEASURES = ("bytes", "bright_end", "dark_end", "sharpness", "entropy")
"""Numbers of a `Look`."""


class Looks:
    """Looks in order; None for pictures that cannot be opened.

    Args:
        looks: the first ones; `append` adds more, until an array is asked for.
    """

    def __init__(self, looks: Iterable[Look | None] = ()) -> None:
        self.prints = Prints()
        self.modes: list[str] = []
        """Colour mode of each file; empty for those that cannot be opened."""
        self._measured = array("d")
        for one in looks:
            self.append(one)

    def append(self, one: Look | None) -> None:
        """Add one more."""
        self.prints.append(None if one is None else one.fingerprint)
        self.modes.append("" if one is None else intern(one.mode))
        self._measured.extend(np.nan if one is None else getattr(one, m) for m in MEASURES)

    def __len__(self) -> int:
        return len(self.prints)

    def __iter__(self) -> Iterator[Look | None]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> Look | None:
        fingerprint = self.prints[number]
        if fingerprint is None:
            return None
        size, *others = self._table()[number].tolist()
        known = dict(zip(MEASURES[1:], others, strict=True))
        return Look(fingerprint=fingerprint, bytes=int(size), mode=self.modes[number], **known)

    def _table(self) -> NDArray[np.float64]:
        return np.asarray(self._measured, dtype=np.float64).reshape(-1, len(MEASURES))

    def measure(self, name: str) -> NDArray[np.float64]:
        """Give one number of all looks, NaN where a picture cannot be opened."""
        return self._table()[:, MEASURES.index(name)]
