"""Does it grow? Time and memory of audit and extract as the pictures become ten times as many.

    python benchmarks/scale.py [--pictures N N] [--workers N N] [--scratch DIR] [--json FILE]

Draws small JPEGs (160 × 120, shapes on noise) in folders of 500 and runs, each in a fresh process,
the audit without a network, and ``extract`` by a tiny network with random weights. Of each: seconds
per picture by the clock and of the processors (which other work on the machine does not change),
and the peak of its memory (VmHWM of the leading process); that of 100 pictures is what the
libraries take. Then what going on costs when only the last tenth of the shards is left; and, with
60,000 pictures, so many workers on so many processors, from one on.

Wanted: memory that grows by at most 1.2, time per picture by at most 1.15.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch

import garim
from garim import pictures
from garim.errors import GarimError
from garim.extraction import ExtractSettings
from garim.models.classifier import Card, Classifier
from garim.models.networks import create

WIDTH, HEIGHT = 160, 120
FOLDER = 500
"""Pictures of a folder."""
SPREAD = 60_000
"""Pictures of the runs with several workers, whose start takes some seconds."""
CLASSES = ("circle", "square")
WANTED = {"memory": 1.2, "seconds_per_picture": 1.15, "processor_seconds_per_picture": 1.15}


def main() -> None:
    """Draw, run, and print the table."""
    options = _options()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=options.scratch, prefix="garim-scale-") as scratch:
        for count in (100, *options.pictures):
            data = drawn(Path(scratch, str(count)), count)
            rows += [run(verb, data, count) for verb in VERBS]
        first = options.pictures[0]
        rows.append(run("extract", Path(scratch, str(first)), first, resumed=True))
        rows += spread(Path(scratch, "workers"), options.workers)
    for row in rows:
        print("  ".join(f"{name} {_told(value):>10}" for name, value in row.items()))
    ratios = {verb: compared(verb, rows, options.pictures) for verb in VERBS}
    for verb, found in ratios.items():
        print(verb, ", ".join(f"{name} × {value:.2f} (wanted ≤ {WANTED[name]})"
                              for name, value in found.items()))  # fmt: skip
    if options.json:
        machine = {"processors": os.cpu_count(), "threads": torch.get_num_threads()}
        result = {"machine": machine, "rows": rows, "ratios": ratios, "wanted": WANTED}
        options.json.write_text(json.dumps(result, indent=2) + "\n")


def spread(data: Path, workers: list[int]) -> list[dict[str, Any]]:
    """Run each verb with so many workers on so many processors."""
    drawn(data, SPREAD)
    return [run(verb, data, SPREAD, n, processors=n) for verb in VERBS for n in workers]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, nargs=2, default=[20_000, 200_000])
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _told(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def drawn(root: Path, count: int) -> Path:
    """Draw so many pictures, no two alike."""
    rng = np.random.default_rng(count)
    yy, xx = np.mgrid[:HEIGHT, :WIDTH]
    for number in range(count):
        label = CLASSES[number // FOLDER % 2]
        folder = root / f"part{number // FOLDER}" / label
        folder.mkdir(parents=True, exist_ok=True)
        noise = rng.integers(0, 256, (8, 10, 3), dtype=np.uint8)
        values = np.asarray(pictures.Image.fromarray(noise).resize((WIDTH, HEIGHT), 3)).copy()
        x, y = rng.integers(20, (WIDTH - 20, HEIGHT - 20))
        inside = (
            (xx - x) ** 2 + (yy - y) ** 2 < 300
            if label == "circle"
            else np.maximum(abs(xx - x), abs(yy - y)) < 15
        )
        values[inside] = rng.integers(0, 256, 3, dtype=np.uint8)
        pictures.Image.fromarray(values).save(folder / f"{number:07d}.jpg", quality=85)
    return root


def audit(data: Path, execution: garim.ExecutionSettings) -> None:
    """Audit without a network."""
    found = garim.audit(garim.read(data), execution=execution)
    found.plan.save(data.with_suffix(".audit.jsonl"))


def extract(data: Path, execution: garim.ExecutionSettings) -> None:
    """Extract with a tiny network."""
    torch.manual_seed(0)
    options = {"width": 8}
    half = (0.5, 0.5, 0.5)
    card = Card(architecture="small_cnn", options=options, classes=CLASSES, size=32, mean=half,
                std=half)  # fmt: skip
    classifier = Classifier(create("small_cnn", 2, options), card)
    settings = ExtractSettings(method="windows", grid=3, kernel=2, rounds=1, runtime="torch")
    garim.extract(garim.read(data), classifier, settings, _plan(data), execution)


def _plan(data: Path) -> Path:
    return data.with_suffix(".jsonl")


VERBS: dict[str, Callable[[Path, garim.ExecutionSettings], None]] = {
    "audit": audit,
    "extract": extract,
}


def run(
    verb: str, data: Path, count: int, workers: int = 1, resumed: bool = False,
    processors: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Run a verb in a fresh process, on so many processors or on all."""
    execution = garim.ExecutionSettings(workers=workers)
    if resumed:
        _all_but_a_tenth(data, execution)
    with _on(processors):
        found = _alone(_measured, verb, data, execution)
    return {"verb": verb + (" again" if resumed else ""), "pictures": count, "workers": workers,
            "processors": processors or os.cpu_count(), **found,
            "per_second": count / found["seconds"],
            "processor_ms_per_picture": 1000 * found["processor_seconds"] / count}  # fmt: skip


@contextmanager
def _on(processors: int | None) -> Iterator[None]:
    """Let the processes that are started have so many processors; libraries count them at once."""
    if processors is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(all_of_them)[:processors])
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_of_them)


def _alone(function: Callable[..., None], *arguments: object) -> dict[str, float]:
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=function, args=(*arguments, there))
    process.start()
    there.close()
    found: dict[str, float] = here.recv()
    process.join()
    return found


def _measured(verb: str, data: Path, execution: garim.ExecutionSettings, link: Connection) -> None:
    started, before = time.perf_counter(), _processor_seconds()
    VERBS[verb](data, execution)
    link.send({"seconds": time.perf_counter() - started, "memory_mib": _peak(),
               "processor_seconds": _processor_seconds() - before})  # fmt: skip


def _processor_seconds() -> float:
    """Give what this process and those that it started took of the processors."""
    own, others = (resource.getrusage(who)
                   for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))  # fmt: skip
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def _peak() -> float:
    """Give the most memory that this process held, in MiB."""
    status = Path("/proc/self/status")
    if not status.exists():
        kib = 2**10 if sys.platform == "darwin" else 1
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / kib / 2**10
    line = next(one for one in status.read_text().splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) / 2**10


def _all_but_a_tenth(data: Path, execution: garim.ExecutionSettings) -> None:
    """Leave a run as one that was interrupted near its end."""
    process = multiprocessing.get_context("spawn").Process(
        target=_interrupted, args=(data, execution)
    )
    process.start()
    process.join()
    folder = _plan(data).with_name(_plan(data).name + ".unfinished")
    shards = sorted(folder.glob("shard-*.parquet"))
    for path in shards[len(shards) * 9 // 10 :]:
        path.unlink()


def _interrupted(data: Path, execution: garim.ExecutionSettings) -> None:
    """End after the last shard and before the plan is written."""
    _plan(data).unlink(missing_ok=True)

    def refused(*_: object) -> None:
        raise GarimError("as if the disk were full")

    garim.Plan.save = refused  # type: ignore[method-assign, assignment]
    try:
        extract(data, execution)
    except GarimError:
        return


def compared(verb: str, rows: list[dict[str, Any]], counts: list[int]) -> dict[str, float]:
    """Give how much more the larger dataset takes, memory in all and seconds per picture."""
    few, many = (
        next(r for r in rows if (r["verb"], r["pictures"], r["workers"]) == (verb, n, 1))
        for n in counts
    )
    return {
        "memory": many["memory_mib"] / few["memory_mib"],
        "seconds_per_picture": few["per_second"] / many["per_second"],
        "processor_seconds_per_picture": many["processor_ms_per_picture"]
        / few["processor_ms_per_picture"],
    }


if __name__ == "__main__":
    main()
