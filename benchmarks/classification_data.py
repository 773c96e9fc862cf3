"""What the benchmarks of classification share: options, starting weights, `clothing5`."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import garim
from garim.comparison import COLUMNS, TrainingComparison

WEIGHTS = "mobilenetv2_100_padsame.imagenet.fp16.pth"


def options(description: str | None, seeds: int = 5) -> argparse.Namespace:
    """Read the command line: data, weights, seeds, a file for the figures, a folder to resume."""
    parser = argparse.ArgumentParser(description=description)
    default = Path(os.environ.get("GARIM_BENCH_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--to", type=Path, help="folder in which an interrupted run goes on")
    found = parser.parse_args()
    found.weights = found.weights or found.data.parent / "weights" / WEIGHTS
    return found


def clothing(chosen: argparse.Namespace) -> garim.Dataset:
    """Read the photos of garments."""
    folder = chosen.data / "clothing5"
    if not folder.is_dir():
        raise SystemExit(
            f"{folder}: not there; set GARIM_BENCH_DATA to the folder of test pictures"
        )
    return garim.read(folder)


def pretrained(weights: Path, **more: Any) -> garim.TrainSettings:
    """Set up MobileNetV2 with ImageNet weights."""
    return garim.TrainSettings(
        weights=str(weights), network_options=("pad_type=same",), mean=0.5, std=0.5, **more
    )


def frozen(weights: Path) -> garim.TrainSettings:
    """Set up a head on frozen features that are the same for every seed."""
    return pretrained(weights, augment="none", tune="head")


def thinned(dataset: garim.Dataset, counts: dict[str, int], seed: int = 0) -> garim.Dataset:
    """Keep the test split, and of the others only so many pictures for each of the largest class.

    Args:
        dataset: with splits.
        counts: pictures per class whose proportions are wanted.
        seed: same seed, same pictures.
    """
    rng, kept = np.random.default_rng(seed), [r for r in dataset.rows if r.split == "test"]
    largest = max(counts, key=counts.__getitem__)
    for split in ("train", "validation"):
        mine = {c: [r for r in dataset.rows if (r.split, r.label) == (split, c)] for c in counts}
        share = len(mine[largest]) / counts[largest]
        for label, rows in mine.items():
            most = max(1, round(share * counts[label]))
            chosen = sorted(rng.permutation(len(rows))[:most])
            kept += [rows[i] for i in chosen]
    return replace(dataset, rows=tuple(kept))


def show(title: str, found: TrainingComparison) -> None:
    """Print the table of a comparison."""
    print(f"\n{title}: {found.test_pictures} test pictures")
    for row in [COLUMNS, *found.rows(), ("F1", *found.classes), *found.rows_per_class()]:
        print("  ".join(f"{cell:>24}" for cell in row))


def leave(path: Path | None, figures: dict[str, Any] | Sequence[dict[str, Any]]) -> None:
    """Write the figures as JSON."""
    if path is not None:
        path.write_text(json.dumps(figures, indent=1) + "\n")
