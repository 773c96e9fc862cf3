from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from garim import files
from garim.errors import DatasetError, DiskError
from garim.similarity import store as stores
from garim.similarity.store import Store, StoreConfig


def vectors(count: int, seed: int = 0, components: int = 16) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(20, components))[rng.integers(20, size=count)]
    found = found + 0.4 * rng.normal(size=(count, components))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def rows(count: int, start: int = 0) -> pl.DataFrame:
    return pl.DataFrame({"picture": [str(n) for n in range(start, start + count)]})


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "PART", 64)
    monkeypatch.setattr(stores, "TAIL", 50)


@pytest.mark.usefixtures("small_parts")
def test_exact_search_in_parts(tmp_path: Path) -> None:
    every = vectors(300)
    store = Store.create(tmp_path / "s", StoreConfig(components=16))
    for start, end in ((0, 10), (10, 11), (11, 200), (200, 300)):
        store.append(every[start:end], rows(end - start, start))
    again = Store(tmp_path / "s")
    assert again.config.ends == (64, 128, 192, 256, 300)
    queries = vectors(5, seed=1)
    numbers, near = again.nearest(queries, 12)
    alike = queries @ every.T
    assert np.array_equal(numbers, np.argsort(-alike, axis=1)[:, :12])
    assert np.allclose(near, -np.sort(-alike, axis=1)[:, :12], atol=1e-6)
    assert again.rows(numbers[0])["picture"].to_list() == [str(n) for n in numbers[0]]
    assert np.array_equal(again.vectors(np.array([299, 0, 64])), every[[299, 0, 64]])
    assert len(again.nearest(queries, 1000)[0][0]) == 300
    assert (
        sorted(p.name[:6] for p in (tmp_path / "s").glob("*-*")) == ["rows-0"] * 5 + ["vector"] * 5
    )


def test_half_precision(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "s", StoreConfig(components=16, half=True))
    store.append(vectors(50), rows(50))
    assert np.abs(store.vectors(np.arange(50)) - vectors(50)).max() < 1e-3
    assert store.nearest(vectors(50), 1)[0].ravel().tolist() == list(range(50))


@pytest.mark.usefixtures("small_parts")
def test_a_graph_finds_what_its_config_promises(tmp_path: Path) -> None:
    config = StoreConfig(components=16, exact_up_to=1000)
    store = Store.create(tmp_path / "s", config)
    every = vectors(2000)
    store.append(every[:1500], rows(1500))
    store.finish()
    card = store.config.graph
    assert card is not None and card.count == 1500 and card.recall >= 0.95
    store.append(every[1500:1530], rows(30, 1500))
    store.finish()
    assert store.config.graph == card  # the rest is compared one by one
    queries = vectors(200, seed=3)
    for count in (1530, 2000):
        true = np.argsort(-(queries @ every[:count].T), axis=1)[:, :10]
        found, near = Store(store.folder).nearest(queries, 10)
        assert stores.recall_of(found, true) >= 0.93
        assert np.allclose(near, (queries[:, None] * every[found]).sum(axis=2), atol=1e-5)
        if count == 1530:
            store.append(every[1530:], rows(470, 1530))
            store.finish()
    assert store.config.graph is not None and store.config.graph.count == 2000
    assert len(list(store.folder.glob("graph-*"))) == 1


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("step", range(1, 6))
def test_killed_while_writing_nothing_is_lost(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.create(tmp_path / "s", StoreConfig(components=16))
    every = vectors(150)
    store.append(every[:70], rows(70))
    flush, calls = files._flush, []

    def killed(path: Path) -> None:
        calls.append(path)
        if len(calls) == step:
            raise KeyboardInterrupt
        flush(path)

    monkeypatch.setattr(files, "_flush", killed)
    with pytest.raises(KeyboardInterrupt):
        store.append(every[70:], rows(80, 70))
    monkeypatch.setattr(files, "_flush", flush)
    again = Store(tmp_path / "s")
    assert len(again) == 70
    assert np.array_equal(again.vectors(np.arange(70)), every[:70])
    again.append(every[70:], rows(80, 70))
    assert np.array_equal(Store(tmp_path / "s").vectors(np.arange(150)), every)


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    Store.create(tmp_path / "s", StoreConfig(components=16))
    stray = tmp_path / "s" / f".{'0' * 32}.tmp"
    stray.write_text("of a killed writer")
    with (
        stores.writing(tmp_path / "s"),
        pytest.raises(DatasetError, match="is being written by process"),
        stores.writing(tmp_path / "s"),
    ):
        pass
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["config.json"]


def test_what_is_no_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is no index"):
        Store(tmp_path)
    store = Store.create(tmp_path / "s", StoreConfig(components=16))
    store.append(vectors(5), rows(5))
    (path,) = store.folder.glob("vectors-*")
    path.write_bytes(path.read_bytes()[:90])
    with pytest.raises(DatasetError, match="make the index again"):
        Store(store.folder).nearest(vectors(1), 1)
    config = store.folder / "config.json"
    told = json.loads(config.read_text())
    for ends in ([-1], [0], [5, 5], [5, 3], [2**70], [2**63 - 1]):
        config.write_text(json.dumps({**told, "ends": ends}))
        with pytest.raises(DatasetError, match=r"no index .* parts that end at"):
            Store(store.folder)
    config.write_text(json.dumps(told, indent=2))
    config.write_text(config.read_text().replace('"version": 1', '"version": 9'))
    with pytest.raises(DatasetError, match="newer Garim"):
        Store(store.folder)


@pytest.mark.usefixtures("small_parts")
def test_a_full_disk_leaves_the_store_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.create(tmp_path / "s", StoreConfig(components=16, exact_up_to=100))
    store.append(vectors(700), rows(700))
    before = {path: path.read_bytes() for path in store.folder.iterdir()}

    def full(*_: object) -> None:
        raise RuntimeError("Failed to serialize into stream")  # what usearch says

    with monkeypatch.context() as patch:
        patch.setattr("usearch.index.Index.save", full)
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
        with pytest.raises(DiskError, match=r"usearch: No space left.*[\d,]+ bytes are needed, 0"):
            store.finish()
    assert {path: path.read_bytes() for path in store.folder.iterdir()} == before
    store.finish()
    assert Store(store.folder).config.graph is not None
