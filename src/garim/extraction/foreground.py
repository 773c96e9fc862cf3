"""The foreground as an extraction method: a box around the largest region; no model is needed."""

from __future__ import annotations

import cv2

from garim.boxes import Box
from garim.extraction.regions import Found, RegionMethod
from garim.extraction.settings import ExtractSettings
from garim.foreground import METHODS, contours, foreground
from garim.models.classifier import Classifier
from garim.pictures import Pixels

LEAST = 0.1
"""Regions that enclose less than this share of what the largest does are no objects."""


def by_foreground(classifier: Classifier | None, settings: ExtractSettings) -> RegionMethod:
    """Set up the method; with a classifier, the largest region that shows the label is taken."""
    settings.foreground.check(tuple(METHODS))

    def find(pixels: Pixels) -> Found:
        found = contours(foreground(pixels, settings.foreground))
        largest = cv2.contourArea(found[0]) if found else 0
        shapes = [one for one in found if cv2.contourArea(one) >= LEAST * largest]
        boxes = tuple(Box.from_xywh(cv2.boundingRect(one)) for one in shapes)
        return Found(boxes, "nothing stands out from the background")

    return RegionMethod(find, "the largest region of the foreground", classifier, settings,
                        2 * settings.foreground.longest)  # fmt: skip
