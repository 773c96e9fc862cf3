"""The sliding operation against the document's own code."""

import numpy as np
import pytest
from PIL import Image

from garim.boxes import Box
from garim.extraction.self_extraction import windows_of, windows_of_document
from garim.extraction.settings import ExtractSettings
from garim.extraction.windows import cells, count, document_windows, windows
from garim.pictures import Decoded

DEFAULT = ExtractSettings()


def calc_sliding(img, grid_size, kernel_size, grid_width, grid_height):
    """The document's function, as it stands there."""
    n_iter = grid_size - kernel_size + 1
    img_crops = []
    for i in range(n_iter):
        for j in range(n_iter):
            img_crop = img.crop((grid_width * j, grid_height * i,
                                 kernel_size * grid_width + j * grid_width,
                                 kernel_size * grid_height + i * grid_height))  # fmt: skip
            img_crops.append(img_crop)
    for i in range(n_iter):
        img_crop = img.crop((grid_width * i, 0,
                             kernel_size * grid_width + i * grid_width,
                             grid_size * grid_height))  # fmt: skip
        img_crops.append(img_crop)
    for i in range(n_iter):
        img_crop = img.crop((0, i * grid_height,
                             grid_size * grid_width,
                             kernel_size * grid_height + i * grid_height))  # fmt: skip
        img_crops.append(img_crop)
    return img_crops


def crops_of_document(img, grid_size, kernel_size):
    """The part of the document's Self_Extraction that makes ``img_crops``."""
    grid_w = img.size[0] // grid_size
    grid_h = img.size[1] // grid_size
    img_crops = calc_sliding(img, grid_size, kernel_size, grid_w, grid_h)
    if img.size[0] > img.size[1]:
        img_square = img.resize((img.size[0], img.size[0]))
        square = calc_sliding(img_square, grid_size, kernel_size, grid_w, grid_w)
    else:
        img_square = img.resize((img.size[1], img.size[1]))
        square = calc_sliding(img_square, grid_size, kernel_size, grid_h, grid_h)
    img_crops.extend(square)
    return img_crops


def noise(width: int, height: int) -> Decoded:
    values = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Decoded(Image.fromarray(values), (width, height))


def map_of_places(width: int, height: int) -> Decoded:
    """A picture whose red says how far right, and whose green says how far down."""
    values = np.zeros((height, width, 3), np.float64)
    values[..., 0] = 255 * (np.arange(width) + 0.5)[None] / width
    values[..., 1] = 255 * (np.arange(height) + 0.5)[:, None] / height
    return Decoded(Image.fromarray(values.round().astype(np.uint8)), (width, height))


@pytest.mark.parametrize(("grid", "kernel"), [(9, 5), (5, 3), (9, 1), (2, 1), (11, 9), (7, 4)])
def test_the_number_of_windows(grid: int, kernel: int) -> None:
    expected = (grid - kernel + 1) ** 2 + 2 * (grid - kernel + 1)
    assert count(grid, kernel) == len(cells(grid, kernel)) == expected
    assert len(document_windows(90, 90, grid, kernel)) == expected


def test_the_documents_numbers() -> None:
    decoded, whole = noise(120, 90), Box.whole(120, 90)
    assert len(windows_of(DEFAULT)(decoded, whole, 8)) == 35
    assert len(windows_of_document(DEFAULT)(decoded, whole, 8)) == 70


@pytest.mark.parametrize("size", [(120, 90), (90, 121), (100, 100), (47, 203), (9, 9)])
@pytest.mark.parametrize(("grid", "kernel"), [(9, 5), (5, 3), (9, 1)])
def test_crops_equal_the_documents_pixel_by_pixel(
    size: tuple[int, int], grid: int, kernel: int
) -> None:
    decoded = noise(*size)
    settings = ExtractSettings(grid=grid, kernel=kernel)
    ours = windows_of_document(settings)(decoded, Box.whole(*size), 30)
    theirs = [
        np.asarray(crop.resize((30, 30))) for crop in crops_of_document(decoded.image, grid, kernel)
    ]
    assert len(ours) == len(theirs)
    assert all((pixels == other).all() for (pixels, _), other in zip(ours, theirs, strict=True))


def test_windows_lie_in_the_documents_order_and_places() -> None:
    boxes = windows(Box(10, 20, 100, 110), 9, 5)
    image = Image.new("RGB", (90, 90))
    placed: list[tuple[int, ...]] = []
    image.crop = placed.append  # type: ignore[method-assign,assignment]
    calc_sliding(image, 9, 5, 10, 10)
    assert [box.shift(-10, -20).xyxy() for box in boxes] == placed


@pytest.mark.parametrize("method", [windows_of, windows_of_document])
@pytest.mark.parametrize("size", [(360, 180), (180, 333)])
def test_boxes_say_where_in_the_original_a_crop_lies(method, size) -> None:
    decoded = map_of_places(*size)
    for extent in (Box.whole(*size), Box(31, 17, 31 + 121, 17 + 95)):
        for pixels, box in method(DEFAULT)(decoded, extent, 30):
            x, y = pixels[..., :2].reshape(-1, 2).mean(axis=0) / 255 * size
            assert x == pytest.approx((box.left + box.right) / 2, abs=2)
            assert y == pytest.approx((box.top + box.bottom) / 2, abs=2)
            spread = np.ptp(pixels[..., 0].astype(float)) / 255 * size[0]
            assert spread == pytest.approx(box.width, abs=0.1 * box.width + 2)


def test_windows_are_cut_from_a_smaller_decoding_at_the_same_places() -> None:
    full = map_of_places(400, 200)
    small = Decoded(full.image.resize((200, 100), Image.Resampling.BOX), full.size)
    cut = windows_of(DEFAULT)
    whole = Box.whole(*full.size)
    for (a, box_a), (b, box_b) in zip(cut(full, whole, 16), cut(small, whole, 16), strict=True):
        assert box_a == box_b
        assert np.abs(a.astype(int) - b.astype(int)).max() <= 3


def test_a_picture_with_less_pixels_than_cells_has_no_documents_crops() -> None:
    assert windows_of_document(DEFAULT)(noise(8, 50), Box.whole(8, 50), 16) == []
