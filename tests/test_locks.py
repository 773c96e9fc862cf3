from __future__ import annotations

import json
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from garim import locks
from garim.errors import DatasetError, PlanError

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and kill -9")


def _hold(folder: Path, held: Any) -> None:
    with locks.alone(folder / "lock", folder / "thing", "being knitted"):
        held.set()
        time.sleep(60)


@contextmanager
def _held(folder: Path) -> Iterator[Any]:
    """Hold the lock in another process, until that is killed."""
    context = multiprocessing.get_context("fork")
    held = context.Event()
    other = context.Process(target=_hold, args=(folder, held))
    other.start()
    try:
        assert held.wait(60)
        yield other
    finally:
        other.kill()
        other.join()


@forks
def test_another_process_is_named_and_a_killed_one_is_followed(tmp_path: Path) -> None:
    with _held(tmp_path) as other:
        said = rf"thing: is being knitted by process {other.pid} on this machine since 2\d{{3}}-"
        with (
            pytest.raises(DatasetError, match=said + ".*; wait until it has ended"),
            locks.alone(tmp_path / "lock", tmp_path / "thing", "being sewn"),
        ):
            pass
        other.kill()
        other.join()
        assert (tmp_path / "lock.holder").exists()
        with locks.alone(tmp_path / "lock", tmp_path / "thing", "being sewn"):
            told = json.loads((tmp_path / "lock.holder").read_text())
            assert (told["process"], told["doing"]) == (os.getpid(), "being sewn")
    assert list(tmp_path.iterdir()) == []


def test_a_thread_of_the_same_process_waits_too(tmp_path: Path) -> None:
    refused: list[str] = []

    def second() -> None:
        try:
            with locks.alone(tmp_path / "lock", tmp_path, "b", advice="look", error=PlanError):
                refused.append("nothing")
        except PlanError as error:
            refused.append(str(error))

    with locks.alone(tmp_path / "lock", tmp_path, "being read"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert f"is being read by process {os.getpid()} " in refused[0] and "; look" in refused[0]


def test_what_another_machine_wrote_down_is_told(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with locks.alone(lock, tmp_path, "x"):
        for note, said in (
            ('{"doing": "being undone", "process": 7, "machine": "far", "since": "noon"}',
             "is being undone by process 7 on far since noon"),
            ('{"doing": "bei', "is being changed by another process"),
        ):  # fmt: skip
            (tmp_path / "lock.holder").write_text(note)
            with (
                pytest.raises(DatasetError, match=said),
                locks.alone(lock, tmp_path, "being changed"),
            ):
                pass


def test_a_lock_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(DatasetError, match="thing: cannot be written"),
        locks.alone(tmp_path / "file/lock", tmp_path / "thing", "x"),
    ):
        pass


def _count(folder: Path, times: int) -> None:
    for _ in range(times):
        while True:
            try:
                with locks.alone(folder / "lock", folder, "counting"):
                    number = int((folder / "number").read_text())
                    time.sleep(0.0005)
                    (folder / "number").write_text(str(number + 1))
                break
            except DatasetError:
                time.sleep(0.0005)


@forks
def test_no_two_at_once(tmp_path: Path) -> None:
    """The lock's file is removed and made anew; the name must not come to mean two locks."""
    (tmp_path / "number").write_text("0")
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=_count, args=(tmp_path, 50)) for _ in range(4)]
    for one in others:
        one.start()
    for one in others:
        one.join(120)
    assert (tmp_path / "number").read_text() == "200"
