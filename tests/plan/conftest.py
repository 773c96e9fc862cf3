"""What the tests of applying a plan share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from small_datasets import draw_dataset


@pytest.fixture(autouse=True)
def no_flush(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return draw_dataset(tmp_path / "DATA")
