"""Run commands on a disk that has less and less room; print what was wrong, as JSON.

    unshare --user --mount --map-root-user python small_disk.py WORLD WORK VERB …

The namespace lets anyone mount a small disk (tmpfs) in it.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

from kills import VERBS, contents

from garim.cli import run

ROOMS = (0, 4, 12, 28, 60)
"""Pages of 4 KiB that are free when a command begins; the last is too little for some only."""


def main() -> None:
    """Try every verb with every room."""
    world, work = Path(sys.argv[1]), Path(sys.argv[2])
    work.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", work], check=True)
    wrong, refused = [], 0
    for name in sys.argv[3:]:
        _renew(world, work, name)
        status, said = _run(work, VERBS[name].words)
        assert status == 0, said
        wanted = VERBS[name].result(work)
        for room in ROOMS:
            _renew(world, work, name)
            _resize(work, room)
            status, said = _run(work, VERBS[name].words)
            _resize(work, None)
            refused += status == 2
            wrong += [[name, room, one] for one in _wrong(work, name, status, said, world, wanted)]
    sys.stdout.write(json.dumps({"refused": refused, "wrong": wrong}) + "\n")


def _wrong(work: Path, name: str, status: int, said: str, world: Path, wanted: object) -> list[str]:
    problems, verb = [], VERBS[name]
    if status not in {0, 2} or (status == 2 and "No space left on device" not in said):
        problems.append(f"status {status}: {said}")
    if list(work.rglob(".*.tmp")):
        problems.append("something half written is left")
    if not verb.undone and contents(work / "data") != contents(world / "data"):
        problems.append("the originals were changed")
    if status:
        again, more = _run(work, verb.words)
        if again and "nothing to undo" not in more:
            problems.append(f"cannot go on: {more}")
    if verb.result(work) != wanted:
        problems.append("the result is another")
    return problems


def _renew(world: Path, work: Path, name: str) -> None:
    for one in work.iterdir():
        shutil.rmtree(one) if one.is_dir() else one.unlink()
    shutil.copytree(world, work, dirs_exist_ok=True)
    plan = work / "plan.jsonl"
    plan.write_text(plan.read_text(encoding="utf-8").replace(str(world), str(work)), "utf-8")
    if VERBS[name].before:
        _run(work, VERBS[name].before)


def _resize(work: Path, pages: int | None) -> None:
    """Leave so many free pages; without a number, as many as one likes."""
    size = "256m"
    if pages is not None:
        usage = shutil.disk_usage(work)
        size = str(usage.used + 4096 * max(pages, 1))
    subprocess.run(["mount", "-o", f"remount,size={size}", work], check=True)


def _run(work: Path, words: tuple[str, ...]) -> tuple[int, str]:
    plain = [str(work / w[1:-1]) if w.startswith("{") else w for w in words]
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        status = run(plain)
    return status, said.getvalue()


if __name__ == "__main__":
    main()
