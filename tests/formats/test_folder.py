from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from datasets_on_disk import contents, draw_picture

from garim import formats
from garim.errors import FormatError
from garim.formats import folder
from garim.formats.rows import Row

NFD = unicodedata.normalize("NFD", "고양이")


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def test_what_folders_mean(tmp_path: Path) -> None:
    expected = {
        "Pokemon/dog/a.jpg": (None, "dog"),
        "Train/dog/a.jpg": ("train", "dog"),
        "dog/valid/a.jpg": ("validation", "dog"),
        "test/a.jpg": ("test", None),
        "a.jpg": (None, None),
        "train/test/a.jpg": ("train", "test"),
        f"{NFD}/a.jpg": (None, "고양이"),
    }
    touch(tmp_path, *expected)
    _, found = folder.read(tmp_path)
    assert {row.file_name: (row.split, row.label) for row in found.rows} == expected
    assert [row.file_name for row in found.rows] == sorted(expected)
    assert found.classes == ("dog", "test", "고양이")


def test_litter_is_ignored_and_strays_are_named(tmp_path: Path) -> None:
    touch(
        tmp_path, "dog/a.jpg", "dog/.hidden.jpg", ".garim/a.jpg", "__MACOSX/dog/._a.jpg",
        "dog/Thumbs.db", "dog/.DS_Store", ".ipynb_checkpoints/a.jpg", "metadata.jsonl",
        "classes.txt", "notes.txt", "dog/a.xcf",
    )  # fmt: skip
    (tmp_path / "dog/no_suffix").write_bytes(b"\x89PNG\r\n\x1a\n")
    os.mkfifo(tmp_path / "dog/pipe")
    _, found = folder.read(tmp_path)
    assert [row.file_name for row in found.rows] == ["dog/a.jpg", "dog/no_suffix"]
    assert found.strays == ("dog/a.xcf", "dog/pipe", "notes.txt")
    assert not found.failures


def test_empty_folders_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "dog/a.jpg", "train/dog/a.jpg", "notes/a.txt", "cat/.hidden")
    (tmp_path / "train/bird").mkdir()
    (tmp_path / ".cache").mkdir()
    _, found = folder.read(tmp_path)
    assert found.empty == ("cat/", "train/bird/")
    assert found.classes == ("dog",) and not found.failures


def test_classes_txt_gives_the_order(tmp_path: Path) -> None:
    touch(tmp_path, "b/1.jpg", "a/1.jpg", "c/1.jpg")
    (tmp_path / "classes.txt").write_text(f"\ufeffc\n{NFD}\r\n\nc\n", encoding="utf-8")
    assert folder.read(tmp_path)[1].classes == ("c", "고양이", "a", "b")


def test_links_are_followed_but_never_in_circles(tmp_path: Path) -> None:
    touch(tmp_path, "set/dog/a.jpg", "elsewhere/b.jpg", "set/cat/c.jpg")
    (tmp_path / "set/dog/up").symlink_to(tmp_path / "set")
    (tmp_path / "set/dog/over").symlink_to(tmp_path / "set/cat")
    (tmp_path / "set/cat/over").symlink_to(tmp_path / "set/dog")
    (tmp_path / "set/root").symlink_to("/")
    (tmp_path / "set/bird").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set/dog/gone.jpg").symlink_to("nowhere.jpg")
    names = [row.file_name for row in folder.read(tmp_path / "set")[1].rows]
    assert names == [
        "bird/b.jpg", "cat/c.jpg", "cat/over/a.jpg", "cat/over/gone.jpg",
        "dog/a.jpg", "dog/gone.jpg", "dog/over/c.jpg",
    ]  # fmt: skip


def test_an_unreadable_folder_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "cat/a.jpg", "secret/b.jpg")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    _, found = folder.read(tmp_path)
    assert [row.file_name for row in found.rows] == ["cat/a.jpg"]
    assert [f.to_dict() for f in found.failures] == [
        {"picture": "secret", "error": "cannot be read: Permission denied"}
    ]


def test_a_name_that_is_no_unicode_is_a_failure(tmp_path: Path) -> None:
    touch(tmp_path, "dog/a.jpg")
    try:
        (tmp_path / "dog" / os.fsdecode("고양이.jpg".encode("cp949"))).write_bytes(b"")
    except OSError:
        pytest.skip("this file system allows only Unicode names")
    _, found = folder.read(tmp_path)
    assert len(found.rows) == 1
    assert "perhaps to 'dog/고양이.jpg'" in found.failures[0].error
    found.failures[0].picture.encode()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    draw_picture(tmp_path / "a.png")
    with pytest.raises(FormatError, match="expected a folder"):
        formats.read(tmp_path / "a.png", "folder")


@pytest.mark.parametrize("label", ["a/b", ".hidden", "..", "Test", "__MACOSX"])
def test_labels_that_no_folder_can_hold_are_refused(label: str, tmp_path: Path) -> None:
    draw_picture(tmp_path / "a.png")
    rows = contents(Row(file_name="a.png", label=label))
    with pytest.raises(FormatError, match="the label"):
        formats.write(rows, tmp_path, tmp_path / "target", "folder")
    formats.write(rows, tmp_path, tmp_path / "hf", "huggingface")
    (row,) = formats.read(tmp_path / "hf")[1].rows
    assert (row.label, row.split) == (label, None)


def test_classes_txt_is_written_only_when_needed(tmp_path: Path) -> None:
    row = Row(file_name="a.png", label="dog")
    draw_picture(tmp_path / "a.png")
    formats.write(contents(row, classes=("dog",)), tmp_path, tmp_path / "1", "folder")
    formats.write(contents(row, classes=("dog", "cat")), tmp_path, tmp_path / "2", "folder")
    assert not (tmp_path / "1/classes.txt").exists()
    assert (tmp_path / "2/classes.txt").read_text() == "dog\ncat\n"
