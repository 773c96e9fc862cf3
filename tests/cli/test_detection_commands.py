"""collect, augment, train --task detect, evaluate and predict with a detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import garim


def test_collect_and_augment(world: Any, command: Any, tmp_path: Path) -> None:
    done = command("collect", world.data, "--to", tmp_path / "all", "--types", "jpg,png", "--json")
    assert done.status == 0 and done.json["pictures"] == 24 and done.json["failed"] == []
    (tmp_path / "urls.txt").write_text("ftp://nowhere/a.png\n")
    failed = command("collect", tmp_path / "urls.txt", "--to", tmp_path / "none", "--json")
    assert failed.status == 3 and "only http" in failed.json["failed"][0]["error"]
    more = command("augment", world.truth, "--per-class", 10, "--to", tmp_path / "more", "--policy",
                   "document", "--json")  # fmt: skip
    assert more.status == 0 and set(more.json["copies"].values()) == {2}
    assert Path(more.json["sheet"]).is_file()
    assert len(garim.read(tmp_path / "more")) == 30


@pytest.mark.slow
def test_a_detector_from_training_to_plan(world: Any, command: Any, tmp_path: Path) -> None:
    model = tmp_path / "model"
    trained = command("train", world.truth, "--task", "detect", "--backbone",
                      "mobilenetv3_small_050", "--weights", "none", "--size", 64, "--epochs", 1,
                      "--out", model, "--json")  # fmt: skip
    assert trained.status == 0, trained.err
    assert trained.json["task"] == "detect" and (model / "report.html").is_file()
    judged = command("evaluate", model, world.truth, "--json")
    assert judged.status == 0 and {"ap", "ap50", "per_class"} <= set(judged.json)
    assert "Worst pictures" in (model / "evaluation" / "report.html").read_text()
    out = tmp_path / "found"
    found = command("predict", model, world.data, "--least", 0.05, "--to", out, "--json")
    assert found.status == 0 and found.json["pictures"] == 24
    assert (out / "coco.json").is_file() and garim.load_plan(out / "plan.jsonl").edits
