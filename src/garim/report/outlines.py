"""Sheets that show how outlines come about, and what the background does to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from garim import pictures
from garim.dataset import Dataset
from garim.errors import PictureError
from garim.extraction.contour import THRESHOLDS, trace
from garim.extraction.settings import ContourSettings, ExtractSettings
from garim.foreground import Contour, ForegroundSettings, Outlines
from garim.pictures import Pixels
from garim.report.sheet import image_sheet

SHOWN = 8
"""Pictures of a dataset whose steps are shown."""
COLOUR = (230, 30, 60)


def contour_steps(dataset: Dataset, settings: ExtractSettings, to: Path) -> list[Path]:
    """Write a sheet of the contour crop's steps for each of the first pictures of a dataset.

    Pictures that cannot be opened are passed over; the extraction names them.
    """
    written = []
    for number, row in enumerate(dataset.rows[:SHOWN], start=1):
        try:
            pixels = pictures.to_array(pictures.open_picture(dataset.path(row)).image)
        except PictureError:
            continue
        path = to / f"{number:02}-{Path(row.file_name).stem}.png"
        pictures.save(steps_sheet(pixels, settings.contour, settings.foreground), path)
        written.append(path)
    return written


def steps_sheet(pixels: Pixels, settings: ContourSettings, how: ForegroundSettings) -> Image.Image:
    """Draw the intermediate pictures of the contour crop of one picture."""
    steps = trace(pixels, settings, how).steps
    return image_sheet([(_rgb(one.picture), one.caption) for one in steps])


def thresholds_sheet(pixels: Pixels, settings: ContourSettings | None = None) -> Image.Image:
    """Draw one picture under every threshold, without trimming, and the box that each gives."""
    base = replace(settings or ContourSettings(), preset="document", trim_top=0, trim_bottom=0,
                   trim_sides=0)  # fmt: skip
    shown: list[tuple[Image.Image, str]] = [(Image.fromarray(pixels), "picture")]
    boxes: list[tuple[Image.Image, str]] = [(Image.fromarray(pixels), "")]
    for name in THRESHOLDS:
        steps = trace(pixels, replace(base, threshold=name), ForegroundSettings()).steps
        binary = next((one for one in steps if one.caption == f"{name} threshold"), steps[0])
        shown.append((_rgb(binary.picture), binary.caption))
        boxes.append((_rgb(steps[-1].picture), f"box by {name}"))
    return image_sheet([*shown, *boxes], columns=len(shown))


def outlines_sheet(pixels: Pixels, outlines: Outlines) -> Image.Image:
    """Draw a picture's outlines by grey value and by its foreground, side by side."""
    return image_sheet([
        (Image.fromarray(pixels), "picture"),
        (drawn(pixels, outlines.grey), f"grey value: {len(outlines.grey)} outlines"),
        (drawn(pixels, outlines.foreground), f"foreground: {len(outlines.foreground)} outlines"),
    ], columns=3)  # fmt: skip


def drawn(pixels: Pixels, found: Sequence[Contour]) -> Image.Image:
    """Draw outlines on a copy of a picture."""
    canvas = np.ascontiguousarray(pixels).copy()
    cv2.drawContours(canvas, list(found), -1, COLOUR, max(max(canvas.shape) // 250, 1))
    return Image.fromarray(canvas)


def _rgb(picture: Pixels) -> Image.Image:
    return Image.fromarray(picture).convert("RGB")
