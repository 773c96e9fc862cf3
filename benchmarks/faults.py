"""What is lost when a command is killed (-9) at a random moment, and run again: nothing.

    python benchmarks/faults.py [--kills 20] [--verbs NAME …] [--seed 0] [--json FILE]

Each verb of `tests/faults/kills.py` works on a small drawn dataset, is killed at a random moment of
its work, and is run again. Counted are originals that are not there byte for byte (nor to be had
back by an undo, for the verbs that change a dataset in place), and results that are not those of an
uninterrupted run. Runs that end before their kill are tried again. Nothing is read from ``--data``.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "faults"))

from kills import VERBS, Bench, draw_world

TRIES = 4
"""Runs per wanted kill, at most."""


def main() -> None:
    """Kill, run again, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--verbs", nargs="*", choices=list(VERBS), default=list(VERBS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    print(f"{'verb':18} {'seconds':>8} {'kills':>6} {'lost':>5} {'equal':>6}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder) / "world"
        world.mkdir()
        draw_world(world)
        for name in options.verbs:
            rows.append(_measured(name, world, Path(folder) / "work", options))
            print(
                "{verb:18} {seconds:8} {kills:6} {lost:5} {equal:6}".format(**rows[-1]), flush=True
            )
            if options.json:  # after each verb: it takes a while
                options.json.write_text(json.dumps(rows, indent=1) + "\n")


def _measured(
    name: str, world: Path, work: Path, options: argparse.Namespace
) -> dict[str, str | int | float]:
    bench, rng = Bench(name, world, work), random.Random(f"{options.seed} {name}")
    kills = lost = equal = 0
    for _ in range(TRIES * options.kills):
        tried = bench.trial(rng.random())
        if tried.killed:
            kills, lost, equal = kills + 1, lost + tried.lost, equal + tried.equal
        if tried.lost or not tried.equal:
            print(f"{name}: {tried}", file=sys.stderr)
        if kills == options.kills:
            break
    return {
        "verb": name, "seconds": round(bench.seconds, 2), "kills": kills, "lost": lost,
        "equal": equal,
    }  # fmt: skip


if __name__ == "__main__":
    main()
