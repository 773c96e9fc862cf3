"""Masks that were made from labels, laid over their pictures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from garim import pictures
from garim.extraction.masks import MadeMasks
from garim.models.palette import overlay, voc_palette
from garim.models.segmenter import at_working_size
from garim.report.sheet import image_sheet

SHOWN = 24
"""Pictures on the sheet, drawn evenly from all."""

SIDE = 320
"""Their longest side in pixels."""


def masks_sheet(found: MadeMasks) -> Image.Image:
    """Show some of the masks, each beside its picture; void is light."""
    return image_sheet(_shown(found), columns=4, cell=SIDE)


def _shown(found: MadeMasks) -> Iterator[tuple[Image.Image, str]]:
    step = max(1, len(found.pictures) // SHOWN)
    palette = voc_palette(256)
    for name in found.pictures[::step][:SHOWN]:
        picture = pictures.to_array(pictures.open_picture(found.to / name).image)
        mask, _ = pictures.open_mask(found.mask_of(name))
        both = np.hstack([picture, overlay(picture, mask, palette)])
        yield Image.fromarray(at_working_size(both, SIDE)), name.name
