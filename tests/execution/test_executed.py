"""``garim.execution``: the same results whoever works, and nothing done twice."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stages import Squares

from garim.errors import ExecutionError, ModelError, SettingsError
from garim.execution import ExecutionSettings, executed

NUMBERS = list(range(25))
Rows = list[tuple[int, dict[str, Any]]]


def done(
    stage: Squares, execution: ExecutionSettings, items: list[int] = NUMBERS, **about: Any
) -> Rows:
    with executed(stage, items, execution, about=about, description="Squaring") as found:
        return list(found)


def expected(bad: tuple[int, ...] = (), items: list[int] = NUMBERS) -> Rows:
    return [
        (n, {"square": None, "digits": None, "error": "is bad"} if n in bad
         else {"square": n * n, "digits": list(str(n)), "error": None})
        for n in items
    ]  # fmt: skip


@pytest.fixture
def squares(tmp_path: Path) -> Squares:
    (tmp_path / "root").mkdir()
    return Squares(root=tmp_path / "root")


def test_one_worker_and_three_agree(squares: Squares, tmp_path: Path) -> None:
    stage = replace(squares, bad=(3, 24))
    for shard in (1, 4, 100):
        assert done(stage, ExecutionSettings(shard=shard)) == expected(stage.bad)
    work = tmp_path / "work"
    three = ExecutionSettings(workers=3, shard=4, work=work)
    assert done(stage, three) == expected(stage.bad)
    assert not work.exists()
    assert done(stage, three, []) == []


def test_a_worker_that_is_killed_is_replaced(squares: Squares) -> None:
    stage = replace(squares, deadly=9)
    assert done(stage, ExecutionSettings(workers=2, shard=4)) == expected()
    assert stage.begun() == [0, 4, 8, 8, 12, 16, 20, 24]


def test_a_shard_that_kills_twice_is_named(squares: Squares, tmp_path: Path) -> None:
    stage = replace(squares, deadly=9, lives=9)
    two = ExecutionSettings(workers=2, shard=4, work=tmp_path / "work")
    with pytest.raises(ExecutionError, match=r"shard-00002.parquet: 2 workers were killed"):
        done(stage, two)
    assert len(list(stage.root.glob("death-*"))) == 2
    assert done(replace(stage, deadly=None), two) == expected()


def test_what_is_wrong_in_a_worker_is_told(squares: Squares, tmp_path: Path) -> None:
    work = tmp_path / "work"
    for workers in (1, 2):
        with pytest.raises(ModelError, match="there is no model"):
            done(replace(squares, wrong=True), ExecutionSettings(workers=workers, work=work))
        with pytest.raises(OSError, match="No space left") as caught:
            done(replace(squares, full=True), ExecutionSettings(workers=workers, work=work))
        assert caught.value.filename == str(squares.root)
        assert not work.exists()


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_killed_run_goes_on(squares: Squares, tmp_path: Path, workers: int) -> None:
    work = tmp_path / "work"
    execution = ExecutionSettings(workers=workers, shard=4, work=work)
    slow = replace(squares, seconds=0.05)
    child = multiprocessing.get_context("forkserver").Process(target=done, args=(slow, execution))
    child.start()
    wait_for(lambda: len(list(work.glob("shard-*"))) >= 2, 60)
    os.kill(child.pid or 0, signal.SIGKILL)
    child.join()
    time.sleep(0.5)  # workers end with their parent
    finished = {path: path.stat().st_mtime_ns for path in work.glob("shard-*.parquet")}
    assert 2 <= len(finished) < 7
    for path in squares.root.glob("begun-*"):
        path.unlink()
    with executed(squares, NUMBERS, execution, about={}, description="") as found:
        assert {path: path.stat().st_mtime_ns for path in finished} == finished
        assert list(found) == expected()
    left = set(range(7)) - {int(path.stem.split("-")[1]) for path in finished}
    assert squares.begun() == [4 * number for number in sorted(left)]
    assert not work.exists()


def wait_for(happens: Any, seconds: float) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_another_run_is_refused(squares: Squares, tmp_path: Path) -> None:
    work = tmp_path / "work"
    one = ExecutionSettings(shard=4, work=work)
    with (
        pytest.raises(KeyboardInterrupt),
        executed(squares, NUMBERS, one, about={"model": "a"}, description=""),
    ):
        raise KeyboardInterrupt
    before = {path.name: path.read_bytes() for path in work.iterdir()}
    assert set(before) == {"run.json", *(f"shard-{n:05d}.parquet" for n in range(7))}
    assert json.loads(before["run.json"])["items"] == 25
    for other, told in (
        (lambda: done(squares, one, model="b"), "model differ"),
        (lambda: done(squares, replace(one, shard=5), model="a"), "shard differ"),
        (lambda: done(squares, one, NUMBERS[::-1], model="a"), "digest differ"),
        (lambda: done(replace(squares, name="cubes"), one, model="a"), "stage differ"),
    ):
        with pytest.raises(ExecutionError, match=told):
            other()
    assert {path.name: path.read_bytes() for path in work.iterdir()} == before
    with pytest.raises(ExecutionError, match="holds no unfinished work"):
        done(squares, replace(one, work=squares.root.parent))
    assert done(replace(squares, wrong=True), one, model="a") == expected()  # nothing left to do


def test_two_at_once_are_refused(squares: Squares, tmp_path: Path) -> None:
    one = ExecutionSettings(work=tmp_path / "work")
    with (
        executed(squares, NUMBERS, one, about={}, description=""),
        pytest.raises(ExecutionError, match="being worked on by process"),
    ):
        done(squares, one)


def test_a_broken_shard_is_named(squares: Squares, tmp_path: Path) -> None:
    one = ExecutionSettings(shard=4, work=tmp_path / "work")
    with (
        pytest.raises(KeyboardInterrupt),
        executed(squares, NUMBERS, one, about={}, description=""),
    ):
        raise KeyboardInterrupt
    (tmp_path / "work" / "shard-00001.parquet").write_bytes(b"no")
    with pytest.raises(ExecutionError, match=r"shard-00001.parquet: cannot be read.*delete it"):
        done(squares, one)


def test_settings_that_cannot_work(squares: Squares, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = ExecutionSettings(workers=0, engine="cloud", shard=0, address="auto")
    with pytest.raises(SettingsError, match="known: local, ray") as caught:
        done(squares, wrong)
    assert len(caught.value.problems) == 4
    with pytest.raises(SettingsError, match="--work"):
        done(squares, ExecutionSettings(engine="ray", address="auto"))
    monkeypatch.setattr("garim.execution.ray.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install 'garim\[ray\]'"):
        done(squares, ExecutionSettings(engine="ray"))
