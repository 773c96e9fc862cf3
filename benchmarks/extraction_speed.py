"""How fast are the boxes? The document's procedure and ours, same pictures, one run.

    python benchmarks/extraction_speed.py [--keras PYTHON] [--pictures N] [--throughput N]
        [--data DIR] [--weights FILE] [--json FILE]

Seconds per picture of three rounds of the document's procedure (213 looks at a crop) with one call
of the network per crop, in Keras and in PyTorch, and with its crops in batches; and of ``self``
under every runtime that is installed. ``--keras`` names an interpreter that has keras; without it
that row is left out. ``--throughput`` runs through so many pictures and watches the memory.

MobileNetV2, at its own 224 pixels, is trained on ``fruit_boxes``. VGG16, at 150, has random
weights, which take the same time; ours has its own pooled head, the document's the flattened one.
``DIR`` defaults to
``GARIM_BENCH_DATA`` or ``../shared/data``, and the weights to ``DIR/../weights``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import garim
from garim import pictures
from garim.boxes import Box
from garim.extraction import ExtractSettings
from garim.extraction.self_extraction import windows_of_document
from garim.models.classifier import Card
from garim.models.localizer import Localizer, feature_maps
from garim.models.networks import create
from garim.models.runtime import RUNTIMES
from harness import leave, parsed, parser, starting, there

CLASSES = ("apple", "banana", "orange")
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Compared:
    """A network, as it is here and as the document has it."""

    name: str
    ours: garim.Classifier
    document: garim.Classifier


def main() -> None:
    """Time everything in turn."""
    options = _options()
    data = there(options.data / "fruit_boxes")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        dataset = _pictures(data, options.pictures)
        for one in _networks(data, options.weights, Path(scratch), options.networks):
            rows += _compare(one, dataset, options.slow, options.keras)
            if options.throughput and one.name == "mobilenetv2":
                rows.append(_throughput(one.ours, dataset, options.throughput, Path(scratch)))
    machine = {"processor": _processor(), "threads": torch.get_num_threads()}
    leave(options.json, {"machine": machine, "rows": rows}, indent=2)


def _options() -> argparse.Namespace:
    command_line = parser(__doc__, weights=True)
    command_line.add_argument("--keras", help="interpreter that has keras")
    command_line.add_argument("--pictures", type=int, default=96, help="for what is fast")
    command_line.add_argument(
        "--slow", type=int, default=3, help="pictures for the document's procedure"
    )
    command_line.add_argument(
        "--throughput", type=int, default=0, help="run through so many pictures"
    )
    command_line.add_argument("--networks", nargs="+", default=["mobilenetv2", "vgg16"])
    return parsed(command_line)


def _pictures(data: Path, count: int) -> garim.Dataset:
    every = garim.read(data, garim.Selection(split=("train",), classes=CLASSES))
    return replace(every, rows=every.rows[:: max(1, len(every) // count)][:count])


def _networks(data: Path, weights: Path, scratch: Path, names: list[str]) -> Iterator[Compared]:
    part = garim.Selection(split=("train",), classes=CLASSES)
    if "mobilenetv2" in names:
        settings = garim.TrainSettings(
            backbone="mobilenetv2_100", **starting(weights), size=224, tune="head",
        )  # fmt: skip
        model = garim.train(garim.read(data, part), settings, scratch / "mobilenetv2").classifier
        yield Compared("mobilenetv2", model, model)
    if "vgg16" in names:
        yield Compared("vgg16", _vgg16(), _vgg16_of_document())


def _vgg16() -> garim.Classifier:
    """VGG16 with its pooled head and a localizer, all with random weights."""
    network, size = create("vgg16", len(CLASSES)).eval(), 150
    with torch.inference_mode():
        maps = feature_maps(network, torch.rand(2, 3, 2 * size, 2 * size)) or []
    grid = maps[-2].shape[-1]
    localizer = Localizer([one.shape[1] for one in maps], len(CLASSES), grid, 2 * size).eval()
    for level, one in enumerate(maps):
        localizer.fit_basis(level, one.permute(0, 2, 3, 1).reshape(-1, one.shape[1])[:2000])
    card = Card(architecture="vgg16", classes=CLASSES, size=size,
                mean=(0.5,) * 3, std=(0.5,) * 3)  # fmt: skip
    return garim.Classifier(network, card, localizer=localizer)


def _vgg16_of_document() -> garim.Classifier:
    network = create("flatten_mlp", len(CLASSES), {"backbone": "vgg16", "input_size": 150})
    card = Card(architecture="flatten_mlp", classes=CLASSES, size=150,
                mean=(0.0,) * 3, std=(1.0,) * 3)  # fmt: skip
    return garim.Classifier(network, card)


def _compare(
    one: Compared, dataset: garim.Dataset, slow: int, keras: str | None
) -> list[dict[str, Any]]:
    paths = [dataset.path(row) for row in dataset.rows[:slow]]
    side = one.document.card.size
    found: dict[str, float] = {}
    if keras:
        found["(a) Keras, a call per crop"] = _keras(keras, one.name, side, paths)
    else:
        print("--keras is not given: the document's procedure is not timed in Keras")
    found["(a) PyTorch, a call per crop"] = _document(one.document, paths, batch=1)
    found["(b) PyTorch, crops in batches"] = _document(one.document, paths, batch=71)
    rows = [{"network": one.name, "what": k, "seconds": v} for k, v in found.items()]
    for row in rows:
        _print(row)
    for name in [name for name, runtime in RUNTIMES.items() if not runtime.missing]:
        row = {"network": one.name, "what": f"self, {name}", **_ours(one.ours, name, dataset)}
        row["times"] = {k: v / row["seconds"] for k, v in found.items()}
        _print(row)
        rows.append(row)
    return rows


def _keras(python: str, network: str, side: int, paths: list[Path]) -> float:
    script = Path(__file__).parent / "peers" / "extraction_speed_keras.py"
    arguments = [network, side, len(CLASSES), ROUNDS, *paths]
    done = subprocess.run([python, script, *map(str, arguments)], check=True, capture_output=True)
    return float(done.stdout.decode().split()[-1])


def _document(classifier: garim.Classifier, paths: list[Path], batch: int) -> float:
    """Three rounds of the picture and its 70 crops, in plain PyTorch."""
    cut = windows_of_document(ExtractSettings(method="document"))
    side = classifier.card.size
    classifier.scores(np.zeros((batch, side, side, 3), np.uint8))
    started = time.perf_counter()
    for path in paths:
        picture = pictures.open_picture(path)
        extent = Box.whole(*picture.size)
        for _ in range(ROUNDS):
            crops = cut(picture, extent, side)
            whole = pictures.to_array(picture.crop(extent, (side, side)))
            scores = classifier.scores(np.stack([whole, *(c for c, _ in crops)]), batch)
            best = crops[int(scores[1:].max(axis=1).argmax())][1]
            extent = best if min(best.width, best.height) >= 18 else extent
    return (time.perf_counter() - started) / len(paths)


def _ours(classifier: garim.Classifier, runtime: str, dataset: garim.Dataset) -> dict[str, Any]:
    """Seconds per picture once the network is compiled, and where they go."""
    settings = ExtractSettings(method="self", runtime=runtime)
    judge = classifier.with_runtime(runtime)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        ready = garim.extract(replace(dataset, rows=dataset.rows[:16]), judge, settings).seconds
    for one in caught:
        print(f"  {one.message}")
    seconds = [garim.extract(dataset, judge, settings).seconds / len(dataset) for _ in range(3)]
    parts = _parts(judge, dataset)
    return {"seconds": min(seconds), "ready": ready, **parts,
            "network_share": parts["network_alone"] / min(seconds)}  # fmt: skip


def _parts(judge: garim.Classifier, dataset: garim.Dataset) -> dict[str, float]:
    """Seconds per picture of each part alone.

    In a run, threads decode and resize whole pictures beside the network.
    """
    assert judge.localizer is not None
    large, small = judge.localizer.size, judge.card.size
    paths = [dataset.path(row) for row in dataset.rows[:16]]
    opened = [pictures.open_picture(path, at_least=large) for path in paths]

    def resized(side: int) -> list[pictures.Pixels]:
        wholes = ((one, Box.whole(*one.size)) for one in opened)
        return [pictures.to_array(one.crop(whole, (side, side))) for one, whole in wholes]

    batch, crops = np.stack(resized(large)[:8]), np.stack(resized(small))
    decoded = _best(lambda: [pictures.open_picture(p, at_least=large) for p in paths])
    return {
        "decode_alone": decoded / 16,
        "resize_alone": _best(lambda: [resized(s) for s in (large, small, small)]) / 16,
        "network_alone": _best(lambda: (judge.localized(batch), judge.scores(crops))) / 8,
    }


def _best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(4):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def _throughput(
    classifier: garim.Classifier, dataset: garim.Dataset, count: int, scratch: Path
) -> dict[str, Any]:
    """Run through many pictures with the fastest runtime; memory at each tenth of the way."""
    folder = scratch / "many"
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
    for number in range(count):
        row = dataset.rows[number % len(dataset)]
        source = dataset.path(row)
        shutil.copy(source, folder / (row.label or "") / f"{number:06d}{source.suffix}")
    memory: list[float] = []
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(memory, done))
    watcher.start()
    found = garim.extract(garim.read(folder), classifier, out=scratch / "plan.jsonl")
    done.set()
    watcher.join()
    tenths = [memory[len(memory) * i // 10] for i in range(10)] + [memory[-1]]
    row = {
        "network": "mobilenetv2", "what": f"self, {count:,} pictures", "pictures": count,
        "seconds": found.seconds / count, "per_second": count / found.seconds,
        "failed": len(found.failures), "memory_mib": [round(v) for v in tenths],
        "memory_peak_mib": round(max(memory)),
    }  # fmt: skip
    print(row)
    return row


def _watch(memory: list[float], done: threading.Event) -> None:
    while True:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        memory.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
        if done.wait(0.5):
            return


def _processor() -> str:
    """Name the processor, and what it has for short numbers."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    lines = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    fields = {name.strip(): value.strip() for name, value in lines.items()}
    flags = set(fields.get("flags", "").split()) & {"avx512_bf16", "avx512_vnni", "amx_bf16"}
    return ", ".join([fields.get("model name", "unknown"), *sorted(flags)])


def _print(row: dict[str, Any]) -> None:
    line = f"{row['network']:12s} {row['what']:30s} {row['seconds']:9.4f} s"
    if "ready" in row:
        parts = ", ".join(
            f"{k} {1000 * row[k + '_alone']:.1f}" for k in ("decode", "resize", "network")
        )
        line += f"  (ready in {row['ready']:.1f} s; alone, ms: {parts})"
        line += "".join(f"\n{'':14s}{v:6.0f} × {k}" for k, v in row["times"].items())
    print(line, flush=True)


if __name__ == "__main__":
    main()
