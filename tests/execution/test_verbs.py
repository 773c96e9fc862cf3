"""Every verb that has workers gives the same with two processes as in one."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import garim
from garim import frames, similarity
from garim.audit import AuditSettings, audit
from garim.dataset import Dataset, read
from garim.execution import ENGINES, ExecutionSettings, local
from garim.extraction import ExtractSettings, extract
from garim.models.classifier import Classifier
from garim.prediction import predict
from garim.similarity import Indexed

upscaling = importlib.import_module("garim.enhancement.upscale")

TWO = ExecutionSettings(workers=2, shard=3)
ONE = ExecutionSettings(shard=3)


def test_extract(data: Dataset, classifier: Classifier, tmp_path: Path) -> None:
    settings = ExtractSettings(method="windows", grid=3, kernel=2, rounds=1)
    plans = [
        extract(data, classifier, settings, tmp_path / f"{one.workers}.jsonl", one).plan
        for one in (ONE, TWO)
    ]
    assert plans[0].edits == plans[1].edits
    assert [failure.picture for failure in plans[1].failures] == ["a/broken.jpg"]
    assert extract(data, classifier, settings).plan.edits == plans[0].edits


def test_audit(data: Dataset, classifier: Classifier) -> None:
    tables = [audit(data, AuditSettings(), classifier, one) for one in (ONE, TWO)]
    assert tables[0].pictures.equals(tables[1].pictures)
    assert np.array_equal(*(one.evidence.of_network.features for one in tables), equal_nan=True)
    assert [failure.picture for failure in tables[1].failures] == ["a/broken.jpg"]


def test_predict(data: Dataset, classifier: Classifier, tmp_path: Path) -> None:
    one, two = (
        predict(classifier, data, out=tmp_path / f"{how.workers}.csv", execution=how)
        for how in (ONE, TWO)
    )
    assert one.rows == two.rows and len(one.rows) == 8
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.csv", "2.csv", "data"]


def rows_of(made: Indexed) -> list[tuple[str, str]]:
    columns = made.index.store.rows(columns=["picture", "digest"])
    return list(columns.iter_rows())


def test_search(data: Dataset, classifier: Classifier, tmp_path: Path) -> None:
    one, two = (
        similarity.index(data, tmp_path / f"{how.workers}", classifier, execution=how)
        for how in (ONE, TWO)
    )
    assert rows_of(one) == rows_of(two) and (two.added, two.known) == (8, 0)
    numbers = np.arange(8)
    assert np.allclose(*(m.index.store.vectors(numbers) for m in (one, two)), atol=1e-6)
    assert [failure.picture for failure in two.failures] == ["a/broken.jpg"]
    Image.new("RGB", (30, 20), (1, 2, 3)).save(data.root / "b" / "new.png")
    shutil.copy(data.root / "a" / "0.png", data.root / "b" / "same.png")
    more = read(data.root)
    added = [similarity.add(made.index, more, execution=how)
             for made, how in ((one, ONE), (two, TWO))]  # fmt: skip
    assert [(m.added, m.known, rows_of(m)) for m in added] == [(1, 9, rows_of(added[0]))] * 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2", "data"]


def test_whitened_search(data: Dataset, classifier: Classifier, tmp_path: Path) -> None:
    settings = similarity.IndexSettings(whiten=3)
    vectors = [
        similarity.index(data, tmp_path / f"{how.workers}", classifier, settings, execution=how)
        .index.store.vectors(np.arange(8))
        for how in (ONE, TWO)
    ]  # fmt: skip
    assert vectors[0].shape == (8, 3)
    assert np.allclose(*vectors, atol=1e-3)


def test_upscale(data: Dataset, tmp_path: Path) -> None:
    done = [garim.upscale(data.root, tmp_path / f"{how.workers}", execution=how)
            for how in (ONE, TWO)]  # fmt: skip
    names = [[Path(row.to).relative_to(found.out) for row in found.rows] for found in done]
    assert names[0] == names[1] and len(names[0]) == 8
    for name in names[0]:
        one, two = (np.asarray(Image.open(found.out / name)).astype(int) for found in done)
        assert one.shape == (80, 100, 3) and np.abs(one - two).max() <= 1
    assert [Path(one.picture).name for one in done[1].failures] == ["broken.jpg"]
    assert garim.upscale(data.root, done[1].out, execution=TWO).reused == 8
    assert sorted(path.name for path in done[1].out.iterdir()) == ["a", "b", "upscaled.jsonl"]


class Interrupted:
    """Calls a function, and is interrupted before the call after so many."""

    def __init__(self, function: Callable[..., Any], after: int) -> None:
        self.function, self.after, self.calls = function, after, 0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        if self.calls == self.after:
            raise KeyboardInterrupt
        self.calls += 1
        return self.function(*arguments, **named)


def test_an_interrupted_search_index_goes_on(
    data: Dataset, classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = similarity.index(data, tmp_path / "whole", classifier).index
    place = importlib.import_module("garim.similarity.embeddings")
    stopped, counted = Interrupted(place.square, 7), Interrupted(place.square, 99)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(place, "square", stopped)
        similarity.index(data, tmp_path / "index", classifier, execution=ONE)
    shards = sorted(path.name for path in (tmp_path / "index.unfinished").glob("*.parquet"))
    assert shards == ["shard-00000.parquet", "shard-00001.parquet"]
    assert len(similarity.Index(tmp_path / "index")) == 0
    monkeypatch.setattr(place, "square", counted)
    again = similarity.index(data, tmp_path / "index", classifier, execution=ONE)
    assert (again.added, counted.calls) == (8, 3)
    assert np.allclose(*(one.store.vectors(np.arange(8)) for one in (whole, again.index)),
                       atol=1e-6)  # fmt: skip


def test_killed_workers_leave_what_is_enlarged(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, before = garim.UpscaleSettings(method="bicubic"), frames.write
    stopped, counted = Interrupted(before, 4), Interrupted(before, 99)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(frames, "write", stopped)
        patch.setattr(upscaling, "listing_done", without_an_end)
        garim.upscale(data.root, tmp_path / "out", plain, ONE)
    assert len(list((tmp_path / "out").glob(".upscaled-*.jsonl"))) == 1
    monkeypatch.setattr(frames, "write", counted)
    found = garim.upscale(data.root, tmp_path / "out", plain, ONE)
    assert (len(found.rows), found.reused, counted.calls) == (8, 4, 4)
    assert not list((tmp_path / "out").glob(".upscaled-*"))


@contextmanager
def without_an_end(out: Path) -> Iterator[None]:
    """Begin a folder of results, as a process does that is killed then."""
    out.mkdir()
    yield


def test_workers_may_stand_in_another_folder(
    data: Dataset, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data.root.parent)
    monkeypatch.setitem(ENGINES, "local", in_another_folder)
    near = read("data")
    settings = ExtractSettings(method="windows", grid=3, kernel=2, rounds=1)
    plain = garim.UpscaleSettings(method="bicubic")
    failures = [
        extract(near, classifier, settings, "plan.jsonl").failures,
        audit(near, AuditSettings(), classifier).failures,
        predict(classifier, "data").failures,
        similarity.index(near, "index", classifier).failures,
        similarity.add("index", near).failures,
        garim.upscale("data", "larger", plain).failures,
    ]
    assert [len(found) for found in failures] == [1] * 6  # broken.jpg
    assert len(list(Path("larger").rglob("*.png"))) == 8


def in_another_folder(*arguments: Any) -> None:
    """Do shards as a worker of another machine does."""
    before = Path.cwd()
    os.chdir("/")
    try:
        local.run(*arguments)
    finally:
        os.chdir(before)


def test_what_cannot_travel_is_refused(data: Dataset, classifier: Classifier) -> None:
    classifier.network.hook = lambda: None  # type: ignore[assignment]
    with pytest.raises(garim.ExecutionError, match="do without --workers"):
        predict(classifier, data, execution=TWO)
