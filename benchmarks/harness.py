"""What the benchmarks share: options, test pictures, starting weights, the file of figures."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import garim
from garim.models.classifier import load

WEIGHTS = "mobilenetv2_100_padsame.imagenet.fp16.pth"
"""MobileNetV2 of ImageNet, in ``weights`` beside the test pictures."""


def parser(description: str | None, *, weights: bool = False) -> argparse.ArgumentParser:
    """Start a command line: ``--data``, ``--json``, and ``--weights`` where they are used."""
    made = argparse.ArgumentParser(description=description)
    default = Path(os.environ.get("GARIM_BENCH_DATA", "../shared/data"))
    made.add_argument("--data", type=Path, default=default, help="folder of the test pictures")
    if weights:
        made.add_argument("--weights", type=Path, help="MobileNetV2's; default: beside the data")
    made.add_argument("--json", type=Path, help="file for the figures")
    return made


def parsed(command_line: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line; weights that are not named are those beside the test pictures."""
    options = command_line.parse_args()
    if "weights" in options and options.weights is None:
        options.weights = options.data.parent / "weights" / WEIGHTS
    return options


def there(folder: Path) -> Path:
    """Give a folder of test pictures, or end with what to do."""
    if not folder.is_dir():
        raise SystemExit(f"{folder}: not there; set GARIM_BENCH_DATA to the test pictures")
    return folder


def starting(weights: Path) -> dict[str, Any]:
    """Give the settings that go with these weights, for any training."""
    return {"weights": str(weights), "network_options": ("pad_type=same",),
            "mean": 0.5, "std": 0.5}  # fmt: skip


def earlier(path: Path | None) -> list[dict[str, Any]]:
    """Give the rows that earlier runs left."""
    return json.loads(path.read_text()) if path is not None and path.exists() else []


def leave(path: Path | None, figures: Any, indent: int = 1) -> None:
    """Write the figures as JSON, where a file was named."""
    if path is not None:
        path.write_text(json.dumps(figures, indent=indent) + "\n")


def line(row: Mapping[str, Any], width: int = 12) -> str:
    """Lay out figures with their names, and texts, as a line of a table."""
    return " ".join(
        f"{name} {value:.3f}" if isinstance(value, float) else f"{value:{width}}"
        for name, value in row.items()
    )


def classifier_in(
    folder: Path, data: garim.Dataset, settings: garim.TrainSettings
) -> garim.Classifier:
    """Open the classifier that an earlier run has left in a folder, or train it there."""
    if (folder / "config.json").exists():
        return load(folder)
    return garim.train(data, settings, folder).classifier
