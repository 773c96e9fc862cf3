from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

import garim
from garim.cli import run
from garim.errors import PlanError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "dog" / "a.png"
    path.parent.mkdir(parents=True)
    Image.effect_noise((60, 50), 90).convert("RGB").save(path)
    return tmp_path / "data"


@pytest.mark.parametrize("state", ["accepted", "rejected"])
def test_a_plan_with_decisions_is_not_written_over(
    folder: Path, tmp_path: Path, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "plan.jsonl"
    settings = garim.ExtractSettings(method="contour")
    garim.extract(garim.read(folder), None, settings, out)
    garim.extract(garim.read(folder), None, settings, out)  # as it was proposed
    head, line = out.read_text(encoding="utf-8").splitlines()
    out.write_text(f"{head}\n{json.dumps(json.loads(line) | {'state': state})}\n", "utf-8")
    before = out.read_bytes()
    with pytest.raises(PlanError, match="1 of its edits are accepted or rejected"):
        garim.extract(garim.read(folder), None, settings, out)
    audit = tmp_path / "audit" / "plan.jsonl"
    audit.parent.mkdir()
    audit.write_bytes(before)
    assert run(["audit", str(folder), "--out", str(audit.parent)]) == 2
    assert "name another file" in capsys.readouterr().err
    assert out.read_bytes() == audit.read_bytes() == before
