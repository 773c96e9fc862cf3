"""Whoever comes second to a dataset, an index or a review is told who is there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from garim import files, locks
from garim.cli import run
from garim.plan import Edit, Plan


@pytest.fixture
def work(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    (tmp_path / "data" / "dog").mkdir(parents=True)
    path = tmp_path / "data" / "dog" / "1.png"
    Image.fromarray(noise).save(path)
    drop = Edit(picture="dog/1.png", edit="drop", label="dog", digest=files.digest(path))
    Plan(dataset=tmp_path / "data", edits=(drop,)).save(tmp_path / "plan.jsonl")
    return tmp_path


COMMANDS = {
    "apply {}/plan.jsonl --to {}/to": ".to.lock",
    "augment {}/data --per-class 2 --to {}/to": ".to.lock",
    "convert {}/data {}/to --to coco": ".to.lock",
    "collect {}/data --to {}/to": ".to.lock",
    "apply {}/plan.jsonl --in-place": "data/.garim/lock",
    "undo {}/data": "data/.garim/lock",
    "search index {}/data --to {}/to --backbone small_cnn --weights none": "to/.lock",
    "review {}/plan.jsonl --no-browser": "plan.decisions.lock",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_second_is_told_who_is_there(
    command: str, work: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = command.replace("{}", str(work)).split()
    before = (work / "data/dog/1.png").read_bytes()
    with locks.alone(work / COMMANDS[command], work, "being knitted"):
        assert run(words) == 2
    said = capfd.readouterr().err
    assert f"is being knitted by process {os.getpid()} on this machine since" in said
    assert (work / "data/dog/1.png").read_bytes() == before
    if words[0] not in {"review", "undo", "search"}:
        assert run([*words, "--quiet"]) == 0  # when the other has ended
        assert not list(work.glob(".*")) and not list(work.rglob("*lock*"))
