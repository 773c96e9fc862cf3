"""One self-contained HTML page: key numbers, tables, charts and pictures, with nothing outside.

The page loads no script, font or picture from anywhere, and its content security policy says so.
Every text is escaped; only `charts` can put markup on a page.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Literal

from markupsafe import Markup
from PIL import Image, features

from garim import files
from garim.report.charts import environment, numbers

THUMBNAIL_SIDE = 240
"""Longest side of an embedded picture, in pixels."""

THUMBNAIL_QUALITY = 80
"""WebP (or JPEG) quality of embedded pictures."""

MOST_VERSIONS = 4
"""Versions of a picture that the stylesheet can flip between."""

Cell = str | int | float | bool | None
"""What a table's cell may hold; numbers are written by `charts.number` and aligned right."""

Tone = Literal["plain", "good", "warning", "bad"]
"""The mood of a badge or a note, shown by its colour."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One key number."""

    name: str
    value: Cell
    meaning: str = ""
    """What it means, in a few words."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Key numbers, shown big, side by side."""

    items: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table; a column is aligned right where all its values are numbers (or missing)."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{len(self.columns)} columns, but a row of {len(row)}: {row}")

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Whether each column holds numbers only."""
        columns = zip(*self.rows, strict=True) if self.rows else ((),) * len(self.columns)
        return tuple(bool(column) and all(map(_is_number, column)) for column in columns)

    @property
    def texts(self) -> list[tuple[str, ...]]:
        """The rows as they are written: each column's numbers with the same decimals."""
        columns = [numbers(column) for column in zip(*self.rows, strict=True)]
        return list(zip(*columns, strict=True))


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart made by `garim.report.charts`; a plain string would be escaped."""

    html: Markup
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture inside the page."""

    uri: str
    """A ``data:`` URI; see `thumbnail_uri`."""
    alt: str
    """What it shows, for those who cannot see it."""
    size: tuple[int, int]
    """Width and height in pixels, so that the page does not jump while it loads."""

    def __post_init__(self) -> None:
        if not self.uri.startswith("data:image/"):
            raise ValueError(f"a picture on a page needs a data:image/ URI, not {self.uri[:40]!r}")

    @classmethod
    def of(
        cls,
        image: Image.Image,
        alt: str,
        side: int = THUMBNAIL_SIDE,
        quality: int = THUMBNAIL_QUALITY,
    ) -> Picture:
        """Embed an image, shrunk to ``side`` pixels at most."""
        small = _shrunk(image, side)
        return cls(thumbnail_uri(small, side, quality), alt, small.size)


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture, or two (before → after, or two copies), with a caption."""

    pictures: tuple[Picture, ...]
    caption: str = ""
    badge: str = ""
    tone: Tone = "plain"
    details: tuple[tuple[str, Cell], ...] = ()
    """Names and values that fold out beneath."""
    between: Literal["→", "="] = "→"
    """What stands between two pictures."""

    def __post_init__(self) -> None:
        if len(self.pictures) not in {1, 2}:
            raise ValueError(f"a tile shows one picture or two, not {len(self.pictures)}")


@dataclass(frozen=True, slots=True)
class Flip:
    """Versions of one picture in the same place, one shown at a time, chosen by its name.

    The pictures are shown equally wide; a reader who goes to and fro sees what differs move.
    """

    versions: tuple[tuple[str, Picture], ...]
    caption: str = ""
    badge: str = ""
    tone: Tone = "plain"
    details: tuple[tuple[str, Cell], ...] = ()
    """Names and values that fold out beneath."""

    def __post_init__(self) -> None:
        if not 2 <= len(self.versions) <= MOST_VERSIONS:
            raise ValueError(f"2 to {MOST_VERSIONS} versions flip, not {len(self.versions)}")


@dataclass(frozen=True, slots=True)
class Gallery:
    """Tiles side by side, as many in a row as fit."""

    items: tuple[Tile, ...] | tuple[Flip, ...]


@dataclass(frozen=True, slots=True)
class WidePicture:
    """One wide picture, such as a contact sheet or a confusion matrix."""

    picture: Picture
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """A remark set apart."""

    text: str
    tone: Tone = "plain"


Element = Figures | Table | Chart | Gallery | WidePicture | Note


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, a sentence or two, and what belongs under it."""

    title: str
    elements: tuple[Element, ...]
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A whole report."""

    title: str
    lead: str
    sections: tuple[Section, ...]
    lang: str = "en"
    """Language of the texts (BCP 47): "en", "ko" …"""


def render_page(page: Page) -> str:
    """Give a page as HTML."""
    template = environment().get_template("page.html.j2")
    return template.render(page=page, kind=_kind, is_number=_is_number)


def write_page(page: Page, path: Path) -> None:
    """Write a page as one self-contained HTML file, as one step.

    Letters that UTF-8 cannot hold (from file names in an unknown encoding) become "?".
    """
    text = render_page(page).encode("utf-8", errors="replace").decode("utf-8")
    files.write_text(path, text)


def thumbnail_uri(
    image: Image.Image, side: int = THUMBNAIL_SIDE, quality: int = THUMBNAIL_QUALITY
) -> str:
    """Give an image, shrunk to ``side`` pixels at most, as a ``data:`` URI (WebP, else JPEG)."""
    small, stream = _shrunk(image, side), BytesIO()
    kind = "WEBP" if _writes_webp() else "JPEG"
    if kind == "JPEG" or small.mode not in {"RGB", "RGBA"}:
        small = small.convert("RGBA" if small.has_transparency_data and kind == "WEBP" else "RGB")
    small.save(stream, format=kind, quality=quality)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(stream.getvalue()).decode()}"


def _shrunk(image: Image.Image, side: int) -> Image.Image:
    if max(image.size) <= side:
        return image
    scale = side / max(image.size)
    size = max(round(image.width * scale), 1), max(round(image.height * scale), 1)
    if image.mode in {"P", "1"}:  # palettes cannot be blended
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image.resize(size, Image.Resampling.LANCZOS)


@cache
def _writes_webp() -> bool:
    return bool(features.check("webp"))


def _kind(element: Element) -> str:
    return type(element).__name__.lower()


def _is_number(value: Cell) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
