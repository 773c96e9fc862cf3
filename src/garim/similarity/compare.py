"""``garim compare``: how alike are two pictures, by outline, by content and by pixels?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from garim import pictures
from garim.copies import KINDS, Copy, find_copies, fingerprint
from garim.foreground import Contour, ForegroundSettings, foreground, largest_contour
from garim.models.classifier import Classifier
from garim.models.embedder import Embedder
from garim.pictures import Pixels
from garim.similarity.contours import height_distance, heights, hu_distances
from garim.similarity.embeddings import embedder_of, square
from garim.similarity.settings import EmbedSettings

LONGEST = 640
"""Longest side in pixels at which outlines are compared."""

BITS = 64
"""Bits of a perceptual hash."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture, and the outline of its foreground."""

    path: Path
    pixels: Pixels
    contour: Contour
    """In pixels of ``pixels``; empty where nothing stands out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two pictures compared."""

    first: Seen
    second: Seen
    hu: dict[str, float] | None
    """Distances of the outlines' Hu moments, by ``cv2.matchShapes``: I1, I2, I3; 0 for the same.
    None where one of the pictures has no outline."""
    contour: float | None
    """Distance of the outlines by their height functions; 0 for the same."""
    embedding: float | None
    """Cosine of the embeddings, −1 to 1; None without a model."""
    phash: int
    """Bits in which the perceptual hashes differ, 0 to 64."""
    copy: Copy | None
    """What kind of copy one is of the other, if it is one."""

    def to_dict(self) -> dict[str, Any]:
        """Give the comparison as it stands in ``--json``."""
        copy = self.copy and {"kind": self.copy.kind, "similarity": round(self.copy.similarity, 6)}
        return {
            "pictures": [str(self.first.path), str(self.second.path)],
            "hu": self.hu and {name: round(value, 6) for name, value in self.hu.items()},
            "contour": None if self.contour is None else round(self.contour, 6),
            "embedding": None if self.embedding is None else round(self.embedding, 6),
            "phash": self.phash,
            "copy": copy,
        }

    def sentences(self) -> list[str]:
        """Say what each number means."""
        said = []
        if self.hu is None or self.contour is None:
            bare = [s.path.name for s in (self.first, self.second) if not len(s.contour)]
            said.append(f"No outline: nothing stands out from the background in {', '.join(bare)}.")
        else:
            values = ", ".join(f"{name} {value:.4f}" for name, value in self.hu.items())
            said.append(f"Outlines by Hu moments: {values}. 0 is the same outline; there is no "
                        "upper end, and other things may come near 0 by chance.")  # fmt: skip
            said.append(f"Outlines by height functions: {self.contour:.4f}. 0 is the same outline, "
                        "in any place, size and turn; another view of a thing has another one."
                        )  # fmt: skip
        if self.embedding is not None:
            said.append(f"Content by the model: {self.embedding:.4f}. 1 is the same; what else is "
                        "near depends on the model: compare with pairs that you know.")  # fmt: skip
        chance = f"{BITS} bits, of which half differ by chance"
        said.append(f"Layout by perceptual hash: {self.phash} of {chance}.")
        said.append("Pixels: " + self._verdict())
        return said

    def _verdict(self) -> str:
        if self.copy is None:
            return "neither is a copy of the other."
        return (
            f"copies ({KINDS[self.copy.kind]}); their details agree by {self.copy.similarity:.3f}."
        )


def compare(
    first: Path | str,
    second: Path | str,
    model: Classifier | Embedder | None = None,
    outlines: ForegroundSettings | None = None,
    network: EmbedSettings | None = None,
) -> Comparison:
    """Compare two pictures.

    Args:
        first: a file.
        second: another.
        model: for the embeddings: a classifier or an embedder.
        outlines: how the foreground is found.
        network: where embeddings come from without a model; without its ``weights`` there are none.

    Raises:
        PictureError: a picture cannot be opened.
        ModelError: the network or its weights cannot be had.
    """
    paths, how = [Path(first), Path(second)], network or EmbedSettings()
    seen = [look(path, outlines) for path in paths]
    hu = contour = cosine = None
    if all(len(one.contour) for one in seen):
        hu = hu_distances(seen[0].contour, seen[1].contour)
        contour = height_distance(heights(seen[0].contour), heights(seen[1].contour))
    if model is not None or how.weights is not None:
        embedder = embedder_of(model, how)
        one, other = embedder(np.stack([square(path, None, embedder.side) for path in paths]))
        cosine = float(one @ other)
    prints = [fingerprint(path) for path in paths]
    copies = find_copies(paths, prints)
    apart = int((phash(prints[0].thumbnail) != phash(prints[1].thumbnail)).sum())
    return Comparison(
        first=seen[0], second=seen[1], hu=hu, contour=contour, embedding=cosine, phash=apart,
        copy=copies[0] if copies else None,
    )  # fmt: skip


def look(path: Path, settings: ForegroundSettings | None = None) -> Seen:
    """Open a picture and outline its foreground.

    Raises:
        PictureError: it cannot be opened.
    """
    image = pictures.open_picture(path, at_least=LONGEST).image
    image.thumbnail((LONGEST, LONGEST))
    pixels = pictures.to_array(image)
    contour = largest_contour(foreground(pixels, settings))
    encloses = len(contour) > 2 and cv2.contourArea(contour) > 0
    return Seen(path, pixels, contour if encloses else contour[:0])


def phash(thumbnail: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Hash 32 × 32 grey values by the signs of their lowest frequencies: 64 bits.

    The hash of the `imagehash` package's ``phash`` (Zauner 2010), for such a thumbnail.
    """
    lowest = cv2.dct(thumbnail.astype(np.float32))[:8, :8]
    return np.asarray(lowest > np.median(lowest)).reshape(-1)
