"""A real disk with too little room: said clearly, nothing half written, and gone on with later."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
UNSHARED = ("unshare", "--user", "--mount", "--map-root-user")


def _can_mount(folder: Path) -> bool:
    """Tell whether anyone may mount a disk in a namespace of his own, as on most Linux systems."""
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(
        [*UNSHARED, "mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False
    )
    return tried.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "names",
    [("apply", "apply --in-place", "undo", "collect"), ("search index", "augment", "audit")],
    ids=" and ".join,
)
def test_too_little_room(names: tuple[str, ...], world: Path, tmp_path: Path) -> None:
    if not _can_mount(tmp_path):
        pytest.skip("nobody but root may mount a disk here")
    line = [*UNSHARED, sys.executable, HERE / "small_disk.py", world, tmp_path / "disk", *names]
    environment = {**os.environ, "GARIM_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(line, capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found["wrong"] == []
    assert found["refused"] >= 2 * len(names)
