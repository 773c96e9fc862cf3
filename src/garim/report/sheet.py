"""Contact sheets: many pictures on one, plain, before and after, and round by round.

Pictures are opened one at a time, at the smallest DCT scale that serves, and only their thumbnails
are kept. A picture that cannot be read gets a pale cell with a cross, and the sheet goes on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from garim import files, pictures
from garim.boxes import Box
from garim.errors import Failure, PictureError, SettingsError
from garim.pictures import Decoded
from garim.report.charts import Colour, colour, font_file

_PAPER, _CARD, _HAIRLINE = (244, 245, 247), (255, 255, 255), (225, 228, 233)
_PALE, _FAINT, _INK, _HALO = (238, 239, 242), (176, 181, 190), (48, 52, 60), (18, 18, 22)
_SUPERSAMPLING = 4
_GAP, _PADDING = 40, 16


@dataclass(frozen=True, slots=True)
class Sheet:
    """A finished sheet (RGB) and the pictures that could not be shown on it."""

    image: Image.Image
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """A box to draw, in pixels of the full upright picture."""

    box: Box
    label: str = ""
    """Shown on a chip; nothing is shown when empty, or when no font has its letters."""
    colour: int = 0
    """Index of the class (or round), which chooses the colour."""


def contact_sheet(
    paths: Iterable[Path | None],
    *,
    columns: int = 10,
    cell: int = 100,
    boxes: Mapping[Path, Sequence[LabelledBox]] | None = None,
) -> Sheet:
    """Lay pictures out on white, ``columns`` per row, each fitted into ``cell × cell`` pixels.

    Thumbnails equal ``PIL.ImageOps.pad``: aspect ratio kept, centred, small pictures enlarged. None
    leaves a cell empty.
    ``boxes`` are drawn on the pictures they name.
    """
    _check(columns, cell)
    failures: list[Failure] = []
    cells: list[Image.Image | None] = []
    for path in paths:
        if path is None:
            cells.append(None)
            continue
        marks = (boxes or {}).get(path, ())
        cells.append(_thumbnail(_opened(path, cell, (), failures), cell, marks, cell >= 160))
    rows = max(math.ceil(len(cells) / columns), 1)
    canvas = Image.new("RGB", (columns * cell, rows * cell), "white")
    for index, image in enumerate(cells):
        if image is None:
            continue
        padded = ImageOps.pad(image, (cell, cell), color="white")
        canvas.paste(padded, (index % columns * cell, index // columns * cell))
    return Sheet(canvas, tuple(failures))


def before_after(
    pairs: Iterable[tuple[Path, Box | None, str]], *, columns: int = 3, cell: int = 200
) -> Sheet:
    """Show each picture with its proposed box, an arrow, the crop, and a caption beneath.

    Without a box the crop's place stays empty. Captions that are too long end in "…"; one whose
    letters no font on this machine has is left out.
    """
    _check(columns, cell)
    failures: list[Failure] = []
    cards = [(_story(path, [box], cell, failures), files.nfc(text)) for path, box, text in pairs]
    return Sheet(_cards(cards, columns), tuple(failures))


def captioned_sheet(
    items: Iterable[tuple[Path, str, str]], *, columns: int = 6, cell: int = 200
) -> Sheet:
    """Show each picture with a short mark in its corner and a caption beneath.

    ``items`` are picture, mark and caption. Captions are shortened as in `before_after`.
    """
    _check(columns, cell)
    failures: list[Failure] = []
    cards = []
    for path, mark, text in items:
        tile = _thumbnail(_opened(path, cell, (), failures), cell, (), False)
        strip = Image.new("RGB", (cell, cell), _CARD)
        corner = (cell - tile.width) // 2, (cell - tile.height) // 2
        _frame(strip, tile, corner)
        _chip(strip, mark, (corner[0] + 5, corner[1] + 5), colour(0))
        cards.append((strip, files.nfc(text)))
    return Sheet(_cards(cards, columns), tuple(failures))


def compared_sheet(
    rows: Iterable[tuple[Sequence[tuple[Image.Image, str]], str]], *, columns: int = 1, cell: int
) -> Image.Image:
    """Show versions of the same picture side by side, pixel by pixel, a caption beneath.

    ``rows`` are the versions, each with a short mark in its corner, and the caption. Small pictures
    are enlarged without smoothing.
    """
    _check(columns, cell)
    cards = []
    for versions, text in rows:
        strip = Image.new("RGB", (len(versions) * (cell + _PADDING) - _PADDING, cell), _CARD)
        for index, (image, mark) in enumerate(versions):
            tile = ImageOps.contain(image, (cell, cell), Image.Resampling.NEAREST)
            _chip(tile, mark, (5, 5), colour(index))
            _frame(strip, tile, (index * (cell + _PADDING), (cell - tile.height) // 2))
        cards.append((strip, files.nfc(text)))
    return _cards(cards, columns)


def image_sheet(
    items: Iterable[tuple[Image.Image, str]], *, columns: int = 4, cell: int = 320
) -> Image.Image:
    """Show pictures that are in memory, RGB, each with a caption beneath."""
    _check(columns, cell)
    cards = []
    for image, text in items:
        tile = ImageOps.contain(image, (cell, cell))
        strip = Image.new("RGB", (cell, cell), _CARD)
        _frame(strip, tile, ((cell - tile.width) // 2, (cell - tile.height) // 2))
        cards.append((strip, text))
    return _cards(cards, columns)


def rounds_sheet(
    rows: Iterable[tuple[Path, Sequence[Box | None]]], *, columns: int = 1, cell: int = 160
) -> Sheet:
    """Show each picture with the boxes of all rounds, then its crop after round 1, 2, 3 …

    A round's number on its crop has the colour of its box. All boxes are in pixels of the full
    picture; a round without a box (None) stays empty.
    """
    _check(columns, cell)
    failures: list[Failure] = []
    cards = [(_story(path, boxes, cell, failures, numbered=True), "") for path, boxes in rows]
    return Sheet(_cards(cards, columns), tuple(failures))


def draw_boxes(
    image: Image.Image,
    boxes: Sequence[LabelledBox],
    scale: tuple[float, float] = (1.0, 1.0),
    *,
    chips: bool = True,
) -> Image.Image:
    """Draw boxes on a copy of an RGB picture: a coloured line inside the box, a dark halo around.

    Args:
        image: the picture, perhaps smaller than the full one.
        boxes: in pixels of the full picture; a degenerate or outside box is left out.
        scale: pixels of ``image`` per full pixel, along x and y.
        chips: whether labels are written.
    """
    canvas, corners = image.copy(), []
    draw, line = ImageDraw.Draw(canvas), max(2, round(max(image.size) / 130))
    for item in boxes:
        part = item.box.scale(*scale).clip(*canvas.size).rounded()
        if not part.is_degenerate:
            left, top, right, bottom = (int(v) for v in part.xyxy())
            draw.rectangle((left - 1, top - 1, right, bottom), outline=_HALO, width=line + 2)
            inner = (left, top, right - 1, bottom - 1)
            draw.rectangle(inner, outline=colour(item.colour), width=line)
            corners.append((item, left, top))
    for item, left, top in corners if chips else ():
        _chip(canvas, item.label, (left, top), colour(item.colour))
    return canvas


def _check(columns: int, cell: int) -> None:
    problems = [f"a sheet needs at least 1 column, but got {columns}"] if columns < 1 else []
    if cell < 16:
        problems.append(f"a sheet needs cells of at least 16 pixels, but got {cell}")
    if problems:
        raise SettingsError(problems)


def _opened(
    path: Path, cell: int, boxes: Sequence[Box | None], failures: list[Failure]
) -> Decoded | None:
    """Open a picture so that each box still has ``cell`` pixels, where the picture has them."""
    try:
        at_least = cell
        sides = [max(box.width, box.height) for box in boxes if box and not box.is_degenerate]
        if sides:
            head = pictures.header(path)
            at_least = math.ceil(cell * min(head.width, head.height) / min(sides))
        return pictures.open_picture(path, max(at_least, cell))
    except PictureError as error:
        failures.append(Failure(str(path), error.reason))
        return None


def _thumbnail(
    decoded: Decoded | None, cell: int, boxes: Sequence[LabelledBox], chips: bool
) -> Image.Image:
    if decoded is None:
        return _blank(cell, cross=True)
    image = ImageOps.contain(decoded.image, (cell, cell))
    scale = image.width / decoded.size[0], image.height / decoded.size[1]
    return draw_boxes(image, boxes, scale, chips=chips) if boxes else image


def _blank(cell: int, *, cross: bool = False) -> Image.Image:
    """Give a pale cell, with a cross for a broken picture or a dash for a missing box."""
    big = cell * _SUPERSAMPLING
    image = Image.new("RGB", (big, big), _PALE)
    draw, near, far = ImageDraw.Draw(image), big * 0.4, big * 0.6
    ends = (
        [(near, near, far, far), (near, far, far, near)]
        if cross
        else [(near, big / 2, far, big / 2)]
    )
    for end in ends:
        draw.line(end, fill=_FAINT, width=max(big // 40, 2 * _SUPERSAMPLING))
    return image.resize((cell, cell), Image.Resampling.LANCZOS)


def _story(
    path: Path,
    boxes: Sequence[Box | None],
    cell: int,
    failures: list[Failure],
    numbered: bool = False,
) -> Image.Image:
    """Set the picture with its boxes and its crops in a row, arrows between."""
    decoded = _opened(path, cell, boxes, failures)
    marks = [LabelledBox(box, "", index) for index, box in enumerate(boxes) if box]
    tiles = [_thumbnail(decoded, cell, marks, False)]
    for index, box in enumerate(boxes):
        tile = _crop(decoded, box, cell)
        if numbered:
            _chip(tile, str(index + 1), (5, 5), colour(index))
        tiles.append(tile)
    strip = Image.new("RGB", (len(tiles) * (cell + _GAP) - _GAP, cell), _CARD)
    for index, tile in enumerate(tiles):
        x = index * (cell + _GAP) + (cell - tile.width) // 2
        _frame(strip, tile, (x, (cell - tile.height) // 2))
        if index:
            strip.paste(_arrow(), (index * (cell + _GAP) - _GAP, cell // 2 - _GAP // 2))
    return strip


def _frame(strip: Image.Image, tile: Image.Image, corner: tuple[int, int]) -> None:
    """Paste a tile with round corners and a hairline, which white pictures need on white."""
    strip.paste(_HAIRLINE, corner, _rounded(tile.size, 8))
    if min(tile.size) > 2:
        inner = tile.crop((1, 1, tile.width - 1, tile.height - 1))
        strip.paste(inner, (corner[0] + 1, corner[1] + 1), _rounded(inner.size, 7))


def _crop(decoded: Decoded | None, box: Box | None, cell: int) -> Image.Image:
    if decoded is None:
        return _blank(cell, cross=True)
    part = box.clip(*decoded.size) if box else None
    if part is None or part.is_degenerate:
        return _blank(cell)
    shrink = cell / max(part.width, part.height)
    size = max(round(part.width * shrink), 1), max(round(part.height * shrink), 1)
    return decoded.crop(part, size)


def _cards(cards: Sequence[tuple[Image.Image, str]], columns: int) -> Image.Image:
    """Put strips on white cards, the captions beneath, on subtle paper."""
    columns = max(min(columns, len(cards)), 1)
    below = 30 if any(_font(text, 15) for _, text in cards if text) else 0
    width = max((strip.width for strip, _ in cards), default=0) + 2 * _PADDING
    height = max((strip.height for strip, _ in cards), default=0) + 2 * _PADDING + below
    step_x, step_y = width + _PADDING, height + _PADDING
    rows = max(math.ceil(len(cards) / columns), 1)
    canvas = Image.new("RGB", (columns * step_x + _PADDING, rows * step_y + _PADDING), _PAPER)
    for index, (strip, text) in enumerate(cards):
        row, column = divmod(index, columns)
        x, y = column * step_x + _PADDING, row * step_y + _PADDING
        canvas.paste(_HAIRLINE, (x, y), _rounded((width, height), 14))
        canvas.paste(_CARD, (x + 1, y + 1), _rounded((width - 2, height - 2), 13))
        canvas.paste(strip, (x + _PADDING, y + _PADDING))
        foot = (x + width / 2, y + _PADDING + strip.height + 9)
        _caption(canvas, text, foot, width - 2 * _PADDING)
    return canvas


def _caption(canvas: Image.Image, text: str, top: tuple[float, float], width: float) -> None:
    """Write a text centred beneath ``top``, shortened to ``width`` pixels."""
    font = _font(text, 15)
    if font is None or not text:
        return
    shown = text
    while font.getlength(shown) > width and len(shown) > 1:
        shown = shown.removesuffix("…")[:-1].rstrip() + "…"
    ImageDraw.Draw(canvas).text(top, shown, fill=_INK, font=font, anchor="ma")


def _chip(canvas: Image.Image, text: str, corner: tuple[int, int], fill: Colour) -> None:
    """Write a label on a small coloured plate above ``corner``, or below where there is no room."""
    text = files.nfc(text)
    size = min(max(round(max(canvas.size) / 32), 11), 22)
    font = _font(text, size)
    if font is None or not text:
        return
    width, height = round(font.getlength(text)) + size, round(size * 1.5)
    x = max(min(corner[0], canvas.width - width), 0)
    y = corner[1] - height if corner[1] >= height else corner[1]
    canvas.paste(fill, (x, y), _rounded((width, height), size // 3))
    ink = _HALO if 0.299 * fill[0] + 0.587 * fill[1] + 0.114 * fill[2] > 135 else "white"
    middle = x + width / 2, y + height / 2
    ImageDraw.Draw(canvas).text(middle, text, fill=ink, font=font, anchor="mm")


@cache
def _arrow() -> Image.Image:
    """Draw an arrow to the right in the middle of a ``_GAP``-sized square."""
    big = _GAP * _SUPERSAMPLING
    image = Image.new("RGB", (big, big), _CARD)
    draw, middle, width = ImageDraw.Draw(image), big / 2, round(big * 0.06)
    tip = big * 0.72
    draw.line((big * 0.26, middle, tip, middle), fill=_FAINT, width=width)
    for side in (-1, 1):
        draw.line((big * 0.54, middle + side * big * 0.18, tip, middle), fill=_FAINT, width=width)
    return image.resize((_GAP, _GAP), Image.Resampling.LANCZOS)


@lru_cache(maxsize=256)
def _rounded(size: tuple[int, int], radius: int) -> Image.Image:
    """Give a mask with antialiased round corners."""
    big = size[0] * _SUPERSAMPLING, size[1] * _SUPERSAMPLING
    mask = Image.new("L", big, 0)
    whole = 0, 0, big[0] - 1, big[1] - 1
    ImageDraw.Draw(mask).rounded_rectangle(whole, radius * _SUPERSAMPLING, fill=255)
    return mask.resize(size, Image.Resampling.LANCZOS)


@lru_cache(maxsize=4096)
def _font(text: str, size: int) -> ImageFont.FreeTypeFont | None:
    found = font_file(text)
    return ImageFont.truetype(str(found[0]), size, index=found[1]) if found else None
