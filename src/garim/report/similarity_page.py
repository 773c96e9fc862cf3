"""Sheets of similarity: a query and what is like it; two pictures with their outlines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from garim import pictures
from garim.boxes import Box
from garim.errors import PictureError
from garim.report.charts import colour
from garim.report.sheet import compared_sheet
from garim.similarity import Answer, Comparison
from garim.similarity.compare import Seen
from garim.similarity.embeddings import cut

CELL = 200
"""Side of a picture on a sheet, in pixels."""


def answer_sheet(answers: Sequence[Answer]) -> Image.Image:
    """Show each query, and to its right what is like it, the most alike first (RGB)."""
    columns = 1 + max((len(one.neighbours) for one in answers), default=0)
    cards = [card for answer in answers for card in _cards(answer, columns)]
    return compared_sheet(cards, columns=columns, cell=CELL)


_Card = tuple[Sequence[tuple[Image.Image, str]], str]


def _cards(answer: Answer, columns: int) -> Iterator[_Card]:
    copies = {(one["picture"], one["root"]): one["kind"] for one in answer.already_here}
    yield [(_opened(answer.picture, answer.box), "query")], answer.picture.name
    for one in answer.neighbours:
        kind = copies.get((one.picture, str(one.root)))
        caption = f"{one.similarity:.3f} {one.label or one.path.name}"
        yield [(_opened(one.path, one.box), kind or "")], caption
    for _ in range(columns - 1 - len(answer.neighbours)):
        yield [(Image.new("RGB", (CELL, CELL), "white"), "")], ""


def _opened(path: Path, box: Box | None) -> Image.Image:
    try:
        image = pictures.open_picture(path, at_least=None if box else CELL)
        shown = image.image if box is None else cut(image, box, path)
    except PictureError:
        return pictures.blank(CELL)
    shown = shown.copy()
    shown.thumbnail((CELL, CELL))
    return shown


def comparison_sheet(comparison: Comparison) -> Image.Image:
    """Show both pictures with the outline of what stands out (RGB), and the outlines alone."""
    both = comparison.first, comparison.second
    rows: list[_Card] = [
        ([(_outlined(one, number), "")], one.path.name) for number, one in enumerate(both)
    ]
    values = "" if comparison.contour is None else f"height functions {comparison.contour:.3f}"
    hu = "" if comparison.hu is None else f"Hu I1 {comparison.hu['I1']:.3f}, "
    rows.append(([(_over_each_other(both), "")], hu + values or "no outline"))
    return compared_sheet(rows, columns=3, cell=2 * CELL)


def _outlined(seen: Seen, number: int) -> Image.Image:
    drawn = seen.pixels.copy()
    width = max(2, round(max(drawn.shape) / 200))
    if len(seen.contour):
        cv2.polylines(
            drawn, [seen.contour.reshape(-1, 1, 2)], True, colour(number), width, cv2.LINE_AA
        )
    return _fitted(Image.fromarray(drawn))


def _over_each_other(both: Sequence[Seen]) -> Image.Image:
    """Draw both outlines, moved and scaled to the same centre and area."""
    side = 2 * CELL
    drawn = np.full((side, side, 3), 255, np.uint8)
    for number, seen in enumerate(both):
        if len(seen.contour):
            points = seen.contour.astype(np.float64)
            moments = cv2.moments(seen.contour)
            centre = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
            scaled = (points - centre) * side / (1.8 * moments["m00"] ** 0.5) + side / 2
            line = [scaled.round().astype(np.int32).reshape(-1, 1, 2)]
            cv2.polylines(drawn, line, True, colour(number), 3, cv2.LINE_AA)
    return Image.fromarray(drawn)


def _fitted(image: Image.Image) -> Image.Image:
    """Enlarge or shrink smoothly, as a sheet would not."""
    scale = 2 * CELL / max(image.size)
    size = max(round(image.width * scale), 1), max(round(image.height * scale), 1)
    return image.resize(size, Image.Resampling.LANCZOS)
