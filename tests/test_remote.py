"""Datasets and results at addresses; fsspec's own memory file system stands for a store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from PIL import Image

import garim
from garim import files, pictures, remote
from garim.dataset import Selection
from garim.errors import DatasetError, PictureError
from garim.plan import Edit, Plan


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[fsspec.AbstractFileSystem]:
    monkeypatch.setenv("GARIM_CACHE", str(tmp_path / "cache"))
    memory = fsspec.filesystem("memory")
    yield memory
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


@pytest.fixture
def data(tmp_path: Path, store: fsspec.AbstractFileSystem) -> str:
    for index, name in enumerate(("cat/1.png", "cat/2.png", "dog/고양이.png")):
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40 + index, 30), (index * 80, 90, 30)).save(path)
    store.put(str(tmp_path / "pets"), "/bucket/pets", recursive=True)
    return "memory://bucket/pets"


def filled() -> list[str]:
    """Pictures whose content is on this disk."""
    found = remote.cache_folder().rglob("*.png")
    return sorted(one.name for one in found if one.stat().st_size)


def test_addresses_and_paths_are_told_apart() -> None:
    assert remote.address_of(Path("gs://bucket/pets")) == "gs://bucket/pets"
    assert remote.address_of(Path("memory:/bucket/a b") / "c") == "memory://bucket/a b/c"
    for path in (
        "data/pets",
        "/data",
        "C:/pets",
        "C:\\pets",
        "http://host/a.jpg",
        "odd://x",
        "s3:",
    ):
        assert remote.address_of(path) is None


def test_pictures_are_fetched_when_they_are_opened(data: str) -> None:
    dataset = garim.read(data)
    assert dataset.counts() == {"all": {"cat": 2, "dog": 1}}
    assert remote.address_of(dataset.origin) == dataset.place == data
    assert filled() == []
    assert pictures.open_picture(dataset.path(dataset.rows[1])).size == (41, 30)
    assert filled() == ["2.png"]
    assert len(files.digest(dataset.path(dataset.rows[0]))) == files.DIGEST_LENGTH
    assert filled() == ["1.png", "2.png"]
    assert garim.read(Path(data)).root == dataset.root


def test_a_changed_store_is_read_anew(data: str, store: fsspec.AbstractFileSystem) -> None:
    before = garim.read(data)
    store.rm_file("/bucket/pets/cat/1.png")
    assert [row.file_name for row in garim.read(data)] == ["cat/2.png", "dog/고양이.png"]
    with pytest.raises(PictureError, match=r"cannot be fetched from memory://bucket/pets"):
        pictures.open_picture(before.path(before.rows[0]))


def test_the_oldest_pictures_make_room(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = garim.read(data)
    size = fsspec.filesystem("memory").size("/bucket/pets/cat/1.png")
    monkeypatch.setenv("GARIM_CACHE_GIB", str(2.5 * size / 2**30))
    for row in (*dataset, *dataset):
        assert pictures.open_picture(dataset.path(row)).size[1] == 30
        assert len(filled()) <= 2


@pytest.mark.parametrize("name", ["huggingface", "coco", "yolo"])
def test_written_and_read_at_an_address(name: str, data: str) -> None:
    target = f"memory://bucket/{name}"
    written = garim.write(garim.read(data), target, name)
    again = garim.read(target, Selection(format=name))
    assert [row.file_name for row in written] == [row.file_name for row in again]
    assert pictures.header(again.path(again.rows[0])).height == 30
    with pytest.raises(DatasetError, match="is not empty"):
        garim.write(garim.read(data), target, name)


def test_a_plan_is_applied_to_an_address(data: str) -> None:
    dataset = garim.read(data)
    edits = (
        Edit(picture="cat/1.png", edit="drop", label="cat"),
        Edit(picture="dog/고양이.png", edit="relabel", label="dog", to="cat"),
    )
    plan = Plan(edits=edits, dataset=Path(dataset.place))
    plan.save("memory://bucket/plans/plan.jsonl")
    loaded = garim.load_plan("memory://bucket/plans/plan.jsonl")
    applied = garim.apply(loaded, to="memory://bucket/applied")
    assert (applied.pictures, applied.failures) == (2, ())
    found = garim.read("memory://bucket/applied")
    assert found.counts()["all"]["cat"] == 2
    with pytest.raises(DatasetError, match="in place needs a folder of this machine"):
        garim.apply(loaded, in_place=True)
    with pytest.raises(DatasetError, match="undoing needs a folder"):
        garim.undo(data)


def test_what_was_not_sent_whole_is_not_read(data: str, store: fsspec.AbstractFileSystem) -> None:
    store.pipe_file(f"/bucket/pets/{remote.UNFINISHED}", b"")
    with pytest.raises(DatasetError, match="was not sent whole"):
        garim.read(data)


def test_a_zip_at_an_address(tmp_path: Path, data: str, store: fsspec.AbstractFileSystem) -> None:
    made = shutil.make_archive(str(tmp_path / "pets"), "zip", tmp_path / "pets")
    store.put_file(made, "/bucket/pets.zip")
    assert len(garim.read("memory://bucket/pets.zip")) == 3


def test_nothing_there_is_said() -> None:
    with pytest.raises(DatasetError, match="memory://bucket/gone: there is nothing"):
        garim.read("memory://bucket/gone")
