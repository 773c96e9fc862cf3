"""What the benchmarks of classification share: options, starting weights, `clothing5`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import garim
from garim.comparison import COLUMNS, TrainingComparison
from harness import parsed, parser, starting, there


def options(description: str | None, seeds: int = 5) -> argparse.Namespace:
    """Read the command line: data, weights, seeds, a file for the figures, a folder to resume."""
    command_line = parser(description, weights=True)
    command_line.add_argument("--seeds", type=int, default=seeds)
    command_line.add_argument("--epochs", type=int)
    command_line.add_argument("--to", type=Path, help="folder in which an interrupted run goes on")
    return parsed(command_line)


def clothing(chosen: argparse.Namespace) -> garim.Dataset:
    """Read the photos of garments."""
    return garim.read(there(chosen.data / "clothing5"))


def pretrained(weights: Path, **more: Any) -> garim.TrainSettings:
    """Set up MobileNetV2 with ImageNet weights."""
    return garim.TrainSettings(**starting(weights), **more)


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
