from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from garim.boxes import Box
from garim.errors import SettingsError
from garim.report.charts import colour
from garim.report.sheet import (
    LabelledBox,
    before_after,
    contact_sheet,
    draw_boxes,
    rounds_sheet,
)


def draw(path: Path, size: tuple[int, int], fill: str = "olive") -> Path:
    Image.new("RGB", size, fill).save(path, quality=95, subsampling=0)
    return path


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"no picture")
    return path


@pytest.mark.parametrize(("count", "rows"), [(0, 1), (1, 1), (10, 1), (11, 2), (30, 3)])
def test_the_sheet_has_room_for_every_picture(tmp_path: Path, count: int, rows: int) -> None:
    path = draw(tmp_path / "a.jpg", (60, 40))
    sheet = contact_sheet(path for _ in range(count))
    assert sheet.image.size == (1000, rows * 100)
    assert sheet.failures == ()


@pytest.mark.parametrize("size", [(150, 80), (80, 150), (30, 20), (100, 100), (199, 3)])
def test_thumbnails_equal_pillows_own_padding(tmp_path: Path, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    path = tmp_path / "noise.jpg"
    Image.fromarray(noise).save(path)
    with Image.open(path) as image:
        expected = ImageOps.pad(image, (100, 100), color="white")
    cell = contact_sheet([path], columns=1).image
    np.testing.assert_array_equal(np.asarray(cell), np.asarray(expected))


def test_a_broken_picture_gets_a_pale_cell_and_the_sheet_goes_on(
    tmp_path: Path, broken: Path
) -> None:
    good = draw(tmp_path / "good.jpg", (50, 50), "red")
    sheet = contact_sheet([broken, good], columns=2)
    assert [failure.picture for failure in sheet.failures] == [str(broken)]
    assert sheet.failures[0].error
    assert sheet.image.getpixel((5, 5)) == (238, 239, 242)
    assert sheet.image.getpixel((50, 50)) != (238, 239, 242)
    assert sheet.image.getpixel((150, 50))[0] > 240


def test_every_bad_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        contact_sheet([], columns=0, cell=3)
    assert len(caught.value.problems) == 2


def test_a_box_is_drawn_at_its_place_on_a_copy() -> None:
    image = Image.new("RGB", (100, 60), "white")
    drawn = draw_boxes(image, [LabelledBox(Box(40, 20, 160, 100), "", 3)], (0.5, 0.5))
    for corner in [(20, 10), (79, 10), (20, 49), (79, 49), (21, 30)]:
        assert drawn.getpixel(corner) == colour(3)
    for halo in [(19, 30), (80, 30), (50, 9), (50, 50), (22, 30)]:
        assert drawn.getpixel(halo) == (18, 18, 22)
    for outside in [(18, 30), (81, 30), (50, 30)]:
        assert drawn.getpixel(outside) == (255, 255, 255)
    assert image.getcolors() == [(6000, (255, 255, 255))]


@pytest.mark.parametrize("box", [Box(5, 5, 5, 9), Box(200, 200, 300, 300), Box(9, 9, 2, 2)])
def test_a_box_without_area_in_the_picture_is_left_out(box: Box) -> None:
    image = Image.new("RGB", (50, 50), "white")
    assert draw_boxes(image, [LabelledBox(box, "x")]).getcolors() == [(2500, (255, 255, 255))]


def test_labels_are_written_inside_the_picture_and_unknown_letters_left_out() -> None:
    image = Image.new("RGB", (200, 100), "white")
    box = Box(150, 0, 200, 50)
    plain = draw_boxes(image, [LabelledBox(box)])
    unknown = draw_boxes(image, [LabelledBox(box, "\U000f1234")])
    named = draw_boxes(image, [LabelledBox(box, "a long label")])
    assert plain == unknown
    assert named != plain
    assert draw_boxes(image, [LabelledBox(box, "a long label")], chips=False) == plain


def test_boxes_on_a_contact_sheet_follow_the_scaled_decode(tmp_path: Path) -> None:
    path = draw(tmp_path / "big.jpg", (1600, 800), "white")
    sheet = contact_sheet([path], columns=1, boxes={path: [LabelledBox(Box(800, 0, 1600, 800))]})
    assert sheet.image.getpixel((50, 50)) == colour(0)
    assert sheet.image.getpixel((40, 50)) == (255, 255, 255)


def test_before_and_after_shows_the_crop(tmp_path: Path, broken: Path) -> None:
    path = tmp_path / "half.jpg"
    image = Image.new("RGB", (400, 400), "blue")
    image.paste("red", (200, 0, 400, 400))
    image.save(path, quality=95, subsampling=0)
    rows = [(path, Box(220, 20, 380, 180), "사과 · apple"), (path, None, ""), (broken, None, "no")]
    sheet = before_after(rows, columns=1, cell=100)
    assert len(sheet.failures) == 1
    red, _, blue = sheet.image.getpixel((16 + 16 + 100 + 40 + 50, 16 + 16 + 50))
    assert red > 200 and blue < 60
    card = 100 + 2 * 16 + 30
    assert sheet.image.size == (240 + 4 * 16, 3 * (card + 16) + 16)


def test_a_small_box_in_a_large_photo_stays_sharp(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    image = Image.new("RGB", (3200, 3200), "white")
    for x in range(1600, 1680, 8):
        image.paste("black", (x, 1600, x + 4, 1680))
    image.save(path, quality=95, subsampling=0)
    sheet = before_after([(path, Box(1600, 1600, 1680, 1680), "")], cell=80)
    row = np.asarray(sheet.image.convert("L"))[16 + 16 + 40, 16 + 16 + 80 + 40 + 4 :][:70]
    assert row.min() < 40 and row.max() > 215


def test_rounds_stand_in_a_row(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.jpg", (300, 200))
    boxes = [Box(0, 0, 200, 150), Box(10, 10, 100, 100), None]
    sheet = rounds_sheet([(path, boxes), (path, boxes[:1])], cell=100)
    assert sheet.image.size == (4 * 140 - 40 + 4 * 16, 2 * (100 + 3 * 16) + 16)
    assert sheet.failures == ()
    assert rounds_sheet([]).image.width > 0
