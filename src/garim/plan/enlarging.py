"""Crops that are small may be enlarged as they are cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from garim.boxes import Box
from garim.errors import SettingsError
from garim.pictures import Change


class Enlarger(Protocol):
    """Makes larger pictures, in any mode; ``garim.enlarger()`` gives one."""

    @property
    def scale(self) -> int:
        """How many times as long the sides become."""

    def __call__(self, image: Image.Image) -> Image.Image:
        """Enlarge a picture."""


@dataclass(frozen=True, slots=True)
class SmallCrops:
    """Which crops are enlarged, and by what."""

    below: int
    """Crops whose shorter side has fewer pixels are."""
    enlarger: Enlarger

    def scale(self, part: Box) -> int:
        """Give how many times as long the sides of a crop become."""
        return self.enlarger.scale if min(part.width, part.height) < self.below else 1

    def change(self, part: Box) -> Change | None:
        """Give what is done to a crop."""
        return self.enlarger if self.scale(part) > 1 else None


def small_crops(below: int, enlarger: Enlarger | None) -> SmallCrops | None:
    """Set up what is enlarged; None if nothing is.

    Raises:
        SettingsError: small crops are to be enlarged, and nothing does it.
    """
    if below < 0:
        raise SettingsError([f"enlarge_below must be at least 0, not {below}"])
    if not below:
        return None
    if enlarger is None:
        raise SettingsError(["enlarge_below needs what enlarges: enlarger=garim.enlarger()"])
    return SmallCrops(below, enlarger)
