import base64
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from markupsafe import Markup
from PIL import Image

from garim.report import charts
from garim.report.page import (
    Chart,
    Figure,
    Figures,
    Flip,
    Gallery,
    Note,
    Page,
    Picture,
    Section,
    Table,
    Tile,
    WidePicture,
    render_page,
    thumbnail_uri,
    write_page,
)

HOSTILE = "<script>alert('사과')</script>\"><img src=https://evil.example/x>"
VOID = {"meta", "img", "link", "br", "path", "rect", "circle", "polyline", "input"}


class Reader(HTMLParser):
    """Checks that tags close in order, and collects them and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def a_page(name: str = "apple") -> Page:
    picture = Picture.of(Image.new("RGB", (500, 300), "red"), name)
    matrix = np.array([[12345, 1], [2, 67]])
    drawn = (
        charts.bars({name: 31}, title=name),
        charts.grouped_bars({name: {name: 41, "test": 1}}, title=name),
        charts.line_chart({name: [0.5, 0.25]}, title=name, x_label=name, y_label=name),
        charts.heat_table(matrix, [name, "b"], title=name),
    )
    pair = Tile((picture, picture), name, name, "good", ((name, 0.5), ("why", name)))
    elements = (
        Figures((Figure(name, 1234567, name),)),
        Table((name, "f1"), ((name, 0.9125), ("b", None)), name),
        *(Chart(html, name) for html in drawn),
        Gallery((pair, Tile((picture,)))),
        WidePicture(picture, name),
        Note(name, "warning"),
    )
    return Page(name, name, tuple(Section(name, elements, name) for _ in range(3)), lang="ko")


def test_the_page_is_well_formed_and_holds_its_numbers() -> None:
    reader = read(render_page(a_page()))
    for text in ("1,234,567", "0.912", "12,345", "31", "41", "0.25"):
        assert text in reader.text
    assert ("html", {"lang": "ko"}) in reader.tags
    assert all(attributes["alt"] for tag, attributes in reader.tags if tag == "img")


def test_hostile_names_are_text() -> None:
    reader = read(render_page(a_page(HOSTILE)))
    assert "script" not in {tag for tag, _ in reader.tags}
    assert HOSTILE in reader.text
    assert not any(key.startswith("on") for _, attributes in reader.tags for key in attributes)


def test_nothing_comes_from_outside() -> None:
    html = render_page(a_page())
    reader = read(html)
    for _, attributes in reader.tags:
        assert str(attributes.get("src", "data:image/")).startswith("data:image/")
        assert str(attributes.get("href", "#")).startswith("#")
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"base64,[^\"]+", "", html))
    policy = next(a["content"] for t, a in reader.tags if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")


def test_a_plain_string_in_a_chart_is_escaped() -> None:
    section = Section("t", (Chart(Markup("<b>drawn</b>")), Chart("<b>typed</b>")))  # type: ignore[arg-type]
    html = render_page(Page("t", "", (section,)))
    assert "<b>drawn</b>" in html
    assert "&lt;b&gt;typed" in html


def test_thumbnails_are_shrunk_and_keep_their_shape() -> None:
    image = Image.new("RGB", (1000, 500), "red")
    uri = thumbnail_uri(image, 200)
    head, data = uri.split(",")
    assert re.fullmatch(r"data:image/(webp|jpeg);base64", head)
    with Image.open(BytesIO(base64.b64decode(data))) as decoded:
        assert decoded.size == (200, 100)
    assert Picture.of(image, "x").size == (240, 120)
    assert Picture.of(Image.new("RGB", (30, 20)), "x").size == (30, 20)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK", "I;16", "F"])
def test_images_of_every_mode_can_be_embedded(mode: str) -> None:
    assert Picture.of(Image.new(mode, (400, 3)), "x").uri.startswith("data:image/")


def test_transparency_is_kept() -> None:
    data = thumbnail_uri(Image.new("RGBA", (9, 9), (255, 0, 0, 0))).split(",")[1]
    with Image.open(BytesIO(base64.b64decode(data))) as decoded:
        if decoded.format == "WEBP":
            assert decoded.convert("RGBA").getpixel((4, 4))[3] == 0


def test_numbers_stand_right_and_columns_share_their_decimals() -> None:
    table = Table(("class", "n", "f1"), (("a", 1, 0.5), ("b", None, 1.0)))
    assert table.numeric == (False, True, True)
    assert table.texts == [("a", "1", "0.500"), ("b", "–", "1.000")]
    assert Table(("a",), ()).texts == []


def test_values_that_cannot_be_shown_are_refused() -> None:
    with pytest.raises(ValueError, match="2 columns, but a row of 1"):
        Table(("a", "b"), (("x",),))
    with pytest.raises(ValueError, match="data:image/ URI"):
        Picture("https://example.com/a.png", "x", (1, 1))
    with pytest.raises(ValueError, match="one picture or two"):
        Tile(())


def test_a_page_is_written_even_with_letters_that_utf8_cannot_hold(tmp_path: Path) -> None:
    path = tmp_path / "report" / "index.html"
    write_page(a_page("caf\udce9"), path)
    text = path.read_text(encoding="utf-8")
    assert "caf?" in text
    read(text)


def test_versions_flip_without_a_script() -> None:
    shown = Picture.of(Image.new("RGB", (30, 20)), "seen")
    flip = Flip((("truth", shown), ("found", shown)), "<b>.jpg", "F1 0.50")
    html = render_page(Page("t", "", (Section("s", (Gallery((flip, flip)),)),)))
    assert len(set(re.findall(r'name="(flip-\d)"', html))) == 2
    assert len(re.findall(r"<input[^>]* checked", html)) == 2
    assert "<script" not in html and "&lt;b&gt;.jpg" in html
    with pytest.raises(ValueError, match="2 to 4 versions"):
        Flip((("truth", shown),))
