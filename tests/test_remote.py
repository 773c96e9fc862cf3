"""Datasets and results at addresses: fsspec's own memory file system, and a server of S3."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import boto3
import fsspec
import pytest
from moto.server import ThreadedMotoServer
from PIL import Image
from s3fs import S3FileSystem

import garim
from garim import files, pictures, remote
from garim.dataset import Selection
from garim.errors import DatasetError, PictureError
from garim.plan import Edit, Plan


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Start a server that speaks S3."""
    s3 = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    s3.start()
    yield "http://{}:{}".format(*s3.get_host_and_port())
    s3.stop()


@pytest.fixture
def memory() -> Iterator[str]:
    store = fsspec.filesystem("memory")
    yield "memory://bucket"
    store.store.clear()
    store.pseudo_dirs[:] = [""]


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "who")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "knows")
    S3FileSystem.clear_instance_cache()
    store = fsspec.filesystem("s3")
    store.mkdir("bucket")
    yield "s3://bucket"
    store.invalidate_cache()
    store.rm("bucket", recursive=True)
    S3FileSystem.clear_instance_cache()


@pytest.fixture(params=["memory", "s3"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the address of an empty bucket."""
    monkeypatch.setenv("GARIM_CACHE", str(tmp_path / "cache"))
    found: str = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def store(bucket: str) -> fsspec.AbstractFileSystem:
    return fsspec.url_to_fs(bucket)[0]


@pytest.fixture
def data(tmp_path: Path, bucket: str, store: fsspec.AbstractFileSystem) -> str:
    for index, name in enumerate(("cat/1.png", "cat/2.png", "dog/고양이.png")):
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40 + index, 30), (index * 80, 90, 30)).save(path)
        store.put_file(str(path), f"{bucket}/pets/{name}")
    return f"{bucket}/pets"


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
    store.rm_file(f"{data}/cat/1.png")
    assert [row.file_name for row in garim.read(data)] == ["cat/2.png", "dog/고양이.png"]
    with pytest.raises(PictureError, match=f"cannot be fetched from {data}"):
        pictures.open_picture(before.path(before.rows[0]))


def test_the_oldest_pictures_make_room(
    data: str, store: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = garim.read(data)
    size = store.size(f"{data}/cat/1.png")
    monkeypatch.setenv("GARIM_CACHE_GIB", str(2.5 * size / 2**30))
    for row in (*dataset, *dataset):
        assert pictures.open_picture(dataset.path(row)).size[1] == 30
        assert len(filled()) <= 2


@pytest.mark.parametrize("name", ["huggingface", "coco", "yolo"])
def test_written_and_read_at_an_address(name: str, data: str, bucket: str) -> None:
    target = f"{bucket}/{name}"
    written = garim.write(garim.read(data), target, name)
    again = garim.read(target, Selection(format=name))
    assert [row.file_name for row in written] == [row.file_name for row in again]
    assert pictures.header(again.path(again.rows[0])).height == 30
    with pytest.raises(DatasetError, match="is not empty"):
        garim.write(garim.read(data), target, name)


def test_a_plan_is_applied_to_an_address(data: str, bucket: str) -> None:
    dataset = garim.read(data)
    edits = (
        Edit(picture="cat/1.png", edit="drop", label="cat"),
        Edit(picture="dog/고양이.png", edit="relabel", label="dog", to="cat"),
    )
    plan = Plan(edits=edits, dataset=Path(dataset.place))
    plan.save(f"{bucket}/plans/plan.jsonl")
    loaded = garim.load_plan(f"{bucket}/plans/plan.jsonl")
    applied = garim.apply(loaded, to=f"{bucket}/applied")
    assert (applied.pictures, applied.failures) == (2, ())
    found = garim.read(f"{bucket}/applied")
    assert found.counts()["all"]["cat"] == 2
    with pytest.raises(DatasetError, match="in place needs a folder of this machine"):
        garim.apply(loaded, in_place=True)
    with pytest.raises(DatasetError, match="undoing needs a folder"):
        garim.undo(data)


def test_what_was_not_sent_whole_is_not_read(data: str, store: fsspec.AbstractFileSystem) -> None:
    store.pipe_file(f"{data}/{remote.UNFINISHED}", b"")
    with pytest.raises(DatasetError, match="was not sent whole"):
        garim.read(data)


def test_a_zip_at_an_address(tmp_path: Path, data: str, store: fsspec.AbstractFileSystem) -> None:
    made = shutil.make_archive(str(tmp_path / "pets"), "zip", tmp_path / "pets")
    store.put_file(made, f"{data}.zip")
    assert len(garim.read(f"{data}.zip")) == 3


def test_nothing_there_is_said(bucket: str) -> None:
    with pytest.raises(DatasetError, match=f"{bucket}/gone: there is nothing"):
        garim.read(f"{bucket}/gone")


def test_what_others_did_in_a_bucket_is_seen(tmp_path: Path, s3: str) -> None:
    """Consoles make empty objects for folders, and others write while a notebook is open."""
    client = boto3.client("s3", region_name="us-east-1")
    Image.new("RGB", (9, 9), "red").save(tmp_path / "1.png")
    for key in ("pets/", "pets/cat/", "pets/cat/1.png"):
        body = b"" if key.endswith("/") else (tmp_path / "1.png").read_bytes()
        client.put_object(Bucket="bucket", Key=key, Body=body)
    assert [row.file_name for row in garim.read(f"{s3}/pets")] == ["cat/1.png"]
    client.upload_file(str(tmp_path / "1.png"), "bucket", "pets/dog/2.png")
    assert [row.label for row in garim.read(f"{s3}/pets")] == ["cat", "dog"]
    client.delete_object(Bucket="bucket", Key="pets/cat/1.png")
    assert [row.label for row in garim.read(f"{s3}/pets")] == ["dog"]
