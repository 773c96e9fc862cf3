"""A few kills of each command; ``benchmarks/faults.py`` does many."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from kills import VERBS, Bench

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and kill -9")

SLOW = {"train", "extract", "audit", "augment"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in VERBS]
)
def test_killed_and_run_again_nothing_is_lost(name: str, world: Path, tmp_path: Path) -> None:
    bench, rng = Bench(name, world, tmp_path / "work"), random.Random(name)
    for _ in range(3):
        tried = bench.trial(rng.random())
        assert (tried.lost, tried.equal) == (0, True), tried.said
