"""Commands on a small drawn dataset, killed (-9) at some moment, and run again.

Shared by the tests of this folder and by ``benchmarks/faults.py``. Commands run in processes that
are forked from one that has imported Garim already, so that a moment is one of the work.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from garim import files
from garim.boxes import Box
from garim.cli import run
from garim.plan import Edit, Plan

CLASSES, EACH, SIDE = ("blue", "green", "빨강"), 10, 40
MODEL = ("--backbone", "small_cnn", "--weights", "none", "--size", "32", "--epochs", "4",
         "--batch", "8", "--no-localizer")  # fmt: skip

_HERE = str(Path(__file__).resolve().parent)
os.environ["PYTHONPATH"] = os.pathsep.join([_HERE, os.environ.get("PYTHONPATH", "")]).strip(":")
# The process that others are forked from finds this module by it, and imports Garim once.
_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(["kills"])


@dataclass(frozen=True)
class Verb:
    """A command that is killed; words in braces are files in the folder it works in."""

    words: tuple[str, ...]
    result: Callable[[Path], Any]
    """What an interrupted and continued run must have in common with an uninterrupted one."""
    before: tuple[str, ...] = ()
    """A command that is run first, and not killed."""
    undone: bool = False
    """Whether the originals must be had back by an undo afterwards; otherwise they never change."""


def contents(folder: Path) -> dict[str, str]:
    """Give the digest of each file that is to be seen under a folder."""
    return {
        path.relative_to(folder).as_posix(): files.digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".garim" not in path.parts
    }


def _lines(path: Path) -> list[Any]:
    """Give the lines of a plan, in any order, without the time that it took."""
    plain = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    plain[0].pop("seconds", None)
    return sorted(json.dumps(line, sort_keys=True) for line in plain)


def _vectors(folder: Path) -> list[Any]:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tables = [pl.read_parquet(path) for path in sorted(folder.glob("rows-*"))]
    arrays = [np.load(path) for path in sorted(folder.glob("vectors-*"))]
    rows = pl.concat(tables)["digest"].to_list()
    vectors = np.concatenate(arrays).round(4).tolist()
    return [config["ends"][-1], sorted(zip(rows, vectors, strict=True))]


def _enlarged(folder: Path) -> list[Any]:
    """Give the pictures, and what their list says in any order."""
    listed = (folder / "upscaled.jsonl").read_text(encoding="utf-8").splitlines()
    return [_pictures(folder), sorted(listed)]


def _everything(folder: Path) -> dict[str, str]:
    found = contents(folder)
    assert not [name for name in found if name.endswith(".tmp")], "something is half written"
    return found


VERBS: dict[str, Verb] = {
    "apply": Verb(("apply", "{plan.jsonl}", "--to", "{to}"), lambda w: _everything(w / "to")),
    "apply --in-place": Verb(
        ("apply", "{plan.jsonl}", "--in-place"), lambda w: _everything(w / "data"), undone=True
    ),
    "undo": Verb(
        ("undo", "{data}"), lambda w: _everything(w / "data"), undone=True,
        before=("apply", "{plan.jsonl}", "--in-place"),
    ),
    "collect": Verb(("collect", "{data}", "--to", "{to}"), lambda w: _pictures(w / "to")),
    "augment": Verb(
        ("augment", "{data}", "--to", "{to}", "--per-class", "20"),
        lambda w: _everything(w / "to"),
    ),
    "search index": Verb(
        ("search", "index", "{data}", "--to", "{index}", "--model", "{model}"),
        lambda w: _vectors(w / "index"),
    ),
    "audit": Verb(
        ("audit", "{data}", "--out", "{audit}"), lambda w: _lines(w / "audit" / "plan.jsonl")
    ),
    "extract": Verb(
        ("extract", "{data}", "--model", "{model}", "--out", "{boxes.jsonl}", "--method",
         "windows", "--grid", "4", "--kernel", "2"),
        lambda w: _lines(w / "boxes.jsonl"),
    ),
    "upscale": Verb(
        ("upscale", "{data}", "--out", "{large}"), lambda w: _enlarged(w / "large")
    ),
    "convert": Verb(
        ("convert", "{data}", "{to}", "--to", "coco"), lambda w: _everything(w / "to")
    ),
    "cutout": Verb(
        ("cutout", "{data}", "--out", "{to}"),
        lambda w: _pictures(w / "to"),
    ),
    "predict": Verb(
        ("predict", "{model}", "{data}", "--out", "{labels.csv}"),
        lambda w: (w / "labels.csv").read_text(encoding="utf-8"),
    ),
    "train": Verb(
        ("train", "{data}", "--out", "{trained}", *MODEL),
        lambda w: files.digest(w / "trained" / "model.safetensors"),
    ),
}  # fmt: skip
"""Every verb that writes something that people would miss."""


def _pictures(folder: Path) -> dict[str, str]:
    return {name: one for name, one in _everything(folder).items() if name.endswith(".png")}


def draw_world(world: Path) -> None:
    """Draw a dataset; write a plan of it, and train a small network on it."""
    rng, edits = np.random.default_rng(0), []
    for number in range(len(CLASSES) * EACH):
        label = CLASSES[number % len(CLASSES)]
        path = world / "data" / label / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        noise[..., number % len(CLASSES)] = 255
        Image.fromarray(noise).save(path)
        known = {"picture": f"{label}/{path.name}", "label": label, "digest": files.digest(path)}
        edits.append(_edit(number, known))
    Plan(dataset=world / "data", edits=tuple(edits)).save(world / "plan.jsonl")
    done = end(start(world, ("train", "{data}", "--out", "{model}", *MODEL)))
    assert done == 0, (world / "said.txt").read_text()


def _edit(number: int, known: dict[str, Any]) -> Edit:
    """Crop, relabel and drop by turns."""
    if number % 4 == 1:
        return Edit(edit="relabel", to=CLASSES[(number + 1) % len(CLASSES)], **known)
    if number % 4 == 3:
        return Edit(edit="drop", **known)
    return Edit(edit="crop", box=Box(2, 3, 30, 35), **known)


def _child(words: list[str], said: Path, ready: Any) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    with said.open("w") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
        ready.set()
        raise SystemExit(run(words))


def start(work: Path, words: tuple[str, ...]) -> Any:
    """Start a command; give its process once it is about to begin."""
    plain = [str(work / w[1:-1]) if w.startswith("{") else w for w in words]
    ready = _FORKED.Event()
    process = _FORKED.Process(target=_child, args=(plain, work / "said.txt", ready))
    process.start()
    ready.wait(120)
    return process


def end(process: Any) -> int | None:
    """Wait for a process; give its exit status, −9 when it was killed."""
    process.join(120)
    code: int | None = process.exitcode
    return code


@dataclass(frozen=True)
class Trial:
    """What a kill did, and the run after it."""

    killed: bool
    lost: int
    """Originals that are not there, byte for byte, nor to be had back."""
    equal: bool
    said: str
    """What the last run said."""


class Bench:
    """One verb in one folder, which is drawn anew for each trial."""

    def __init__(self, name: str, world: Path, work: Path) -> None:
        self.verb, self.world, self.work = VERBS[name], world, work
        self._renew()
        process, started = start(work, self.verb.words), time.perf_counter()
        code = end(process)
        assert code in {0, 3}, (work / "said.txt").read_text()  # 3: some pictures are left out
        self.seconds = time.perf_counter() - started
        self.wanted = self.verb.result(work)
        self.originals = contents(world / "data")

    def _renew(self) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.world, self.work)
        plan = (self.work / "plan.jsonl").read_text(encoding="utf-8")
        moved = plan.replace(str(self.world), str(self.work))
        (self.work / "plan.jsonl").write_text(moved, encoding="utf-8")
        if self.verb.before:
            assert end(start(self.work, self.verb.before)) == 0

    def trial(self, share: float) -> Trial:
        """Kill a run after a share of its time, run it again, and compare."""
        self._renew()
        process = start(self.work, self.verb.words)
        time.sleep(share * self.seconds)
        process.kill()
        killed = end(process) == -9
        if not self.verb.undone and contents(self.work / "data") != self.originals:
            return Trial(killed, len(self.originals), False, "the originals were changed")
        if killed:
            end(start(self.work, self.verb.words))  # "is done already", if it was
        said = (self.work / "said.txt").read_text(encoding="utf-8")
        equal = self._is_equal()
        if self.verb.undone:
            end(start(self.work, ("undo", "{data}")))
        now = contents(self.work / "data")
        lost = sum(now.get(name) != one for name, one in self.originals.items())
        return Trial(killed, lost, equal and "Traceback" not in said, said)

    def _is_equal(self) -> bool:
        try:
            return bool(self.verb.result(self.work) == self.wanted)
        except (OSError, AssertionError):  # there is no result, or a part of one
            return False
