from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from garim.demo import run_demo
from garim.errors import DatasetError

run = sys.modules["garim.demo.run"]


@pytest.mark.slow
def test_an_interrupted_demo_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "TRAINING", replace(run.TRAINING, epochs=1, size=32))
    few = {"pictures_per_class": 3, "test_per_class": 1}

    def stop(*given: Any, **named: Any) -> None:
        raise KeyboardInterrupt

    for step in ("draw_dataset", "apply"):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(run, step, stop)
            run_demo(tmp_path / "demo", **few)
    made = [tmp_path / "demo" / name for name in ("messy/README.txt", "model-before/config.json")]
    before = [path.stat().st_mtime_ns for path in made]
    assert run_demo(tmp_path / "demo", **few).boxes["boxes"] > 0
    assert [path.stat().st_mtime_ns for path in made] == before
    with pytest.raises(DatasetError, match="is not what this demo draws"):
        run_demo(tmp_path / "demo", seed=1, **few)
