import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import garim
from drawn_pictures import shapes
from garim import UpscaleSettings, frames
from garim.enhancement.listing import listing_done
from garim.enhancement.settings import passes, read_kernel
from garim.enhancement.zero_shot import zero_shot
from garim.errors import DatasetError, ModelError, SettingsError
from garim.models.upscaler import Upscaler, UpscalerCard, create_upscaler, shipped
from garim.resizing import as_values, imresize
from garim.training.degradation import Degradation, degrade


def draw(folder: Path) -> Path:
    (folder / "개").mkdir(parents=True)
    Image.fromarray(shapes(30, 20)).save(folder / "a.png")
    Image.fromarray(shapes(30, 20, 1)).save(folder / "개" / "b.jpg", quality=95)
    first, *rest = (Image.fromarray(shapes(16, 12, seed)) for seed in range(3))
    first.save(folder / "c.gif", save_all=True, append_images=rest, duration=[40, 80, 120], loop=0)
    (folder / "bad.png").write_bytes(b"no picture")
    return folder


def test_a_folder_with_the_weights_that_come_along(tmp_path: Path) -> None:
    data, out = draw(tmp_path / "data"), tmp_path / "out"
    found = garim.upscale(data, out)
    assert [Path(row.to).relative_to(out).as_posix() for row in found.rows] == [
        "a.png", "c.gif", "개/b.jpg",
    ]  # fmt: skip
    assert [row.frames for row in found.rows] == [1, 3, 1]
    assert [Path(one.picture).name for one in found.failures] == ["bad.png"]
    whole = frames.read(out / "c.gif")
    assert (whole.durations, whole.loop, whole.frames[0].size) == ((40, 80, 120), 0, (32, 24))
    wanted = shipped().enlarge(as_values(shapes(30, 20)))
    with Image.open(out / "a.png") as image:
        assert np.abs(np.asarray(image) / 255 - wanted).max() < 1 / 255
    with Image.open(out / "개" / "b.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (60, 40))


def test_it_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, out = draw(tmp_path / "data"), tmp_path / "out"
    plain = UpscaleSettings(method="bicubic")
    before, count = frames.write, [0]

    def interrupted(*arguments: object) -> None:
        before(*arguments)  # type: ignore[arg-type]
        if count[0]:  # written, and not yet noted
            raise KeyboardInterrupt
        count[0] += 1

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(frames, "write", interrupted)
        garim.upscale(data, out, plain)
    with (out / "upscaled.jsonl").open("ab") as stream:
        stream.write('{"picture": "개'.encode()[:-1])  # a line that was broken off
    found = garim.upscale(data, out, plain)
    assert (len(found.rows), found.reused) == (3, 1)
    assert garim.upscale(data, out, plain).reused == 3
    Image.fromarray(shapes(30, 20, 9)).save(data / "a.png")
    assert garim.upscale(data, out, plain).reused == 2  # a changed original is done again
    assert garim.upscale(data, out, UpscaleSettings(method="bicubic", scale=3)).reused == 0
    with Image.open(out / "a.png") as image:
        assert image.size == (90, 60)


def test_nothing_of_others_is_overwritten(tmp_path: Path) -> None:
    data, out = draw(tmp_path / "data"), tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_bytes(b"mine")
    found = garim.upscale(data / "a.png", out, UpscaleSettings(method="bicubic"))
    assert not found.rows and "is there already" in found.failures[0].error
    assert (out / "a.png").read_bytes() == b"mine"
    with pytest.raises(DatasetError, match="is an original"):
        garim.upscale(data, data)


def test_one_run_writes_to_a_folder_at_a_time(tmp_path: Path) -> None:
    data, out = draw(tmp_path / "data"), tmp_path / "out"
    plain = UpscaleSettings(method="bicubic")
    with listing_done(out), pytest.raises(DatasetError, match="being written by process"):
        garim.upscale(data, out, plain)
    assert list(out.iterdir()) == []
    assert garim.upscale(data, out, plain).reused == 0


def test_two_of_one_name(tmp_path: Path) -> None:
    for name, seed in (("x", 0), ("y", 1)):
        (tmp_path / name).mkdir()
        Image.fromarray(shapes(10, 8, seed)).save(tmp_path / name / "a.png")
    given = [tmp_path / "x" / "a.png", tmp_path / "y" / "a.png", tmp_path / "x" / "a.png"]
    found = garim.upscale(given, tmp_path / "out", UpscaleSettings(method="bicubic"))
    assert len({row.to for row in found.rows}) == 2
    with pytest.raises(DatasetError, match="no such file"):
        garim.upscale(tmp_path / "z.png", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="holds no picture"):
        garim.upscale(tmp_path / "empty", tmp_path / "out")


def test_four_times_in_two_passes_and_own_models(tmp_path: Path) -> None:
    Image.fromarray(shapes(15, 10)).save(tmp_path / "a.png")
    found = garim.upscale(tmp_path / "a.png", tmp_path / "four", UpscaleSettings(scale=4, tile=32))
    once = shipped().enlarge(as_values(shapes(15, 10)))
    with Image.open(found.rows[0].to) as image:
        assert np.abs(np.asarray(image) / 255 - shipped().enlarge(once)).max() < 1 / 255
    with pytest.raises(SettingsError, match="not ×3"):
        garim.upscale(tmp_path / "a.png", tmp_path / "three", UpscaleSettings(scale=3))
    torch.manual_seed(0)
    card = UpscalerCard(architecture="compact", scale=3)
    Upscaler(create_upscaler("compact", 3), card).save(tmp_path / "model")
    own = UpscaleSettings(scale=3, model=tmp_path / "model")
    with Image.open(garim.upscale(tmp_path / "a.png", tmp_path / "own", own).rows[0].to) as image:
        assert image.size == (45, 30)
    (tmp_path / "x.pth").write_bytes(b"no")
    with pytest.raises(ModelError, match="more than tensors"):
        garim.upscale(tmp_path / "a.png", tmp_path / "o",
                      UpscaleSettings(model=tmp_path / "x.pth"))  # fmt: skip


def test_zero_shot_learns_a_known_blur() -> None:
    picture = shapes(96, 96)
    how = Degradation(blur=1.5)
    small = degrade(picture, (48, 48), how, np.random.default_rng(0))
    start = shipped()
    weights = {name: t.clone() for name, t in start.network.state_dict().items()}

    def wrong(upscaler: Upscaler) -> float:
        return float(np.mean((upscaler.enlarge(as_values(small)) - as_values(picture)) ** 2))

    learned = zero_shot(start, as_values(small), how, seconds=1.5)
    assert wrong(learned) < 0.85 * wrong(start)
    assert all((t == weights[name]).all() for name, t in start.network.state_dict().items())
    tiny = as_values(shapes(9, 9))
    assert (zero_shot(start, tiny, how, 1.0).enlarge(tiny) == start.enlarge(tiny)).all()


def test_kernels_and_settings(tmp_path: Path) -> None:
    (tmp_path / "k.txt").write_text("0, 1, 0\n1 2 1\n0 1 0\n")
    assert read_kernel(tmp_path / "k.txt") == ((0.0, 1.0, 0.0), (1.0, 2.0, 1.0), (0.0, 1.0, 0.0))
    for text, told in (("1 2", "odd"), ("a", "no table"), ("", "empty")):
        (tmp_path / "k.txt").write_text(text)
        with pytest.raises(SettingsError, match=told):
            read_kernel(tmp_path / "k.txt")
    assert (passes(4, 2), passes(2, 2), passes(9, 3)) == (2, 1, 2)
    with pytest.raises(SettingsError) as caught:
        UpscaleSettings(scale=1, method="magic", blur=-1, tile=1, quality=0, seconds=0).check()  # type: ignore[arg-type]
    assert len(caught.value.problems) == 7


FFMPEG = """#!{python}
import sys
from pathlib import Path
args = sys.argv[1:]
source = Path(args[args.index("-i") + 1].removeprefix("file:"))
if "framecrc" in args:
    if source.read_bytes()[:4] != b"film":
        sys.exit("film: Invalid data found")
    print("#tb 0: 1/25\\n#dimensions 0: 6x4\\n0, 0, 0, 1, 72, 0x1")
elif args[-1] == "-":
    sys.stdout.buffer.write(source.read_bytes()[4:])
else:
    head = " ".join(args[args.index("-s"):args.index("-s") + 4]).encode()
    Path(args[-1]).write_bytes(head + b"|" + sys.stdin.buffer.read())
"""


@pytest.fixture
def ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that knows one kind of film: raw frames after four letters."""
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text(FFMPEG.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)


@pytest.mark.usefixtures("ffmpeg")
def test_videos_frame_by_frame(tmp_path: Path) -> None:
    film = [shapes(6, 4, seed) for seed in range(3)]
    (tmp_path / "a.mp4").write_bytes(b"film" + b"".join(one.tobytes() for one in film))
    (tmp_path / "b.mkv").write_bytes(b"nothing")
    given = [tmp_path / "a.mp4", tmp_path / "b.mkv"]
    found = garim.upscale(given, tmp_path / "out", UpscaleSettings(method="bicubic"))
    assert [row.frames for row in found.rows] == [3]
    head, _, data = (tmp_path / "out" / "a.mp4").read_bytes().partition(b"|")
    assert head == b"-s 12x8 -r 25"
    written = np.frombuffer(data, np.uint8).reshape(3, 8, 12, 3).astype(int)
    wanted = np.stack([imresize(one, (12, 8)) for one in film])
    assert np.abs(written - wanted).max() <= 1
    assert "Invalid data" in found.failures[0].error
    assert not (tmp_path / "out" / "b.mkv").exists()


def test_videos_without_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "a.mp4").write_bytes(b"film")
    found = garim.upscale(tmp_path / "a.mp4", tmp_path / "out", UpscaleSettings(method="bicubic"))
    assert "need the program ffmpeg" in found.failures[0].error
