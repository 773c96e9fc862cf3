"""A disk that takes so much and then no more, or nothing: what is said, and what is left."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_datasets import hard_plan, snapshot, undo_if_any, uninterrupted, visible

from garim.errors import DatasetError
from garim.plan import apply, undo

CHANGES = {
    "replace": (os, "replace"),
    "mkdir": (os, "mkdir"),
    "fsync": (os, "fsync"),
    "link": (os, "link"),  # and nothing can be copied then
    "write": (Path, "write_bytes"),  # half of the bytes are written
}
"""What a disk may refuse to do."""


def _refuse(code: int, *values: Any) -> None:
    if len(values) == 2 and isinstance(values[1], bytes):
        with values[0].open("wb") as stream:
            stream.write(values[1][: len(values[1]) // 2])
    raise OSError(code, os.strerror(code))


def _refused(what: str, number: int, function: Callable[[], object], code: int) -> bool:
    """Run on a disk that takes so many changes of a kind and then no more; tell whether it did."""
    seen = [0]

    def limited(plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(*values: Any, **named: Any) -> Any:
            seen[0] += 1
            return plain(*values, **named) if seen[0] <= number else _refuse(code, *values)

        return call

    owner, name = CHANGES[what]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, limited(getattr(owner, name)))
        if what == "link":
            patch.setattr(shutil, "copy2", lambda *_: _refuse(code))
        try:
            function()
        except DatasetError as error:
            assert os.strerror(code) in str(error)
            return True
    return False


def _sweep(root: Path, tmp_path: Path, what: str, code: int, numbers: range) -> int:
    """Refuse each of the numbers; the rest is done, or undone, when there is room again."""
    before, plan = snapshot(root), hard_plan(root)
    wanted, refusals = uninterrupted(root, tmp_path, plan), 0
    for number in numbers:
        if not _refused(what, number, lambda: apply(plan, in_place=True), code):
            break
        refusals += 1
        assert not list(root.glob("t*/**/.*.tmp"))
        if number % 2:
            apply(plan, in_place=True)
            assert visible(root) == wanted, f"gone on after {what} {number}"
        elif _refused(what, number // 2, lambda: undo_if_any(root), code):
            assert not list(root.glob("t*/**/.*.tmp"))
        undo_if_any(root)
        assert snapshot(root) == before, f"undone after {what} {number}"
    undo_if_any(root)
    return refusals


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("number", [0, 1, 4])
def test_a_full_disk_stops_and_nothing_is_lost(
    root: Path, tmp_path: Path, what: str, number: int
) -> None:
    refusals = _sweep(root, tmp_path, what, errno.ENOSPC, range(number, number + 1))
    assert refusals == (what != "write" or number < 2)  # there are two crops


@pytest.mark.slow
@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_refused_at_each_change(root: Path, tmp_path: Path, what: str, code: int) -> None:
    assert _sweep(root, tmp_path, what, code, range(1000)) >= 2


@pytest.mark.parametrize("going_on", [True, False])
def test_a_disk_full_of_crops(root: Path, tmp_path: Path, going_on: bool) -> None:
    before, plan = snapshot(root), hard_plan(root)
    wanted = uninterrupted(root, tmp_path, plan)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "write_bytes", lambda *values: _refuse(errno.ENOSPC, *values))
        said = r"new/train/dog/3\.png: No space left.*bytes are needed, .* are free; free some "
        with pytest.raises(DatasetError, match=said + r".*apply the plan again"):
            apply(plan, in_place=True)
    if going_on:
        apply(plan, in_place=True)
        assert visible(root) == wanted
    undo(root)
    assert snapshot(root) == before


def test_a_disk_without_hard_links(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", lambda *_: _refuse(errno.EPERM))
    before = snapshot(root)
    apply(hard_plan(root), in_place=True)
    undo(root)
    assert snapshot(root) == before


def test_a_disk_that_can_only_be_read(root: Path) -> None:
    before, plan = snapshot(root), hard_plan(root)
    for change in (lambda: apply(plan, in_place=True), lambda: undo(root)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "mkdir", lambda *_: _refuse(errno.EROFS))
            with pytest.raises(DatasetError, match=r"cannot be written: Read-only file system"):
                change()
    assert snapshot(root) == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(root: Path) -> None:
    plan = hard_plan(root)
    root.chmod(0o555)
    try:
        with pytest.raises(DatasetError, match="cannot be written"):
            apply(plan, in_place=True)
    finally:
        root.chmod(0o755)
