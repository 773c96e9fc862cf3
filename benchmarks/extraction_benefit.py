"""Does training on the crops help? The same test pictures, several seeds, with intervals.

    python benchmarks/extraction_benefit.py [--data DIR] [--weights FILE] [--seeds N] [--json FILE]

On ``clothing5`` (MobileNetV2, frozen) and on the drawn demo data (a small network from scratch) a
classifier with a localizer is trained on the training split and finds the labelled object in it.
Then classifiers are trained with the same settings and for the same number of steps, once per
seed, on

- the originals,
- the crops alone,
- both, originals and crops,

and judged on the untouched test pictures. The interval of the difference is Student's, over seeds.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import garim
from garim.dataset import Dataset
from garim.demo.messy import draw_dataset
from garim.demo.run import TRAINING
from garim.plan import Plan
from garim.streaming import showing_progress
from garim.training import TrainSettings
from harness import leave, parsed, parser, starting

ORIGINALS = "originals"


def main() -> None:
    """Run both datasets and print one table."""
    options = _options()
    rows: list[dict[str, Any]] = []
    with showing_progress(), tempfile.TemporaryDirectory() as scratch:
        for name, data, settings in _datasets(options, Path(scratch)):
            scores = _scores(data, settings, options.seeds, Path(scratch) / "runs" / name)
            rows += [_row(name, variant, own, scores[ORIGINALS]) for variant, own in scores.items()]
    for row in rows:
        print(_line(row))
    leave(options.json, rows, indent=2)


def _options() -> argparse.Namespace:
    command_line = parser(__doc__, weights=True)
    command_line.add_argument("--seeds", type=int, default=5)
    return parsed(command_line)


def _datasets(
    options: argparse.Namespace, scratch: Path
) -> Iterator[tuple[str, Path, TrainSettings]]:
    if (options.data / "clothing5").is_dir():
        frozen = TrainSettings(
            backbone="mobilenetv2_100", **starting(options.weights), tune="head",
            patience=0, augment="none",
        )  # fmt: skip
        yield "clothing5", options.data / "clothing5", frozen
    else:
        print(f"{options.data / 'clothing5'}: not there; set GARIM_BENCH_DATA; only the demo runs")
    draw_dataset(scratch / "demo", pictures_per_class=60)
    yield "demo", scratch / "demo", replace(TRAINING, epochs=20)


def _scores(data: Path, settings: TrainSettings, seeds: int, out: Path) -> dict[str, list[float]]:
    """Test accuracy of each variant for each seed."""
    train = garim.read(data, garim.Selection(split=("train",)))
    test = garim.read(data, garim.Selection(split=("test",)))
    finder = garim.train(train, settings, out / "finder").classifier
    plan = garim.extract(train, finder).plan
    variants = _variants(train, plan, out)
    epochs = settings.epochs or 30
    result: dict[str, list[float]] = {}
    for name, variant in variants.items():
        for seed in range(seeds):
            same_steps = max(1, round(epochs * len(train) / len(variant)))
            chosen = replace(settings, seed=seed, epochs=same_steps, localizer=False)
            trained = garim.train(variant, chosen, out / name / str(seed)).classifier
            accuracy = garim.evaluate(trained, test).to_dict()["accuracy"]
            result.setdefault(name, []).append(accuracy)
            print(f"{data.name}, {name}, seed {seed}: {accuracy:.4f}", flush=True)
    return result


def _variants(train: Dataset, plan: Plan, out: Path) -> dict[str, Dataset]:
    crops = replace(plan, edits=tuple(e for e in plan.edits if e.edit == "crop"))
    garim.apply(crops, to=out / "crops")
    cut = garim.read(out / "crops")
    both = _together(train, cut)
    return {
        ORIGINALS: train,
        "crops": cut,
        "originals and crops": both,
    }


def _together(first: Dataset, second: Dataset) -> Dataset:
    """Both datasets as one; file names are made absolute."""
    rows = [
        replace(row, file_name=str(one.path(row).resolve())) for one in (first, second)
        for row in one.rows
    ]  # fmt: skip
    return replace(first, root=Path("/"), rows=tuple(rows))


def _row(data: str, variant: str, own: list[float], originals: list[float]) -> dict[str, Any]:
    gains = np.subtract(own, originals)
    spread = stats.sem(gains) * stats.t.ppf(0.975, len(gains) - 1) if variant != ORIGINALS else 0.0
    return {
        "data": data,
        "trained on": variant,
        "seeds": len(own),
        "accuracy": round(float(np.mean(own)), 4),
        "gain": round(float(gains.mean()), 4),
        "interval": [round(float(gains.mean() + side * spread), 4) for side in (-1, 1)],
    }


def _line(row: dict[str, Any]) -> str:
    low, high = row["interval"]
    return (
        f"{row['data']:10s} {row['trained on']:26s} accuracy {row['accuracy']:.4f}  "
        f"gain {row['gain']:+.4f}  95 % [{low:+.4f}, {high:+.4f}]"
    )


if __name__ == "__main__":
    main()
