"""Folders that are made anew, and what an interruption leaves of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock
from PIL import Image

import garim
from garim import files
from garim.errors import DatasetError, SettingsError
from garim.growing import check_target, claimed, growing


def grown(target: Path, name: str, *added: str) -> set[str]:
    """Let a folder grow by some files; give what was there before."""
    with growing(target, name) as folder:
        before = {path.name for path in folder.iterdir()}
        for one in added:
            files.write_text(folder / one, one)
    return before


class StoppedError(Exception):
    pass


def interrupted(target: Path, name: str, *added: str) -> None:
    with pytest.raises(StoppedError), growing(target, name) as folder:
        for one in added:
            files.write_text(folder / one, one)
        raise StoppedError


@pytest.fixture(params=["new", "empty", "a disk of its own"])
def target(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "made"
    if request.param != "new":
        path.mkdir()
    if request.param == "a disk of its own":
        monkeypatch.setattr(Path, "is_mount", lambda self: self == path)

        def busy(self: Path) -> None:
            raise OSError(16, "Device or resource busy", str(self))

        monkeypatch.setattr(Path, "rmdir", busy)
    return path


def test_it_is_there_when_it_is_whole(target: Path) -> None:
    interrupted(target, "one", "a", "b")
    check_target(target)  # nothing that looks like a result
    assert not target.exists() or all(p.name.startswith(".") for p in target.iterdir())
    assert grown(target, "one", "c") == {"a", "b"}
    assert {p.name for p in target.iterdir()} == {"a", "b", "c"}
    assert {p.name for p in target.parent.iterdir()} == {"made"}
    with pytest.raises(DatasetError, match="is not empty"):
        grown(target, "one")


def test_what_another_run_left_is_begun_again(target: Path) -> None:
    interrupted(target, "one", "a")
    assert grown(target, "two", "b") == set()
    assert {p.name for p in target.iterdir()} == {"b"}


def test_who_has_done_nothing_leaves_nothing(target: Path) -> None:
    interrupted(target, "one")
    assert not [p for p in (target, *target.parent.iterdir()) if p.name.startswith(".")]
    assert not target.exists() or not list(target.iterdir())


def test_only_one_makes_it(target: Path) -> None:
    with growing(target, "one"), pytest.raises(DatasetError, match="is being written"):
        grown(target, "one")


STRAY = f".{'0' * 32}.tmp"


@pytest.mark.parametrize("command", ["collect", "train", "cutout", "convert"])
def test_a_kill_at_the_very_first_file_does_not_lock_the_folder(
    command: str, tmp_path: Path
) -> None:
    path = tmp_path / "data" / "cat" / "1.png"
    path.parent.mkdir(parents=True)
    disc = Image.new("RGB", (64, 64), "white")
    disc.paste("navy", (20, 20, 44, 44))
    disc.save(path)
    (tmp_path / "data" / "dog").mkdir()
    disc.transpose(Image.Transpose.ROTATE_90).rotate(20).save(tmp_path / "data/dog/2.png")
    to = tmp_path / "to"
    to.mkdir()
    unfinished = tmp_path / ".to.unfinished"
    unfinished.mkdir()
    (to / STRAY).write_bytes(b"ha")
    (unfinished / STRAY).write_bytes(b"ha")
    if command == "convert":
        (to / STRAY).unlink()  # nothing is ever written there
        garim.write(garim.read(tmp_path / "data"), to, "folder")
    elif command == "collect":
        garim.collect(tmp_path / "data", to)
    elif command == "cutout":
        garim.cutout(tmp_path / "data", to)
    else:
        settings = garim.TrainSettings(backbone="small_cnn", weights="none", size=32, epochs=1)
        garim.train(garim.read(tmp_path / "data"), settings, to)
    assert not (to / STRAY).exists()


def test_a_folder_that_is_filled_is_held_and_tidied(tmp_path: Path) -> None:
    made, stray = tmp_path / "made", tmp_path / "made" / STRAY
    with claimed(made, "how.json", {"size": 1}):
        files.write_text(made / "a", "a")
        stray.write_bytes(b"half")
        with pytest.raises(DatasetError, match="is being written"), claimed(made, "how.json", {}):
            pass
    with pytest.raises(SettingsError, match="other settings"), claimed(made, "how.json", {}):
        pass
    with claimed(made, "how.json", {"size": 1}):
        assert not stray.exists() and (made / "a").exists()
    with pytest.raises(DatasetError, match="is not empty"), claimed(made, "other.json", {}):
        pass
    assert {path.name for path in made.iterdir()} == {"a", "how.json"}


def test_a_conversion_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        path = tmp_path / "data" / "cat" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20), (number, 0, 0)).save(path)
    copied: list[str] = []
    plain = files.copy

    def copy(source: Path, to: Path) -> None:
        if len(copied) == 2:
            raise StoppedError
        copied.append(source.name)
        plain(source, to)

    monkeypatch.setattr(files, "copy", copy)
    with pytest.raises(StoppedError):
        garim.write(garim.read(tmp_path / "data"), tmp_path / "yolo", "yolo")
    assert not (tmp_path / "yolo").exists()
    first, copied[:] = list(copied), []
    Image.new("RGB", (20, 20), (9, 9, 9)).save(tmp_path / "data" / "cat" / first[0])
    os.utime(tmp_path / "data" / "cat" / first[0], (1, 1))  # changed meanwhile: copied again
    with pytest.raises(StoppedError):
        garim.write(garim.read(tmp_path / "data"), tmp_path / "yolo", "yolo")
    assert first[0] in copied and first[1] not in copied
    monkeypatch.setattr(files, "copy", plain)
    written = garim.write(garim.read(tmp_path / "data"), tmp_path / "yolo", "yolo")
    assert len(written) == 4
    assert {Image.open(written.path(row)).getpixel((0, 0)) for row in written} == {
        (9, 9, 9), (1, 0, 0), (2, 0, 0), (3, 0, 0),
    }  # fmt: skip
    with FileLock(tmp_path / ".more.lock"), pytest.raises(DatasetError, match="being written"):
        garim.write(written, tmp_path / "more", "csv")
