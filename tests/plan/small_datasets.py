"""What the tests of plans share: a small dataset, edits of it, snapshots, and kill -9 on time."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import traceback
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from garim import files
from garim.boxes import Box
from garim.errors import DatasetError
from garim.plan import Edit, Kind, Plan, apply, undo

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and kill -9")

NFD = unicodedata.normalize("NFD", "고양이")

NAMES = (
    "train/dog/1.png", "train/dog/2.png", "train/dog/3.png", "train/dog/4.png",
    "train/dog/5.png", "train/dog/그대로.png", f"train/{NFD}/1.png", f"train/{NFD}/2.png",
)  # fmt: skip

Snapshot = dict[str, tuple[str, int] | None]


def draw(path: Path, seed: int, size: tuple[int, int] = (40, 30)) -> Path:
    """Save a picture of coarse noise, another for each seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(noise).resize(size, Image.Resampling.NEAREST).save(path)
    return path


def draw_dataset(root: Path) -> Path:
    """Draw dogs and cats; one cat is the same file as one dog, and there is an empty class."""
    for index, name in enumerate(NAMES):
        draw(root / name, index)
        os.utime(root / name, ns=(10**18 + index, 10**18 + index * 1_000_000))
    shutil.copy2(root / "train/dog/2.png", root / f"train/{NFD}/2.png")
    (root / "train" / "empty").mkdir()
    (root / "notes.txt").write_text("kept")
    return root


def edit(root: Path, name: str, kind: Kind, **values: Any) -> Edit:
    """Propose an edit of a picture as it is now."""
    label = unicodedata.normalize("NFC", name.split("/")[-2])
    given = {"label": label, "split": "train", "digest": files.digest(root / name)} | values
    return Edit(picture=name, edit=kind, **given)


def hard_plan(root: Path) -> Plan:
    """Swap names, free a name and take it, move into new folders, cut and move at once."""
    box = Box(3, 4, 23, 19)
    edits = (
        edit(root, f"train/{NFD}/2.png", "drop", reason="a copy of dog/2.png"),
        edit(root, "train/dog/2.png", "relabel", to="고양이"),
        edit(root, "train/dog/1.png", "relabel", to="고양이"),
        edit(root, f"train/{NFD}/1.png", "relabel", to="dog"),
        edit(root, "train/dog/3.png", "crop", box=box),
        edit(root, "train/dog/4.png", "crop", box=box),
        edit(root, "train/dog/4.png", "relabel", to="새 이름"),
        edit(root, "train/dog/5.png", "move", to="test"),
    )
    return Plan(dataset=root, edits=edits)


def snapshot(root: Path, *, times: bool = True) -> Snapshot:
    """Give every file's content (and time) and every folder under a folder."""
    return {
        path.relative_to(root).as_posix(): (
            (files.digest(path), path.stat().st_mtime_ns if times else 0)
            if path.is_file()
            else None
        )
        for path in sorted(root.rglob("*"))
    }


def visible(root: Path) -> Snapshot:
    """Give the dataset without Garim's folder, whose content tells of the order of things."""
    found = snapshot(root, times=False)
    return {name: one for name, one in found.items() if not name.startswith(".garim")}


_COUNTED = ("replace", "rename", "link", "unlink", "mkdir", "rmdir", "fsync")


def killed_at(number: int, function: Callable[[], object]) -> bool:
    """Run in a child process that is killed (-9) before its n-th change of the disk.

    Returns:
        Whether it was killed; False when it came to its end.
    """
    child = os.fork()
    if not child:
        try:
            signal.alarm(60)
            _kill_before(number)
            function()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.waitstatus_to_exitcode(status) in {0, -signal.SIGKILL}
    return os.WIFSIGNALED(status)


def _kill_before(number: int) -> None:
    lock, seen = threading.Lock(), [0]

    def counted(function: Callable[..., object]) -> Callable[..., object]:
        def call(*values: object, **named: object) -> object:
            with lock:
                seen[0] += 1
                if seen[0] == number:
                    os.kill(os.getpid(), signal.SIGKILL)
            return function(*values, **named)

        return call

    for name in _COUNTED:
        setattr(os, name, counted(getattr(os, name)))


def undo_if_any(root: Path) -> None:
    """Undo what was applied, which may be nothing yet; nothing may be refused."""
    try:
        assert undo(root).failures == ()
    except DatasetError as error:
        if "nothing to undo" not in str(error):
            raise


def uninterrupted(root: Path, tmp_path: Path, plan: Plan) -> dict[str, Any]:
    """Apply a plan to a copy of the dataset; give what is to be seen of it."""
    whole = shutil.copytree(root, tmp_path / "whole")
    apply(plan, in_place=True, data=whole)
    return visible(whole)


def apply_until(plan: Plan, root: Path, number: int) -> None:
    """Stop between two steps."""
    from garim.plan import in_place

    seen = [0]
    change = in_place.change

    def counted(*values: Any) -> list[str]:
        seen[0] += 1
        if seen[0] == number:
            raise KeyboardInterrupt
        return change(*values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(in_place, "change", counted)
        apply(plan, in_place=True)
