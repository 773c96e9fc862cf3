"""Every reader of strangers' files, fed with a few changed ones; the benchmark feeds many."""

from __future__ import annotations

import json
import operator
import os
import pickle
import re
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reader_targets import READERS, Bench

from garim.errors import ModelError
from garim.models import weights
from garim.models.saved import load as load_model

QUICK = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SLOW = {"detector"}
"""Readers that build a large network for every case; the benchmark has them."""


@pytest.fixture(params=[name for name in READERS if name not in SLOW], scope="module")
def bench(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GARIM_CACHE", os.environ["GARIM_CACHE"])  # a bench sets its own
        yield Bench(READERS[request.param], tmp_path_factory.mktemp(request.param))


def test_valid_files_are_read(bench: Bench) -> None:
    assert bench.valid
    for file, content in bench.valid.items():
        assert bench.run(file, content) is None


@QUICK
@given(random=st.randoms(use_true_random=False))
def test_changed_files_are_read_or_refused(bench: Bench, random: Random) -> None:
    bench.run(*bench.case(random))


@QUICK
@given(at=st.integers(0, 99), content=st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(bench: Bench, at: int, content: bytes) -> None:
    bench.run(list(bench.valid)[at % len(bench.valid)], content)


def test_numbers_that_no_integer_can_be(bench: Bench) -> None:
    """In JSON, 1e999 is a number, and infinite."""
    for file, content in bench.valid.items():
        if file.suffix == ".json":
            numbers = list(re.finditer(rb"(?<=[\[: ])\d+(?=[,}\]\n])", content))
            for found in numbers[:60]:
                bench.run(file, content[: found.start()] + b"1e999" + content[found.end() :])


def test_names_that_no_text_can_be(bench: Bench) -> None:
    """JSON can name half of a surrogate pair, which no error may print as it is."""
    for file, content in bench.valid.items():
        if file.suffix in {".json", ".jsonl"}:
            for found in list(re.finditer(rb'"\w+"(?=:)', content))[:60]:
                bench.run(file, content[: found.start()] + rb'"\ud800"' + content[found.end() :])


@pytest.mark.parametrize("other", [7, True, "x", "\ud800", None, [3], {}])
def test_values_of_another_kind(bench: Bench, other: object) -> None:
    """Whatever stands at a place of a JSON file, it is read or refused."""
    for file, content in bench.valid.items():
        if file.suffix == ".json":
            for place in list(_places(json.loads(content)))[:50]:
                changed = json.loads(content)
                inside = reduce(operator.getitem, place[:-1], changed)
                inside[place[-1]] = other
                bench.run(file, json.dumps(changed).encode())


def _places(value: Any) -> Iterator[tuple[Any, ...]]:
    """Give the way to every value inside."""
    if not isinstance(value, dict | list):
        return
    for name, inside in value.items() if isinstance(value, dict) else enumerate(value):
        yield (name,)
        yield from ((name, *rest) for rest in _places(inside))


class _Bomb:
    """What runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_pickle_in_a_model_folder_is_not_run(name: str, tmp_path: Path) -> None:
    READERS["classifier"].make(tmp_path / "model")
    (tmp_path / "model" / name).write_bytes(pickle.dumps({"a": _Bomb(tmp_path / "ran")}))
    with pytest.raises(ModelError):
        load_model(tmp_path / "model")
    assert not (tmp_path / "ran").exists()


def test_a_pickle_among_weights_is_not_run(tmp_path: Path) -> None:
    for name in ("weights.pth", "weights.pt", "weights.safetensors"):
        (tmp_path / name).write_bytes(pickle.dumps({"a": _Bomb(tmp_path / "ran")}))
        with pytest.raises(ModelError):
            weights.load_file_state(tmp_path / name)
    assert not (tmp_path / "ran").exists()
    pickle.loads(pickle.dumps(_Bomb(tmp_path / "ran")))  # noqa: S301 - the bomb does work
    assert (tmp_path / "ran").exists()
