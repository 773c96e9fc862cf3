"""Objects of pictures, each with a mask of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from garim import pictures
from garim.boxes import Box
from garim.errors import PictureError
from garim.models.instance_segmenter import FoundObject, InstanceSegmenter
from garim.models.palette import Mask, Palette, voc_palette
from garim.pictures import Pixels
from garim.prediction.scoring import batched
from garim.prediction.segmentation import AT_ONCE
from garim.prediction.settings import PredictSettings

LEAST = 0.5
"""Least score of an object where `--least` says nothing."""

NOTHING = "nothing"
"""Label of a picture in which no object is found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectsPrediction:
    """What an instance segmenter said about one picture."""

    picture: str
    """File of the picture."""
    objects: tuple[tuple[str, float, Box], ...]
    """Label, score and box of each object, the surest first."""
    png: bytes
    """Which object each pixel belongs to, from 1, as a grey PNG of 16 bits."""

    @property
    def label(self) -> str:
        """The most frequent label."""
        counted = Counter(label for label, _, _ in self.objects).most_common(1)
        return counted[0][0] if counted else NOTHING

    @property
    def palette(self) -> Palette:
        """Colours of the objects; they repeat."""
        return voc_palette(256)

    def ids(self) -> NDArray[np.uint16]:
        """Give the number of the object at each pixel, from 1; 0 for none."""
        return np.array(Image.open(BytesIO(self.png))).astype(np.uint16)

    def mask(self) -> Mask:
        """Give a colour number for each pixel, by its object; 0 for none."""
        ids = self.ids()
        return np.where(ids, (ids - 1) % 255 + 1, 0).astype(np.uint8)

    def to_dict(self) -> dict[str, Any]:
        """Give the prediction as it stands in ``--json``."""
        objects = [{"label": label, "score": round(score, 6), "bbox": list(box.xywh())}
                   for label, score, box in self.objects]  # fmt: skip
        return {"picture": self.picture, "label": self.label, "objects": objects}

    def cells(self) -> dict[str, str | float]:
        """Give the prediction as one line of a table."""
        return {"picture": self.picture, "label": self.label, "objects": len(self.objects)}


def predict_objects(
    model: InstanceSegmenter, paths: Sequence[Path], settings: PredictSettings
) -> Iterator[ObjectsPrediction | PictureError]:
    """Find the objects of each picture."""

    def opened(path: Path) -> tuple[Path, Pixels]:
        return path, pictures.to_array(pictures.open_picture(path).image)

    def judged(some: Sequence[tuple[Path, Pixels]]) -> list[ObjectsPrediction]:
        found = [(path, pixels, model.predict(pixels, settings.least or LEAST))
                 for path, pixels in some]  # fmt: skip
        return [_prediction(path, pixels, objects) for path, pixels, objects in found]

    return batched(opened, judged, paths, AT_ONCE, "Finding objects")


def _prediction(path: Path, pixels: Pixels, found: Sequence[FoundObject]) -> ObjectsPrediction:
    ids = np.zeros(pixels.shape[:2], np.uint16)
    for number, one in reversed(list(enumerate(found, start=1))):  # the surest on top
        ids[one.mask] = number
    stream = BytesIO()
    Image.fromarray(ids).save(stream, format="PNG")
    return ObjectsPrediction(
        picture=str(path), objects=tuple((one.label, one.score, one.box) for one in found),
        png=stream.getvalue(),
    )  # fmt: skip
