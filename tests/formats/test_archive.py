from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest
from datasets_on_disk import contents, draw_picture
from hypothesis import given
from hypothesis import strategies as st

from garim import formats
from garim.errors import FormatError
from garim.formats import archive
from garim.formats.rows import Row


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return path


def test_a_zip_is_read_as_what_is_inside(tmp_path: Path) -> None:
    draw_picture(tmp_path / "source/a.png")
    rows = contents(Row(file_name="a.png", label="고양이", split="train"), classes=("고양이",))
    for name in formats.FORMATS.keys() - {"webdataset"}:
        formats.write(rows, tmp_path / "source", tmp_path / name, name)
        files = [one for one in (tmp_path / name).rglob("*") if one.is_file()]
        members = {f"my set/{one.relative_to(tmp_path / name)}": one.read_bytes() for one in files}
        path = zipped(tmp_path / f"{name}.ZIP", members | {"__MACOSX/._a.png": b"x"})
        assert formats.detect(path).name == name
        _, inside = formats.read(tmp_path / name, name)
        root, found = formats.read(path)
        assert found == inside or name == "folder"  # whose names have one folder more
        assert [(row.label, row.split) for row in found.rows] == [
            (row.label, row.split) for row in inside.rows
        ]
        assert all((root / row.file_name).is_file() for row in found.rows)
        assert formats.read(path)[0] == root


@pytest.mark.parametrize("classes", [("zebra", "dog", "ant"), ("ant", "dog", "zebra")])
@pytest.mark.parametrize("bare", [None, "train"])
@pytest.mark.parametrize("named", [None, "folder"])
def test_class_folders_in_a_zip_keep_order_and_labels(
    classes: tuple[str, ...], bare: str | None, named: str | None, tmp_path: Path
) -> None:
    """As ``zip -r my.zip my``: one folder around all, and pictures without a label in it."""
    draw_picture(tmp_path / "source/a.png")
    rows = [Row(file_name="a.png", label=one, split="train") for one in classes]
    given = contents(*rows, Row(file_name="a.png", split=bare), classes=classes)
    formats.write(given, tmp_path / "source", tmp_path / "my", "folder")
    files = [one for one in (tmp_path / "my").rglob("*") if one.is_file()]
    members = {str(one.relative_to(tmp_path)): one.read_bytes() for one in files}
    path = zipped(tmp_path / "my.zip", members)
    inside = formats.read(tmp_path / "my", named)[1]
    assert (inside.classes, inside.strays) == (classes, ())
    assert formats.read(path, named)[1] == inside


def test_a_class_or_split_is_no_folder_around_all(tmp_path: Path) -> None:
    listed = {"train/dog/1.jpg": b"", "train/classes.txt": b"dog\n"}
    assert formats.read(zipped(tmp_path / "a.zip", listed))[1].rows[0].split == "train"
    beside = {"0.jpg": b"", "dog/1.jpg": b"", "dog/classes.txt": b""}
    assert len(formats.read(zipped(tmp_path / "b.zip", beside))[1].rows) == 2


def test_an_archive_in_an_archive_is_refused(tmp_path: Path) -> None:
    draw_picture(tmp_path / "source/a.png")
    rows = contents(Row(file_name="a.png", label="dog"), classes=("dog",))
    formats.write(rows, tmp_path / "source", tmp_path / "shards", "webdataset")
    members = {one.name: one.read_bytes() for one in (tmp_path / "shards").iterdir()}
    path = zipped(tmp_path / "a.zip", members)
    with pytest.raises(FormatError, match="unpack it first"):
        formats.read(path)


def test_a_single_class_folder_keeps_its_label(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"dog/1.jpg": b"", "dog/2.jpg": b""})
    assert [row.label for row in formats.read(path)[1].rows] == ["dog", "dog"]


@pytest.mark.parametrize(
    "name",
    ["../out.jpg", "a/../../out.jpg", "/out.jpg", "C:/out.jpg", "a\\..\\out.jpg", "..\\o.jpg"],
)
def test_no_member_leaves_the_folder(name: str, tmp_path: Path, own_cache: Path) -> None:
    path = zipped(tmp_path / "a.zip", {name: b"x", "dog/1.jpg": b""})
    for _ in range(2):  # the second time from the cache
        root, found = formats.read(path)
        assert [row.file_name for row in found.rows] == ["dog/1.jpg"]
        assert [one.picture for one in found.failures] == [name]
        assert "leads outside" in found.failures[0].error
    outside = [one for one in own_cache.rglob("*.jpg") if not one.is_relative_to(root)]
    assert not outside
    assert not list(tmp_path.glob("*.jpg"))


def test_a_member_without_a_name_is_left_out(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"x": b"x", "dog/1.jpg": b""})
    whole = path.read_bytes()
    entry = whole.index(b"PK\x01\x02")  # of the directory: the name's length at 28, itself at 46
    cut = whole[: entry + 28] + b"\0\0" + whole[entry + 30 : entry + 46] + whole[entry + 47 :]
    end = cut.index(b"PK\x05\x06")
    size = struct.pack("<I", struct.unpack_from("<I", cut, end + 12)[0] - 1)
    path.write_bytes(cut[: end + 12] + size + cut[end + 16 :])
    found = formats.read(path)[1]
    assert [row.file_name for row in found.rows] == ["dog/1.jpg"]
    assert [one.error for one in found.failures] == ["left out of the archive: it has no name"]


def test_links_and_repeats_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as made:
        link = zipfile.ZipInfo("dog/link")
        link.external_attr = 0o120777 << 16
        made.writestr(link, "/etc")
        made.writestr("dog/link/passwd.jpg", "")
        made.writestr("dog/1.jpg", "first")
        with pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("dog/1.jpg", "second")
    root, found = formats.read(path)
    assert [one.picture for one in found.failures] == ["dog/link", "dog/1.jpg"]
    assert (root / "dog/1.jpg").read_text() == "first"
    assert not (root / "dog/link").is_symlink()


@pytest.mark.parametrize("encoding", ["cp949", "utf-8"])
def test_korean_names_without_the_utf8_mark(encoding: str, tmp_path: Path) -> None:
    plain = "x" * len("고양이/사진.jpg".encode(encoding))
    path = zipped(tmp_path / "a.zip", {plain: b""})
    data = path.read_bytes().replace(plain.encode(), "고양이/사진.jpg".encode(encoding))
    path.write_bytes(data)
    assert [row.file_name for row in formats.read(path)[1].rows] == ["고양이/사진.jpg"]


def test_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "a.zip", {"dog/big.jpg": bytes(11 * 2**20), "dog/1.jpg": b""})
    found = formats.read(path)[1]
    assert [one.picture for one in found.failures] == ["dog/big.jpg"]
    assert "200 times" in found.failures[0].error
    monkeypatch.setattr(archive, "MAX_BYTES", 2**20)
    other = zipped(tmp_path / "b.zip", {"dog/big.jpg": bytes(2**20), "dog/2.jpg": b"1"})
    with pytest.raises(FormatError, match="GiB, more than"):
        formats.read(other)
    monkeypatch.setattr(archive, "MAX_MEMBERS", 1)
    with pytest.raises(FormatError, match="2 members, more than 1"):
        formats.read(other)


def test_encrypted_and_broken_archives(tmp_path: Path, own_cache: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"dog/1.jpg": b"hello"})
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\x01\x02")
    data[central + 8 : central + 10] = struct.pack("<H", 1)
    path.write_bytes(data)
    with pytest.raises(FormatError, match="is encrypted"):
        formats.read(path)
    (tmp_path / "b.zip").write_bytes(b"PK no zip")
    with pytest.raises(FormatError, match="not a whole zip archive"):
        formats.read(tmp_path / "b.zip")
    assert not [one for one in own_cache.rglob("*") if one.is_file()]


def test_a_broken_member_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("dog/1.jpg", b"hello world")
        made.writestr("dog/2.jpg", b"fine")
    path.write_bytes(path.read_bytes().replace(b"hello world", b"hello wurld"))
    found = formats.read(path)[1]
    assert [row.file_name for row in found.rows] == ["dog/2.jpg"]
    assert "CRC" in found.failures[0].error


def test_a_yaml_inside_cannot_point_outside(tmp_path: Path) -> None:
    draw_picture(tmp_path / "private/a.png")
    text = f"path: {tmp_path}\ntrain: private\nnames: [a]\n"
    path = zipped(tmp_path / "a.zip", {"data.yaml": text.encode()})
    with pytest.raises(FormatError, match="outside the archive"):
        formats.read(path)


@given(st.lists(st.integers(0, 600), max_size=4), st.integers(0, 255))
def test_damaged_archives_never_crash(places: list[int], value: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = zipped(Path(folder) / "a.zip", {"dog/1.jpg": b"1" * 99, "cat/한.jpg": b"2"})
        data = bytearray(path.read_bytes())
        for place in places:
            data[place % len(data)] = value
        path.write_bytes(data)
        try:
            formats.read(path)
        except FormatError as error:
            assert str(path) in str(error)
