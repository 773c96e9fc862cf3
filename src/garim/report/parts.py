"""Parts that several pages share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from garim import pictures
from garim.boxes import Box
from garim.errors import Failure, PictureError
from garim.plan import Plan
from garim.report.page import Picture, Section, Table
from garim.report.sheet import LabelledBox, draw_boxes

SHOWN = 60
"""Pictures in a gallery; the plan itself, or ``--json``, lists all."""

SIDE = 240
"""Longest side of a thumbnail in pixels."""


_Item = TypeVar("_Item")


def evenly(items: Sequence[_Item], most: int) -> list[_Item]:
    """Choose ``most`` items at even distances, or all of fewer, in their order."""
    step = max(len(items) / most, 1)
    return [items[int(at * step)] for at in range(min(len(items), most))]


def shown(path: Path, box: Box | None, label: str) -> tuple[Picture, ...]:
    """Give a picture with its box, and the crop beside it."""
    try:
        opened = pictures.open_picture(path, at_least=2 * SIDE)
    except PictureError:
        return (Picture.of(pictures.blank(SIDE), f"{path.name} cannot be opened"),)
    small = opened.image.copy()
    small.thumbnail((SIDE, SIDE))
    box = None if box is None else box.clip(*opened.size)
    if box is None or box.is_degenerate:
        return (Picture.of(small, f"{path.name}, {label}"),)
    scale = small.width / opened.size[0], small.height / opened.size[1]
    drawn = draw_boxes(small, [LabelledBox(box)], scale)
    ratio = SIDE / max(box.width, box.height)
    crop = opened.crop(box, (max(1, round(box.width * ratio)), max(1, round(box.height * ratio))))
    return Picture.of(drawn, f"{path.name} with its box"), Picture.of(crop, f"the part: {label}")


def boxed(path: Path, marks: Sequence[LabelledBox], what: str = "") -> Picture:
    """Give a picture with boxes drawn on it; ``what`` says which, for those who cannot see it."""
    try:
        opened = pictures.open_picture(path, at_least=2 * SIDE)
    except PictureError:
        return Picture.of(pictures.blank(SIDE), f"{path.name} cannot be opened")
    small = opened.image.copy()
    small.thumbnail((2 * SIDE, 2 * SIDE))
    scale = small.width / opened.size[0], small.height / opened.size[1]
    alt = f"{path.name}, {what}" if what else path.name
    return Picture.of(draw_boxes(small, marks, scale), alt, 2 * SIDE)


def is_scored(plan: Plan) -> bool:
    """Tell whether a model gave a plan's scores; without one, a box has 1 for a score."""
    return plan.model is not None or any(edit.score_before is not None for edit in plan)


def failed(failures: Sequence[Failure]) -> list[Section]:
    """List what was left out, if anything was."""
    if not failures:
        return []
    table = Table(("Picture", "Reason"), tuple((one.picture, one.error) for one in failures))
    return [Section("Could not be used", (table,), "The run went on without these.")]
