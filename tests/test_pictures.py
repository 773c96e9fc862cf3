"""What is opened: every kind of file, upright, in RGB; and what is refused."""

from __future__ import annotations

import errno
import logging
import os
import struct
import subprocess
import sys
import threading
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter, ImageOps
from skimage.metrics import structural_similarity

from garim import pictures
from garim.boxes import Box
from garim.errors import PictureError
from picture_files import (
    SIZE,
    chunk,
    encoded,
    exif,
    grey16,
    like,
    near,
    opened,
    png,
    scene,
    size_of,
    stored,
    two_colours,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # pytest drops garim's filter


# Upright


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_orientation_comes_out_upright(tmp_path: Path, kind: str, orientation: int) -> None:
    path = stored(tmp_path, scene(), "a", kind, exif=exif(orientation))
    with Image.open(path) as image:
        wanted = ImageOps.exif_transpose(image).convert("RGB")
    near(opened(path), wanted)
    assert size_of(path) == ((30, 40) if orientation >= 5 else (40, 30))
    near(pictures.decode(path.read_bytes(), "a"), wanted)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_opencv_agrees_about_what_is_upright(tmp_path: Path, orientation: int) -> None:
    path = stored(tmp_path, scene(), "a.jpg", "JPEG", quality=100, exif=exif(orientation))
    near(opened(path), cv2.imread(str(path))[:, :, ::-1], within=4)


@pytest.mark.parametrize("orientation", [3, 6])
def test_exif_behind_the_pixels_of_a_png_counts(tmp_path: Path, orientation: int) -> None:
    data = encoded(scene(), "PNG")
    late = chunk(b"eXIf", exif(orientation)[6:])
    (tmp_path / "a.png").write_bytes(data[:-12] + late + data[-12:])
    turned = scene().transpose(
        {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_270}[orientation]
    )
    near(opened(tmp_path / "a.png"), turned)


@pytest.mark.parametrize("wrong", [0, 9, 600])
def test_an_orientation_that_does_not_exist_is_passed_over(tmp_path: Path, wrong: int) -> None:
    path = stored(tmp_path, scene(), "a.jpg", "JPEG", exif=exif(wrong))
    assert opened(path).shape == (30, 40, 3)


@pytest.mark.parametrize("junk", [b"Exif\0\0junk", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_broken_exif_is_no_broken_picture(tmp_path: Path, kind: str, junk: bytes) -> None:
    path = stored(tmp_path, scene(), "a", kind, exif=junk)
    with Image.open(path) as image:
        near(opened(path), image.convert("RGB"))


# Kinds


@pytest.mark.parametrize(
    "kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "ICO"]
)
def test_every_format_opens_whatever_its_name(tmp_path: Path, kind: str) -> None:
    options = {"sizes": [SIZE]} if kind == "ICO" else {}
    path = stored(tmp_path, scene(), "이름.jpg", kind, **options)
    assert pictures.header(path).format == kind
    assert pictures.header(path).frames == 1
    near(opened(path), Image.open(path).convert("RGB"))


def test_pillow_and_opencv_agree_on_cmyk(tmp_path: Path) -> None:
    path = stored(tmp_path, scene().convert("CMYK"), "a.jpg", "JPEG", quality=100)
    assert pictures.header(path).mode == "CMYK"
    near(opened(path), scene(), within=12)
    near(opened(path), cv2.imread(str(path))[:, :, ::-1], within=6)


def test_inverted_cmyk_of_adobe_is_not_a_negative(tmp_path: Path) -> None:
    data = encoded(scene().convert("CMYK"), "JPEG", quality=100)
    assert b"Adobe" in data  # Pillow writes it inverted, as Photoshop does
    bare = data.replace(b"Adobe", b"Xdobe")
    (tmp_path / "adobe.jpg").write_bytes(data)
    (tmp_path / "bare.jpg").write_bytes(bare)
    near(opened(tmp_path / "adobe.jpg"), scene(), within=12)
    with Image.open(tmp_path / "bare.jpg") as image:
        near(opened(tmp_path / "bare.jpg"), image.convert("RGB"))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jp2"])
def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), grey16(120, 90))
    wanted = np.round(cv2.imread(str(path), cv2.IMREAD_UNCHANGED) / 257)
    near(opened(path), np.repeat(wanted[:, :, None], 3, axis=2))


@pytest.mark.parametrize("mode", ["I;16B", "I"])
def test_other_grey_of_sixteen_bits(tmp_path: Path, mode: str) -> None:
    kind = "TIFF"
    image = Image.fromarray(grey16().astype({"I;16B": ">u2", "I": "<i4"}[mode]))
    assert image.mode == mode
    path = stored(tmp_path, image, "a", kind)
    near(opened(path)[:, :, 1], np.round(grey16() / 257))


def test_sixteen_bit_pgm(tmp_path: Path) -> None:
    path = stored(tmp_path, Image.fromarray(grey16()), "a.pgm", "PPM")
    near(opened(path)[:, :, 0], np.round(cv2.imread(str(path), cv2.IMREAD_UNCHANGED) / 257))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bit_colour(tmp_path: Path, suffix: str, channels: int) -> None:
    path = tmp_path / f"a{suffix}"
    deep = np.stack([grey16(), grey16()[::-1], grey16().T.reshape(30, 40)], axis=2)
    if channels == 4:
        deep = np.dstack([deep, np.full_like(grey16(), 65_535)])
    cv2.imwrite(str(path), deep)
    near(opened(path), deep[:, :, 2::-1] / 257, within=1)


def test_thirty_two_bit_grey_keeps_its_shades(tmp_path: Path) -> None:
    values = (grey16().astype(np.int64) * 32_767).astype(np.int32)
    path = stored(tmp_path, Image.fromarray(values), "a.tif", "TIFF")
    near(opened(path)[:, :, 0], values / (2**31 - 1) * 255, within=0.51)


@pytest.mark.parametrize("white", [1, 255, 65_535])
def test_floats_are_scaled_by_the_range_they_fit(tmp_path: Path, white: int) -> None:
    values = (grey16() / 65_535 * white).astype(np.float32)
    values[0, 0], values[0, 1], values[0, 2] = np.nan, -1, np.inf
    path = stored(tmp_path, Image.fromarray(values), "a.tif", "TIFF")
    found = opened(path)[:, :, 0]
    near(found.flat[3:], values.flat[3:] / white * 255, within=0.51)
    assert found[0, :2].tolist() == [0, 0]


def test_a_palette(tmp_path: Path) -> None:
    image = scene().quantize(16)
    near(opened(stored(tmp_path, image, "a.png", "PNG")), image.convert("RGB"))


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_what_is_transparent_in_a_palette_is_white(tmp_path: Path, kind: str) -> None:
    found = opened(stored(tmp_path, two_colours(), "a", kind, transparency=0))
    assert (found[:15, :20] == 255).all()
    assert (found[15:] == [10, 200, 30]).all()


def test_a_palette_with_shades_of_transparency(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 0, 0, 200])
    image.putpixel((1, 0), 1)
    found = opened(stored(tmp_path, image, "a.png", "PNG", transparency=b"\x00\x80"))
    assert found[0, 0].tolist() == [255, 255, 255]
    near(found[0, 1], [127, 127, 227], within=1)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_alpha_lies_over_white(tmp_path: Path, mode: str, kind: str) -> None:
    image = scene().convert(mode)
    alpha = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (30, 1))
    image.putalpha(Image.fromarray(alpha))
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    share = alpha[:, :, None] / 255
    wanted = np.asarray(image.convert("RGB")) * share + 255 * (1 - share)
    near(opened(stored(tmp_path, image, "a", kind, **options)), wanted, within=1)


@pytest.mark.parametrize(("mode", "value"), [("L", 7), ("RGB", (1, 2, 3)), ("I;16", 700)])
def test_one_transparent_value_is_white(tmp_path: Path, mode: str, value: object) -> None:
    image = Image.new(mode, SIZE, value)
    image.paste({"L": 90, "RGB": (90, 90, 90), "I;16": 90 * 257}[mode], (0, 0, 40, 10))
    found = opened(stored(tmp_path, image, "a.png", "PNG", transparency=value))
    assert (found[:10] == 90).all()
    assert (found[10:] == 255).all()


def test_one_bit(tmp_path: Path) -> None:
    image = scene().convert("1")
    for kind in ("PNG", "TIFF", "BMP", "PPM"):
        near(opened(stored(tmp_path, image, "a", kind)), image.convert("RGB"))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "MPO", "AVIF"])
def test_the_first_frame_is_opened(tmp_path: Path, kind: str) -> None:
    first, second = Image.new("RGB", SIZE, (200, 30, 10)), Image.new("RGB", SIZE, (0, 0, 250))
    path = stored(tmp_path, first, "a", kind, save_all=True, append_images=[second])
    assert pictures.header(path).frames == 2
    assert pictures.header(path).format == kind
    near(opened(path), first, within=4)


# What is refused


def refused(path: Path) -> str:
    """Check that every way in refuses the file by name; give the reason."""
    reasons = set()
    for way in (pictures.open_picture, pictures.header, lambda p: pictures.open_picture(p, 8)):
        with pytest.raises(PictureError) as found:
            way(path)
        assert found.value.path == path
        assert str(found.value).startswith(f"{path}: ")
        reasons.add(found.value.reason)
    with pytest.raises(PictureError):
        pictures.crop_file(path, Box(0, 0, 5, 5), path.with_name("never.png"))
    assert not path.with_name("never.png").exists()
    assert len(reasons) == 1
    return reasons.pop()


def test_files_that_are_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    assert refused(tmp_path / "empty.jpg") == "the file is empty"
    (tmp_path / "text.jpg").write_text("<html>404 Not Found</html>")
    assert "not a picture" in refused(tmp_path / "text.jpg")
    (tmp_path / "script.jpg").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    assert "not a picture" in refused(tmp_path / "script.jpg")
    assert refused(tmp_path / "none.jpg") == "cannot be opened: No such file or directory"
    (tmp_path / "folder.jpg").mkdir()
    assert refused(tmp_path / "folder.jpg") == "is a folder, not a picture"
    assert "null byte" in refused(tmp_path / "a\0.jpg")


def test_data_in_memory_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    with pytest.raises(PictureError, match="not a picture") as found:
        pictures.decode(b"text", str(tmp_path / "a.jpg"))
    assert found.value.path == tmp_path / "a.jpg"
    with pytest.raises(PictureError, match=r"upload: .*not a picture"):
        pictures.decode(b"", "upload")


@pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")
def test_loops_and_pipes_are_refused_without_waiting(tmp_path: Path) -> None:
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    assert "symbolic links" in refused(tmp_path / "loop.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert refused(tmp_path / "pipe.jpg") == "is no ordinary file"
    os.mkfifo(tmp_path / "pipe")
    assert not pictures.is_picture(tmp_path / "pipe")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_rights(tmp_path: Path) -> None:
    path = stored(tmp_path, scene(), "a.jpg", "JPEG")
    path.chmod(0)
    assert refused(path) == "cannot be opened: Permission denied"


def test_a_file_whose_reading_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    path = stored(tmp_path, scene(), "a.jpg", "JPEG")
    monkeypatch.setattr(Image, "open", refuse)
    assert refused(path) == "cannot be opened: Permission denied"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_a_file_cut_off_anywhere_opens_or_is_refused(tmp_path: Path, kind: str) -> None:
    options = {"compression": "tiff_lzw"} if kind == "TIFF" else {}
    data = encoded(scene(80, 60), kind, **options)
    path = tmp_path / "a.jpg"
    broken = 0
    for end in sorted({*range(0, len(data), max(len(data) // 60, 1)), 1, 2, 11, len(data) - 1}):
        path.write_bytes(data[:end])
        broken += survives(path)
    assert broken >= 40


def survives(path: Path) -> bool:
    """Check that a file is opened or refused by name; tell whether it was refused."""
    broken = False
    for way in (pictures.open_picture, pictures.header, lambda p: pictures.open_picture(p, 8)):
        try:
            way(path)
        except PictureError as error:
            assert str(path) in str(error) and len(error.reason) > 5
            broken = True
    return broken


def test_half_a_photo_is_refused(tmp_path: Path) -> None:
    for kind in ("JPEG", "PNG"):
        data = encoded(scene(400, 300), kind)
        (tmp_path / "a").write_bytes(data[: len(data) // 2])
        with pytest.raises(PictureError):
            pictures.open_picture(tmp_path / "a")
        with pytest.raises(PictureError):
            pictures.open_picture(tmp_path / "a", at_least=32)


@pytest.mark.parametrize(
    "size", [(100_000, 100_000), (16_385, 16_384), (65_536, 1), (20_000, 20_000)]
)
def test_a_huge_picture_is_refused_before_it_is_decoded(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    (tmp_path / "a.png").write_bytes(png(*size, bytes(1000)))
    tracemalloc.start()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        reason = refused(tmp_path / "a.png")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "limit" in reason and not said
    assert peak < 5_000_000


def test_a_huge_picture_inside_a_small_icon_is_refused(tmp_path: Path) -> None:
    inner = png(100_000, 100_000, bytes(1000))
    head = struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(inner), 22)
    (tmp_path / "a.ico").write_bytes(head + inner)
    with pytest.raises(PictureError, match="too large"):
        pictures.open_picture(tmp_path / "a.ico")


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0)])
def test_a_picture_without_pixels_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "a.png").write_bytes(png(*size))
    refused(tmp_path / "a.png")
    (tmp_path / "a.bmp").write_bytes(
        encoded(scene(), "BMP").replace(struct.pack("<ii", 40, 30), struct.pack("<ii", *size))
    )
    refused(tmp_path / "a.bmp")


def test_memory_that_runs_out_names_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Image.Image) -> None:
        raise MemoryError

    path = stored(tmp_path, scene(), "a.png", "PNG")
    monkeypatch.setattr(Image.Image, "convert", refuse)
    monkeypatch.setattr(Image.Image, "copy", refuse)
    with pytest.raises(PictureError, match="too large") as found:
        pictures.open_picture(path)
    assert found.value.path == path


FUZZED = ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"]


@pytest.mark.parametrize("kind", FUZZED)
def test_a_damaged_file_is_opened_or_refused(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    options: dict[str, object] = {} if kind in {"BMP", "GIF"} else {"exif": exif(6)}
    options |= {"compression": "tiff_adobe_deflate"} if kind == "TIFF" else {}
    data = encoded(scene(24, 18), kind, **options)
    position = st.one_of(st.integers(0, min(len(data), 200) - 1), st.integers(0, len(data) - 1))
    flips = st.lists(st.tuples(position, st.integers(0, 255)), min_size=1, max_size=8)
    caplog.set_level(logging.CRITICAL, logger="PIL")

    @settings(max_examples=200, deadline=None, database=None, derandomize=True,
              suppress_health_check=[HealthCheck.too_slow])  # fmt: skip
    @given(flips, st.one_of(st.none(), st.integers(0, len(data))))
    def check(changes: list[tuple[int, int]], end: int | None) -> None:
        damaged = bytearray(data)
        for place, value in changes:
            damaged[place] = value
        path = tmp_path / "damaged.jpg"
        path.write_bytes(damaged[:end])
        survives(path)

    with warnings.catch_warnings(record=True) as said:
        check()
    assert not [w for w in said if issubclass(w.category, ResourceWarning)]
    assert "Traceback" not in capfd.readouterr().err


# Smaller decodes


@pytest.mark.parametrize("at_least", [1, 32, 64, 99, 100, 101, 200, 399, 400, 500])
def test_a_jpeg_is_decoded_smaller_but_never_too_small(tmp_path: Path, at_least: int) -> None:
    path = stored(tmp_path, scene(801, 400), "a.jpg", "JPEG", quality=95)
    decoded = pictures.open_picture(path, at_least)
    step = next((s for s in (8, 4, 2) if 400 // s >= at_least), 1)
    assert decoded.image.size == (-(-801 // step), 400 // step)
    assert min(decoded.image.size) >= min(at_least, 400)
    assert decoded.size == (801, 400)
    whole = pictures.open_picture(path).image.resize(decoded.image.size, Image.Resampling.BOX)
    likeness = structural_similarity(
        np.asarray(decoded.image), np.asarray(whole), channel_axis=2, win_size=7
    )
    assert likeness > 0.97


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_jpegs_are_decoded_smaller_too(tmp_path: Path, mode: str) -> None:
    path = stored(tmp_path, scene(800, 400).convert(mode), "a.jpg", "JPEG")
    decoded = pictures.open_picture(path, 50)
    assert (decoded.image.size, decoded.image.mode, decoded.size) == ((100, 50), "RGB", (800, 400))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_other_formats_are_decoded_whole(tmp_path: Path, kind: str) -> None:
    path = stored(tmp_path, scene(800, 400), "a", kind)
    assert pictures.open_picture(path, 50).image.size == (800, 400)


@pytest.mark.parametrize("at_least", [0, -5])
def test_a_demand_for_nothing_is_met(tmp_path: Path, at_least: int) -> None:
    path = stored(tmp_path, scene(80, 40), "a.jpg", "JPEG")
    assert pictures.open_picture(path, at_least).image.size == (10, 5)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_smaller_and_upright(tmp_path: Path, orientation: int) -> None:
    path = stored(tmp_path, scene(800, 400), "a.jpg", "JPEG", exif=exif(orientation))
    decoded = pictures.open_picture(path, 100)
    assert decoded.size == size_of(path) == ((400, 800) if orientation >= 5 else (800, 400))
    assert decoded.scale == (0.25, 0.25)
    whole = pictures.open_picture(path).image.resize(decoded.image.size, Image.Resampling.BOX)
    assert np.abs(np.asarray(decoded.image).astype(int) - np.asarray(whole)).mean() < 2


@pytest.mark.parametrize("at_least", [None, 50, 100, 200])
@pytest.mark.parametrize(
    "box", [Box(0, 0, 800, 400), Box(101, 57, 405, 303), Box(-50, 200, 90, 900)]
)
def test_a_crop_is_that_of_the_whole_picture(
    tmp_path: Path, at_least: int | None, box: Box
) -> None:
    smooth = scene(800, 400).filter(ImageFilter.GaussianBlur(8))
    path = stored(tmp_path, smooth, "a.jpg", "JPEG", quality=95)
    found = pictures.open_picture(path, at_least).crop(box, (32, 24))
    corners = [int(v) for v in box.clip(800, 400).xyxy()]
    wanted = pictures.open_picture(path).image.crop(corners)
    near(found, wanted.resize((32, 24), Image.Resampling.BILINEAR), within=8 if at_least else 1)


# What is taken for a picture


@pytest.mark.parametrize(
    "kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "MPO"]
)
def test_a_picture_is_known_without_a_suffix(tmp_path: Path, kind: str) -> None:
    assert pictures.is_picture(stored(tmp_path, scene(), "name", kind))
    assert pictures.is_picture(stored(tmp_path, scene(), "name.txt", kind))


def test_what_is_no_picture(tmp_path: Path) -> None:
    for text in ("", "B", "BM", "BMW, Audi, Opel and a few more", "RIFF....WAVEfmt ", "GIF", "MM"):
        (tmp_path / "a.txt").write_text(text)
        assert not pictures.is_picture(tmp_path / "a.txt")
    assert not pictures.is_picture(tmp_path)
    assert not pictures.is_picture(tmp_path / "none")
    assert not pictures.is_picture(tmp_path / "a\0")


def test_a_suffix_is_enough(tmp_path: Path) -> None:
    (tmp_path / "A.JPG").touch()
    assert pictures.is_picture(tmp_path / "A.JPG")
    assert pictures.is_picture(tmp_path / "none.TiFF")  # a broken link has to be reported


def test_every_suffix_has_a_format_that_is_read_and_written(tmp_path: Path) -> None:
    for suffix in sorted(pictures.SUFFIXES):
        path = tmp_path / f"가 림{suffix}"
        pictures.save(scene(), path)
        assert pictures.header(path).format in {*pictures.FORMATS, "MPO"}
        like(opened(path), scene())


# Threads and warnings


def test_many_threads_see_the_same_pixels(tmp_path: Path) -> None:
    paths = [stored(tmp_path, scene(seed=s), f"{s}.{k}", k) for s in range(4)
             for k in ("JPEG", "PNG", "GIF", "WEBP", "TIFF")]  # fmt: skip
    paths.append(stored(tmp_path, scene(), "exif.jpg", "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x09"))
    alone = [pictures.open_picture(path).image.tobytes() for path in paths]
    filters = list(warnings.filters)
    start = threading.Barrier(8)

    def work(_: int) -> list[bytes]:
        start.wait()
        return [pictures.open_picture(path).image.tobytes() for path in paths * 3]

    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(work, range(8)):
            assert found == alone * 3
    assert warnings.filters == filters


def test_a_fresh_program_may_start_with_threads_and_stays_silent(tmp_path: Path) -> None:
    stored(tmp_path, scene(), "a.jpg", "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    stored(tmp_path, scene().quantize(9), "b.png", "PNG", transparency=b"\x00\x80")
    (tmp_path / "c.png").write_bytes(png(20_000, 20_000))
    program = f"""
import sys, types
package = types.ModuleType("garim")  # without what garim/__init__.py imports: torch takes seconds
package.__path__ = [{str(Path(pictures.__file__).parent)!r}]
sys.modules["garim"] = package
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from garim import pictures
from garim.errors import PictureError
def work(path):
    try:
        pictures.open_picture(path)
    except PictureError:
        return path.name
with ThreadPoolExecutor(8) as pool:
    print(set(pool.map(work, sorted(Path({str(tmp_path)!r}).iterdir()) * 40)) - {{None}})
"""
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "{'c.png'}"
    assert done.stderr == ""
