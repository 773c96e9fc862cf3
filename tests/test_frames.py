from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from drawn_pictures import shapes
from garim import frames
from garim.errors import PictureError


def turned_exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "Garim"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageWidth] = 4
    return exif


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
def test_metadata_goes_in_and_out(kind: str, tmp_path: Path) -> None:
    path, out = tmp_path / f"a.{kind}", tmp_path / f"b.{kind}"
    profile = b"a colour profile" * 20
    image = Image.fromarray(shapes(20, 10))
    image.save(path, exif=turned_exif(6), icc_profile=profile, dpi=(300, 300))
    whole = frames.read(path)
    assert whole.frames[0].size == (10, 20) and len(whole.frames) == 1
    frames.write(whole, out)
    with Image.open(out) as written:
        exif = written.getexif()
        assert written.size == (10, 20)
        assert written.info["icc_profile"] == profile
        assert exif[ExifTags.Base.Make] == "Garim" and ExifTags.Base.Orientation not in exif
        assert ExifTags.Base.ExifImageWidth not in exif.get_ifd(ExifTags.IFD.Exif)
        if kind != "webp":
            assert written.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def moving(count: int = 3, alpha: bool = False) -> list[Image.Image]:
    pictures = [Image.fromarray(shapes(16, 12, seed)) for seed in range(count)]
    if alpha:
        for number, picture in enumerate(pictures):
            mask = np.full((12, 16), 255, np.uint8)
            mask[:, : 4 + number] = 0
            picture.putalpha(Image.fromarray(mask))
    return pictures


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_timing_is_kept(kind: str, alpha: bool, tmp_path: Path) -> None:
    path, out = tmp_path / f"a.{kind}", tmp_path / f"b.{kind}"
    first, *rest = moving(alpha=alpha)
    options = {"lossless": True} if kind == "webp" else {"disposal": 2} if kind == "gif" else {}
    first.save(path, save_all=True, append_images=rest, duration=[40, 100, 250], loop=3, **options)
    whole = frames.read(path)
    assert (whole.durations, whole.loop) == ((40, 100, 250), 3)
    assert {frame.mode for frame in whole.frames} == {"RGBA" if alpha else "RGB"}
    frames.write(whole, out, quality=100)
    again = frames.read(out)
    assert (again.durations, again.loop) == ((40, 100, 250), 3)
    if alpha:
        for one, other in zip(whole.frames, again.frames, strict=True):
            assert (np.asarray(one)[..., 3] == np.asarray(other)[..., 3]).all()


def test_pages_of_a_tiff(tmp_path: Path) -> None:
    path, out = tmp_path / "a.tif", tmp_path / "b.tif"
    first, *rest = moving()
    first.save(path, save_all=True, append_images=rest)
    frames.write(frames.read(path), out)
    again = frames.read(out)
    assert [np.asarray(f).tolist() for f in again.frames] == [np.asarray(f).tolist() for f in
                                                              (first, *rest)]  # fmt: skip


def test_limits_and_errors(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    first, *rest = moving()
    first.save(path, save_all=True, append_images=rest)
    with pytest.raises(PictureError, match="in all frames are over the limit of 500"):
        frames.read(path, 500)
    path.write_bytes(b"GIF89a")
    with pytest.raises(PictureError):
        frames.read(path)
    whole = frames.WholePicture((first,), (0,), "JPEG", None, None, None, None)
    with pytest.raises(PictureError, match="cannot be saved"):
        frames.write(whole.with_frames([Image.new("F", (2, 2))]), tmp_path / "x.jpg")
