from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import sys
import tempfile
import threading
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from garim import files

posix = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_writes_and_makes_folders(tmp_path: Path) -> None:
    target = tmp_path / "새" / "a.json"
    files.write_json(target, {"이름": [1, 2.5, None]})
    assert json.loads(target.read_bytes()) == {"이름": [1, 2.5, None]}
    assert "이름" in target.read_text(encoding="utf-8")
    files.write_text(target, "한 줄\n둘\n")
    assert target.read_bytes() == "한 줄\n둘\n".encode()
    assert names(target.parent) == ["a.json"]


@pytest.mark.parametrize("error", [RuntimeError("stop"), KeyboardInterrupt()])
def test_the_old_file_stays_when_the_block_fails(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(type(error)), files.replacing(target) as temporary:
        temporary.write_text("half")
        assert target.read_text() == "old"
        raise error
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_the_old_file_stays_when_the_disk_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    target = tmp_path / "a.txt"
    target.write_text("old")
    if step == "fsync":
        monkeypatch.setattr(os, "fsync", refuse)
    else:
        monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space left"):
        files.write_text(target, "new")
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


@posix
def test_the_data_is_on_the_disk_before_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda d: (seen.append("fsync"), fsync(d))[1])
    monkeypatch.setattr(Path, "replace", lambda a, b: (seen.append("rename"), replace(a, b))[1])
    files.write_text(tmp_path / "a.txt", "new")
    assert seen == ["fsync", "rename", "fsync"]


@posix
@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSPC])
def test_a_folder_that_cannot_be_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(_: int) -> None:
        raise OSError(code, "no")

    monkeypatch.setattr(os, "fsync", refuse)
    if code == errno.EINVAL:  # a file system that cannot do it
        files.flush_folder(tmp_path)
    else:
        with pytest.raises(OSError, match="no"):
            files.flush_folder(tmp_path)


def test_a_reader_sees_the_old_or_the_new_never_a_part(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    wholes = {bytes([k]) * 100_000 for k in range(4)}
    files.write_bytes(target, min(wholes))
    done, seen = threading.Event(), set()

    def read() -> None:
        while not done.is_set():
            seen.add(target.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for data in [*wholes] * 8:
        files.write_bytes(target, data)
    done.set()
    reader.join()
    assert seen <= wholes


@posix
@pytest.mark.usefixtures("umask")
def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    files.write_text(tmp_path / "a", "x")
    (tmp_path / "b").write_text("x")
    assert mode(tmp_path / "a") == mode(tmp_path / "b") == 0o640


@posix
@pytest.mark.usefixtures("umask")
def test_many_threads_leave_the_umask_alone(tmp_path: Path) -> None:
    def write(number: int) -> None:
        for _ in range(20):
            files.write_text(tmp_path / str(number), "x")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    now = os.umask(0o027)
    assert now == 0o027
    assert names(tmp_path) == sorted(str(number) for number in range(8))
    assert {mode(path) for path in tmp_path.iterdir()} == {0o640}


@posix
def test_a_link_is_replaced_and_what_it_names_is_not(tmp_path: Path) -> None:
    (tmp_path / "original").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "original")
    files.write_text(tmp_path / "link", "new")
    assert (tmp_path / "original").read_text() == "old"
    assert (tmp_path / "link").read_text() == "new"


def test_copy_keeps_content_and_times(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "deep" / "b"
    source.write_bytes(b"\x00\xff" * 999)
    os.utime(source, ns=(1_500_000_000_000_000_000, 1_400_000_000_123_456_000))
    files.copy(source, target)
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_mtime_ns == source.stat().st_mtime_ns


@posix
@pytest.mark.parametrize("permissions", [0o600, 0o444, 0o755])
def test_copy_keeps_permissions(tmp_path: Path, permissions: int) -> None:
    source = tmp_path / "a"
    source.write_text("x")
    source.chmod(permissions)
    files.copy(source, tmp_path / "b")
    assert mode(tmp_path / "b") == permissions


def test_a_copy_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.copy(tmp_path / "none", tmp_path / "b")
    assert names(tmp_path) == []


@given(st.binary(max_size=5000))
def test_digest_is_hashlibs(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        path.write_bytes(data)
        assert files.digest(path) == hashlib.sha256(data).hexdigest()[:32]


def test_digest_of_a_value() -> None:
    assert files.digest_of({"a": 1, "b": [2]}) == files.digest_of({"b": (2,), "a": 1})
    assert files.digest_of([1, 2]) != files.digest_of([2, 1])
    assert files.digest_of(Path("a")) == files.digest_of("a")
    assert files.digest_of("가") == hashlib.sha256(b'"\\uac00"').hexdigest()[:32]
    assert len(files.digest_of(None)) == files.DIGEST_LENGTH


@given(st.text())
def test_nfc_is_unicodes(text: str) -> None:
    once = files.nfc(text)
    assert unicodedata.is_normalized("NFC", once)
    assert files.nfc(once) == once == files.nfc(unicodedata.normalize("NFD", text))


def test_one_korean_name_has_one_spelling() -> None:
    assert files.nfc("가림") == files.nfc("\u1100\u1161\u1105\u1175\u11b7") == "가림"
