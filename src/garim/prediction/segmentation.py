"""Masks of pictures: every pixel's class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import numpy as np
from PIL import Image

from garim import files, pictures
from garim.errors import PictureError
from garim.formats import placing
from garim.formats.rows import Row
from garim.given import place_of
from garim.growing import growing
from garim.models.palette import Mask, Palette, overlay
from garim.models.runtime import resolve
from garim.models.segmenter import Segmenter
from garim.pictures import Pixels
from garim.prediction.scoring import batched
from garim.prediction.settings import PredictSettings

AT_ONCE = 4
"""Pictures that are held at full size, besides those that wait to be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskPrediction:
    """What a segmenter said about one picture."""

    picture: str
    """File of the picture."""
    shares: dict[str, float]
    """Share of the picture's pixels that each class has, 0 to 1."""
    palette: Palette
    png: bytes
    """The mask as a palette PNG: class numbers with their colours."""

    @property
    def label(self) -> str:
        """The largest class but the first, the background; that where there is no other."""
        first, *others = self.shares
        largest = max(others, key=self.shares.__getitem__, default=first)
        return largest if self.shares[largest] else first

    def mask(self) -> Mask:
        """Give the class number of every pixel, uint8 ``(height, width)``."""
        return np.array(Image.open(BytesIO(self.png)))

    def to_dict(self) -> dict[str, Any]:
        """Give the prediction as it stands in ``--json``."""
        shares = {name: round(share, 6) for name, share in self.shares.items()}
        return {"picture": self.picture, "label": self.label, "shares": shares}

    def cells(self) -> dict[str, str | float]:
        """Give the prediction as one line of a table."""
        shares = {f"share_{name}": round(share, 6) for name, share in self.shares.items()}
        return {"picture": self.picture, "label": self.label, **shares}


class Masked(Protocol):
    """A prediction that can be shown as a mask."""

    @property
    def picture(self) -> str:
        """File of the picture."""

    @property
    def palette(self) -> Palette:
        """Colours of the mask's numbers."""

    @property
    def png(self) -> bytes:
        """The mask as it is written."""

    def mask(self) -> Mask:
        """Give a number for each pixel, 0 for nothing."""


def predict_masks(
    segmenter: Segmenter, paths: Sequence[Path], settings: PredictSettings
) -> Iterator[MaskPrediction | PictureError]:
    """Give every pixel of each picture a class, at the picture's full size.

    Raises:
        SettingsError: the runtime is not installed.
    """
    model = segmenter
    if settings.runtime is not None:
        model = model.with_runtime(resolve(settings.runtime, model.device, len(paths)))

    def opened(path: Path) -> tuple[Path, Pixels]:
        return path, pictures.to_array(pictures.open_picture(path).image)

    def judged(some: Sequence[tuple[Path, Pixels]]) -> list[MaskPrediction]:
        found = [(path, model.predict(pixels, settings.flip)) for path, pixels in some]
        return [_prediction(path, mask, model) for path, mask in found]

    return batched(opened, judged, paths, AT_ONCE, "Segmenting")


def _prediction(path: Path, mask: Mask, model: Segmenter) -> MaskPrediction:
    counts = np.bincount(mask.ravel(), minlength=len(model.classes))
    shares = dict(zip(model.classes, (counts / mask.size).tolist(), strict=True))
    return MaskPrediction(picture=str(path), shares=shares, palette=model.card.palette,
                          png=palette_png(mask, model.card.palette))  # fmt: skip


def palette_png(mask: Mask, palette: Palette) -> bytes:
    """Encode class numbers as a palette PNG."""
    image = Image.fromarray(mask).convert("P")
    image.putdata(mask.ravel())
    image.putpalette([value for colour in palette for value in colour])
    stream = BytesIO()
    image.save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def write_masks(rows: Sequence[Masked], folder: Path | str) -> None:
    """Write ``masks/<picture>.png`` and ``overlays/<picture>.jpg``; nothing is overwritten.

    Raises:
        DatasetError: the folder already holds something.
        PictureError: the disk refuses an overlay.
    """
    named = [Row(file_name=place_of(row.picture).as_posix()) for row in rows]
    names = placing.place(named, lambda row: PurePosixPath(row.file_name).stem + ".png")
    with growing(Path(folder), files.digest_of(["masks", names])) as target:
        for row, name in zip(rows, names, strict=True):
            files.write_bytes(target / "masks" / name, row.png)
            pixels = pictures.to_array(pictures.open_picture(Path(row.picture)).image)
            laid = Image.fromarray(overlay(pixels, row.mask(), row.palette))
            pictures.save(laid, (target / "overlays" / name).with_suffix(".jpg"))
