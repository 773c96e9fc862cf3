"""What strangers' files can do to the readers: nothing but a clear error.

    python benchmarks/fuzz_readers.py [--cases 100000] [--readers NAME …] [--seed 0] [--json FILE]

Every reader of `tests/fuzz/reader_targets.py` is given files that are changed a little, in their
structure or in their bytes. With atheris (``pip install atheris``: Apache-2.0, libFuzzer) changes
that reach new lines of Garim are kept and changed again; without it they are drawn at random.
A case fails when it ends in anything but an error of `garim.errors`, takes over 5 s of the
processor, takes the process over 4 GiB, or (zip, tar) writes a file outside its folder. Each reader
runs in a process of its own, which is started again with the next seed when it hangs or dies.
Nothing is read from ``--data``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "fuzz"))

LONGEST, HANGING = 5.0, 60.0
"""Seconds of the processor that a case may take, and seconds by the clock after which a process
that says nothing is killed: others may need the machine, too."""

MOST_MEMORY = 4 * 2**30
"""The largest picture that is decoded takes 768 MiB as RGB, and, with transparency, some copies."""

NOTED = 500
"""Cases between two notes of how far it is."""

MOST_BYTES = 1 << 16


class TooSlowError(BaseException):
    """A case that took too long; no reader can catch it as an error of its own."""


def main() -> None:
    """Feed every reader, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--readers", nargs="*")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        reader, seed, cases, folder, found = options.child
        _feed(reader, int(seed), int(cases), Path(folder), Path(found))
        return
    from reader_targets import READERS

    engine = "atheris" if importlib.util.find_spec("atheris") else "seeded mutations"
    print(
        f"{engine}\n{'reader':14}{'cases':>9}{'refused':>9}{'failed':>8}{'slowest s':>11}{'MiB':>7}"
    )
    rows = []
    for name in options.readers or READERS:
        row = _supervised(name, options.seed, options.cases)
        rows.append(row)
        print(
            f"{name:14}{row['cases']:9,}{row['refused']:9,}{row['failed']:8}"
            f"{row['slowest']:11.2f}{row['memory_mib']:7,.0f}",
            flush=True,
        )
        for problem, count in row["failures"].items():
            print(f"    {count} × {problem}")
    if options.json:
        text = json.dumps({"engine": engine, "rows": rows}, indent=2, ensure_ascii=False)
        options.json.write_text(text + "\n", encoding="utf-8")


def _supervised(name: str, seed: int, cases: int) -> dict:
    """Run a reader's cases in child processes; a child that hangs or dies counts as a failure."""
    total = {"reader": name, "cases": 0, "refused": 0, "failed": 0, "slowest": 0.0,
             "memory_mib": 0.0, "failures": Counter()}  # fmt: skip
    while total["cases"] < cases:
        with tempfile.TemporaryDirectory() as folder:
            left = cases - total["cases"]
            _add(total, _one_child(name, seed, left, Path(folder)))
        seed += 1
    total["failures"] = dict(total["failures"].most_common())
    return total


def _one_child(name: str, seed: int, cases: int, folder: Path) -> dict:
    note = folder / "note.json"
    command = [sys.executable, __file__, "--child", name, str(seed), str(cases), str(folder), note]
    with (folder / "output.txt").open("wb") as output:
        child = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        ended = _watch(child, folder / "started")
    found = json.loads(note.read_text()) if note.exists() else {"cases": 0, "failures": {}}
    if ended is None or found.get("cases", 0) < cases:
        last = (folder / "output.txt").read_text(errors="replace").strip().splitlines()[-1:]
        why = f"hangs for over {HANGING:.0f} s" if ended is None else f"died ({ended})"
        found["failures"] = Counter(found["failures"]) + Counter([f"{why}: {last} seed {seed}"])
        found["cases"] = found["cases"] + 1
    return found


def _watch(child: subprocess.Popen, started: Path) -> int | None:
    """Wait for a child; None, and it is killed with its group, when one case takes too long."""
    while child.poll() is None:
        time.sleep(0.2)
        if started.exists() and time.time() - started.stat().st_mtime > HANGING:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            return None
    return child.returncode


def _add(total: dict, found: dict) -> None:
    total["cases"] += found["cases"]
    total["refused"] += found.get("refused", 0)
    total["failures"] += Counter(found["failures"])
    total["failed"] = sum(total["failures"].values())
    total["slowest"] = max(total["slowest"], found.get("slowest", 0.0))
    total["memory_mib"] = max(total["memory_mib"], found.get("memory_mib", 0.0))


class Fed:
    """What came of the cases so far."""

    def __init__(self, name: str, folder: Path, note: Path, cases: int) -> None:
        from reader_targets import READERS, Bench

        self.bench = Bench(READERS[name], folder / "bench")
        self.files = list(self.bench.valid)
        self.started, self.note, self.wanted = folder / "started", note, cases
        self.cases = self.refused = 0
        self.slowest = 0.0
        self.failures: Counter[str] = Counter()
        signal.signal(signal.SIGPROF, _too_slow)

    def one(self, data: bytes) -> None:
        """Run one case: its first byte chooses the file, the others are the new content."""
        file = self.files[(data[0] if data else 0) % len(self.files)]
        if self.cases % 20 == 0:
            self.started.touch()
        begun = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, LONGEST)
        try:
            self.refused += self.bench.run(file, data[1:]) is not None
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever a reader lets through is what is looked for
            self.failures[_described(error)] += 1
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        self.slowest = max(self.slowest, time.process_time() - begun)
        self.cases += 1
        if self.cases % NOTED == 0 or self.cases == self.wanted:
            self.write()

    def write(self) -> None:
        """Note how far it is; memory over the limit counts as one failure."""
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        failures = self.failures + Counter(["takes over 4 GiB"] if memory > MOST_MEMORY else [])
        self.note.write_text(json.dumps({
            "cases": self.cases, "refused": self.refused, "slowest": round(self.slowest, 2),
            "memory_mib": memory / 2**20, "failures": failures,
        }))  # fmt: skip

    def valid(self) -> list[bytes]:
        """Give every file that is changed, as a case."""
        return [bytes([at]) + self.bench.valid[file] for at, file in enumerate(self.files)]

    def changed(self, data: bytes, random: Random) -> bytes:
        """Change a case as the kind of its file suggests."""
        from mutations import mutated

        at = (data[0] if data else 0) % len(self.files)
        return bytes([at]) + mutated(data[1:], self.files[at].name, random)


def _too_slow(*_: object) -> None:
    raise TooSlowError(f"takes over {LONGEST:.0f} s")


def _described(error: BaseException) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/garim/" in f.filename]
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} in {place}: {str(error)[:100]}"


def _feed(name: str, seed: int, cases: int, folder: Path, note: Path) -> None:
    """Run a reader's cases in this process."""
    if importlib.util.find_spec("atheris"):
        _feed_guided(name, seed, cases, folder, note)
        return
    fed = Fed(name, folder, note, cases)
    valid = fed.valid()
    for number in range(cases):
        random = Random(f"{seed} {number}")
        fed.one(fed.changed(random.choice(valid), random))


def _feed_guided(name: str, seed: int, cases: int, folder: Path, note: Path) -> None:
    import atheris

    with atheris.instrument_imports(include=["garim"], enable_loader_override=False):
        import reader_targets  # noqa: F401 - imported here to be instrumented
    fed = Fed(name, folder, note, cases)
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, data in enumerate(fed.valid()):
        (corpus / str(number)).write_bytes(data)

    def change(data: bytes, most: int, number: int) -> bytes:
        random = Random(f"{seed} {number}")
        if random.random() < 0.2:
            return bytes(atheris.Mutate(data, most))
        return fed.changed(data, random)[:most]

    flags = [f"-runs={cases}", f"-seed={seed + 1}", f"-max_len={MOST_BYTES}", "-rss_limit_mb=0",
             "-timeout=600", str(corpus)]  # fmt: skip
    atheris.Setup([sys.argv[0], *flags], fed.one, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
