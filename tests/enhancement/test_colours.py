from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from PIL import Image

from drawn_pictures import shapes
from garim.enhancement.colours import enlarge_image
from garim.enhancement.methods import bicubic
from garim.models.upscaler import shipped
from garim.resizing import Values, as_pixels, as_values, resize

double: Callable[[Values], Values] = partial(bicubic, scale=2)


def picture(mode: str) -> Image.Image:
    rgb = Image.fromarray(shapes(20, 14))
    if mode == "I;16":
        return Image.fromarray((np.asarray(rgb.convert("L")).astype(np.uint16) * 257)[::-1].copy())
    if mode in {"I", "F"}:
        return Image.fromarray(np.asarray(rgb.convert("L")).astype(np.int32 if mode == "I" else
                                                                   np.float32) * 1000)  # fmt: skip
    if mode in {"LA", "RGBA"}:
        full = rgb.convert(mode)
        full.putalpha(Image.fromarray(shapes(20, 14, 5)[..., 0]))
        return full
    return rgb.convert(mode)


@pytest.mark.parametrize("mode", ["L", "RGB", "LA", "RGBA", "P", "CMYK", "I;16", "I", "F"])
def test_modes_stay(mode: str) -> None:
    image = picture(mode)
    large = enlarge_image(image, double)
    assert (large.mode, large.size) == (mode, (40, 28))
    plain = {"P": "RGB"}.get(mode, mode)
    back = np.asarray(large.convert(plain).resize((20, 14), Image.Resampling.BOX)).astype(float)
    before = np.asarray(image.convert(plain)).astype(float)
    shown = np.ptp(before) or 1
    assert np.abs(back - before)[2:-2, 2:-2].mean() / shown < 0.05  # the same picture


def test_one_bit_becomes_grey_and_rare_modes_rgb() -> None:
    assert enlarge_image(picture("1"), double).mode == "L"
    assert enlarge_image(picture("YCbCr"), double).mode == "RGB"


def test_sixteen_bits_are_no_eight() -> None:
    ramp = np.tile(np.arange(1000, 1064, dtype=np.uint16), (8, 1))
    large = np.asarray(enlarge_image(Image.fromarray(ramp), double))
    assert large.dtype == np.uint16 and len(np.unique(large[8])) > 60
    assert (large.min(), large.max()) == (1000, 1063)


def test_a_transparent_colour_beside_the_pixels() -> None:
    image = Image.new("L", (6, 4), 7)
    image.info["transparency"] = 7
    large = enlarge_image(image, double)
    assert large.mode == "LA" and np.asarray(large)[..., 1].max() == 0
    palette = Image.fromarray(shapes(20, 14)).quantize(8)
    palette.info["transparency"] = palette.getpixel((0, 0))
    large = enlarge_image(palette, double)
    assert large.mode == "P" and large.convert("RGBA").getextrema()[3] == (0, 255)


def test_hidden_colours_do_not_bleed() -> None:
    pixels = np.zeros((12, 12, 4), np.uint8)
    pixels[:, 6:] = 250, 240, 230, 255  # the other half is transparent black
    for way in (double, shipped().enlarge):
        large = np.asarray(enlarge_image(Image.fromarray(pixels), way)).astype(int)
        seen = large[..., 3] > 8
        assert np.abs(large[seen][:, :3] - (250, 240, 230)).max() <= 3
        assert large[:, :8, 3].max() <= 8 and large[:, -8:, 3].min() >= 247


def test_colours_are_those_of_rgb() -> None:
    rgb = shapes(20, 14)
    large = enlarge_image(Image.fromarray(rgb), double)
    wanted = as_pixels(resize(as_values(rgb), (40, 28)))
    assert np.abs(np.asarray(large).astype(int) - wanted).max() <= 1
