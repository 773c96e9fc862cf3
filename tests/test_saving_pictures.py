"""What is written: pictures in every format, whole or not at all, and crops of files."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFilter

from garim import pictures
from garim.boxes import Box
from garim.errors import DiskError, GarimError, PictureError
from picture_files import (
    SIZE,
    exif,
    grey16,
    like,
    near,
    opened,
    profile,
    scene,
    size_of,
    stored,
    two_colours,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # pytest drops garim's filter


# Saving


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".ppm", ".jp2", ".ico"])
def test_lossless_formats_give_back_what_was_saved(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"A{suffix.upper()}"
    pictures.save(scene(), path)
    near(opened(path), scene())
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name]


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".avif"])
def test_quality_counts(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    image = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(1))
    sizes, errors = [], []
    for quality in (20, 95):
        path = tmp_path / f"a{suffix}"
        pictures.save(image, path, quality)
        sizes.append(path.stat().st_size)
        errors.append(np.abs(opened(path) - np.asarray(image)).mean())
    assert sizes[0] < sizes[1] and errors[0] > errors[1]
    assert errors[1] < 8


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I;16", "F"])
def test_a_jpeg_takes_every_mode(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(grey16()) if mode == "I;16" else scene().convert(mode)
    before = image.copy()
    pictures.save(image, tmp_path / "a.jpg")
    assert pictures.open_picture(tmp_path / "a.jpg").size == SIZE
    assert image.mode == before.mode and image.info == before.info


@pytest.mark.parametrize("name", ["a", "a.", "a.txt", "a.pdf", "a.eps", ".png", "a.jpg.tmp"])
def test_an_unknown_suffix_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PictureError, match=r"use one of \.avif, \.bmp") as found:
        pictures.save(scene(), tmp_path / name)
    assert found.value.path == tmp_path / name
    assert not list(tmp_path.iterdir())


def test_a_format_that_lacks_the_mode_says_so(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="cannot be saved as PNG"):
        pictures.save(scene().convert("F"), tmp_path / "a.png")
    with pytest.raises(PictureError, match="cannot be saved as ICO"):
        pictures.save(scene(300, 10), tmp_path / "a.ico")
    assert not list(tmp_path.iterdir())


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def half_written(_: Image.Image, target: object, *__: object, **___: object) -> None:
    if isinstance(target, str | Path):
        Path(target).write_bytes(b"half")
    else:
        target.write(b"half")  # type: ignore[attr-defined]
    raise RuntimeError("encoder error -9")


@pytest.mark.parametrize(
    ("owner", "name", "failure", "error", "reason"),
    [
        (Image.Image, "save", half_written, PictureError, "encoder error"),
        (os, "fsync", no_space, DiskError, "No space left"),
        (Path, "write_bytes", no_space, DiskError, "No space left"),
        (Path, "replace", no_space, DiskError, "No space left"),
    ],
)
def test_the_old_picture_stays_when_saving_fails(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    name: str,
    failure: Callable[..., None],
    error: type[GarimError],
    reason: str,
) -> None:
    path = stored(tmp_path, scene(), "a.png", "PNG")
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, failure)
        with pytest.raises(error, match=reason) as found:
            pictures.save(scene(seed=1), path)
        assert str(path) in str(found.value)
        with pytest.raises(error, match=reason):
            pictures.crop_file(path, Box(0, 0, 9, 9), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(PictureError, match="cannot be saved as PNG"):
        pictures.save(scene(), tmp_path / "a" / "b.png")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    def write(_: Path, data: bytes) -> None:
        with Path("/dev/full").open("wb") as stream:
            stream.write(data)

    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(DiskError, match="No space left"):
        pictures.save(scene(), tmp_path / f"a{suffix}")
    assert not list(tmp_path.iterdir())


# Cropping files

BOX = Box(5, 4, 31, 25)
CORNERS = (5, 4, 31, 25)


def cropped(path: Path, box: Box = BOX) -> Image.Image:
    target = path.with_name(f"cut-{path.name}")
    pictures.crop_file(path, box, target)
    with Image.open(target) as image, Image.open(path) as before:
        image.load()
        assert image.format == before.format
        return image


@pytest.mark.parametrize(
    ("kind", "modes"),
    [
        ("PNG", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]),
        ("TIFF", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F", "I;16"]),
        ("BMP", ["1", "L", "P", "RGB"]),
        ("GIF", ["P", "L"]),
        ("PPM", ["1", "L", "RGB"]),
        ("JPEG2000", ["L", "LA", "RGB", "RGBA", "I;16"]),
        ("ICO", ["RGB", "RGBA"]),
    ],
)
def test_a_crop_keeps_mode_and_pixels(tmp_path: Path, kind: str, modes: list[str]) -> None:
    for mode in modes:
        whole = Image.fromarray(grey16()) if mode == "I;16" else scene().convert(mode)
        if mode in {"LA", "RGBA"}:
            whole.putalpha(Image.fromarray((grey16() >> 8).astype(np.uint8)))
        options = {"sizes": [SIZE]} if kind == "ICO" else {}
        path = stored(tmp_path, whole, "a", kind, **options)
        cut = cropped(path)
        with Image.open(path) as before:
            before.load()
            wanted = before.crop(CORNERS)
            assert cut.mode == before.mode
        as_seen = (lambda v: v) if mode.startswith(("I", "F")) else (lambda v: v.convert("RGBA"))
        near(as_seen(cut), as_seen(wanted))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_crop_keeps_sixteen_bits_as_opencv_sees_them(tmp_path: Path, suffix: str) -> None:
    path, target = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    cv2.imwrite(str(path), grey16())
    pictures.crop_file(path, BOX, target)
    found = cv2.imread(str(target), cv2.IMREAD_UNCHANGED)
    assert found.dtype == np.uint16
    near(found, grey16()[4:25, 5:31])


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_stays_a_jpeg(tmp_path: Path, mode: str) -> None:
    path = stored(tmp_path, scene().convert(mode), "a.png", "JPEG", quality=95)
    cut = cropped(path)
    assert (cut.format, cut.mode, cut.size) == ("JPEG", mode, (26, 21))
    near(opened(path.with_name("cut-a.png")), opened(path)[4:25, 5:31], within=16)


def test_a_photo_for_two_eyes_becomes_one_jpeg(tmp_path: Path) -> None:
    options = {"save_all": True, "append_images": [scene(seed=2)]}
    path = stored(tmp_path, scene(), "a.jpg", "MPO", **options)
    pictures.crop_file(path, BOX, tmp_path / "b.jpg")
    assert pictures.header(tmp_path / "b.jpg").format == "JPEG"
    near(opened(tmp_path / "b.jpg"), opened(path)[4:25, 5:31], within=24)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_cut(tmp_path: Path, kind: str) -> None:
    frames = [scene(seed=seed).quantize(64) for seed in range(3)]
    options = {"save_all": True, "append_images": frames[1:], "duration": 50, "loop": 0}
    path = stored(tmp_path, frames[0], "a", kind, **options)
    cropped(path)
    assert pictures.header(path).frames == 3
    assert pictures.header(tmp_path / "cut-a").frames == 1
    same = like if kind == "WEBP" else near
    same(opened(tmp_path / "cut-a"), opened(path)[4:25, 5:31])


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_a_crop_keeps_what_is_transparent_in_a_palette(tmp_path: Path, kind: str) -> None:
    image = two_colours()
    cut = cropped(stored(tmp_path, image, "a", kind, transparency=0))
    assert cut.has_transparency_data
    near(cut.convert("RGBA").getchannel("A"), np.where(np.asarray(image)[4:25, 5:31], 255, 0))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_crop_keeps_the_colour_profile_and_turns_once(tmp_path: Path, kind: str) -> None:
    path = stored(tmp_path, scene(), "a", kind, exif=exif(6), icc_profile=profile())
    cut = cropped(path, Box(3, 5, 21, 35))
    assert cut.info["icc_profile"] == profile()
    assert cut.size == (18, 30)
    like(opened(tmp_path / "cut-a"), opened(path)[5:35, 3:21])


def test_xmp_does_not_turn_a_crop_again(tmp_path: Path) -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'
    path = stored(tmp_path, scene(), "a.jpg", "JPEG", xmp=xmp)
    assert size_of(path) == (30, 40)
    cropped(path, Box(0, 0, 10, 30))
    assert opened(tmp_path / "cut-a.jpg").shape == (30, 10, 3)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"])
def test_a_crop_keeps_the_compression_of_a_tiff(tmp_path: Path, compression: str) -> None:
    cut = cropped(stored(tmp_path, scene(), "a.tif", "TIFF", compression=compression))
    assert cut.info["compression"] == compression
    same = like if compression == "jpeg" else near
    same(cut, scene().crop(CORNERS))


def test_a_profile_that_no_longer_fits_goes(tmp_path: Path) -> None:
    path = stored(tmp_path, scene().convert("CMYK"), "a.jpg", "JPEG", icc_profile=profile())
    assert "icc_profile" not in pictures.open_picture(path).image.info
    pictures.save(pictures.open_picture(path).image, tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as image:
        assert "icc_profile" not in image.info


@pytest.mark.parametrize(
    "box",
    [Box(40, 0, 50, 9), Box(0, 30, 9, 40), Box(-9, -9, 0, 0), Box(9, 9, 5, 5), Box(3, 3, 3, 9)],
)
def test_a_box_without_a_pixel_is_refused(tmp_path: Path, box: Box) -> None:
    path = stored(tmp_path, scene(), "a.png", "PNG")
    with pytest.raises(PictureError, match="40 × 30") as found:
        pictures.crop_file(path, box, tmp_path / "b.png")
    assert found.value.path == path
    assert not (tmp_path / "b.png").exists()


def test_a_box_is_snapped_and_cut_to_the_picture(tmp_path: Path) -> None:
    path = stored(tmp_path, scene(), "a.png", "PNG")
    near(cropped(path, Box(4.6, 3.6, 31.4, 25.4)), scene().crop(CORNERS))
    near(cropped(path, Box(-5, -5, 99, 12)), scene().crop((0, 0, 40, 12)))


def test_a_picture_may_be_cut_in_its_own_place(tmp_path: Path) -> None:
    path = stored(tmp_path, scene(), "a.png", "PNG")
    pictures.crop_file(path, BOX, path)
    near(opened(path), scene().crop(CORNERS))
