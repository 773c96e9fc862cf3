"""The small dataset, plan and model that commands are killed on."""

from __future__ import annotations

from pathlib import Path

import pytest
from kills import draw_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults") / "world"
    folder.mkdir()
    draw_world(folder)
    return folder
