"""Small datasets drawn for these tests: what hypothesis varies, and how they get onto the disk."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

from hypothesis import strategies as st
from PIL import Image

from garim.boxes import Box
from garim.formats.rows import Contents, Object, Row

LABELS = ["고양이", "hot dog", "강아지", "Apple", "zebra,;\"'<&>"]
SPLITS = [None, "train", "validation", "test"]
ODD_STEMS = [
    "a:1",
    "C:\\x",
    "\\b",
    "..\\c",
    "a\r",
    "a\nb",
    "a ",
    " a",
    "a\u2028b",
    "a\tb",
    "a\x01",
    "\ufeffa",
]
ODD_STEMS = [] if os.name == "nt" else ODD_STEMS
"""Of files that Linux and macOS can have."""

_stems = st.sampled_from(
    ["1", "IMG 0001", "사진", "a.b", "A", "a", "x'y&z", "-1", "한글 이름", *ODD_STEMS]
)
_forms = st.sampled_from(["NFC", "NFD"])
_sides = st.one_of(
    st.integers(-5, 60).map(float),
    st.floats(-5, 60, allow_nan=False).map(lambda value: round(value, 4)),
)
_boxes = st.builds(Box, _sides, _sides, _sides, _sides)
_objects = st.lists(st.builds(Object, st.sampled_from(LABELS), _boxes), max_size=4).map(tuple)


@st.composite
def datasets(draw: st.DrawFn) -> tuple[Row, ...]:
    """Rows in any folders: same names, both Unicode forms, several rows of one picture."""
    rows: dict[str, list[Row]] = {}
    for _ in range(draw(st.integers(1, 6))):
        folder = draw(st.sampled_from(["", "dog/", "train/고양이/", "val/b c/", "Pokemon/dog/"]))
        stem = draw(_stems)
        name = unicodedata.normalize(draw(_forms), folder + stem)
        name += draw(st.sampled_from([".png", ".jpg"]))
        rows[name] = draw(_rows_of(name))
    return tuple(row for several in rows.values() for row in several)


@st.composite
def _rows_of(draw: st.DrawFn, name: str) -> list[Row]:
    labels = draw(st.lists(st.sampled_from([None, *LABELS]), min_size=1, max_size=2, unique=True))
    split, objects = draw(st.sampled_from(SPLITS)), draw(_objects)
    cut = draw(_boxes) if draw(st.booleans()) else None
    return [
        Row(
            file_name=name,
            label=label,
            split=split,
            objects=objects,
            source="더 큰.jpg" if cut else None,
            source_box=cut,
            edits=("crop", "relabel") if cut else (),
        )
        for label in labels
    ]


def draw_pictures(root: Path, rows: tuple[Row, ...]) -> None:
    """Draw a different picture for every file name, and every mask."""
    names = {row.file_name for row in rows} | {row.mask_file_name for row in rows}
    for index, name in enumerate(sorted(name for name in names if name)):
        draw_picture(root / name, index)


def draw_picture(path: Path, index: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = "JPEG" if path.suffix == ".jpg" else "PNG"
    Image.new("RGB", (37 + index, 23), (index * 40 % 256, 90, 30)).save(path, kind)


def contents(*rows: Row, classes: tuple[str, ...] = ()) -> Contents:
    return Contents(rows=rows, classes=classes)
