"""Detectors trained on a few hundred pictures: BCCD blood cells and raccoons.

    python benchmarks/detection_small.py --data DATA --json docs/benchmarks/detection_small.json

The starting weights are MobileNetV2's of ImageNet (``../weights`` beside the data). A fifth of the
pictures, drawn with a seed, copies kept together, is the test set.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path

import garim
from garim.evaluation.detection import evaluate_detector
from garim.training.detect_settings import DetectTrainSettings
from garim.training.detection import train_detector

WEIGHTS = "mobilenetv2_100_padsame.imagenet.fp16.pth"
SETS = {"bccd": ("bccd/BCCD", 0.80), "raccoon": ("raccoon", 0.85)}
"""Where each is, and the AP50 that is wanted."""


def measured(data: Path, name: str, settings: DetectTrainSettings, out: Path | None) -> dict:
    """Train on one dataset, and judge on its test split."""
    folder, wanted = SETS[name]
    read = garim.read(data / folder, garim.Selection(format="voc"))
    parted = garim.split(read, garim.SplitSettings(test=0.2, validation=0.1, seed=0))
    trained = train_detector(parted, settings, out and out / name)
    test = parted.where(split=["test"])
    found = evaluate_detector(trained.model, test)
    return {**found.to_dict(), "wanted_ap50": wanted, "seconds": round(trained.seconds),
            "trained_on": trained.pictures, "settings": asdict(settings)}  # fmt: skip


def main() -> None:
    """Train and judge on each set."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = os.environ.get("GARIM_BENCH_DATA", "../shared/data")
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--weights", type=Path, help="folder of the starting weights")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--epochs", type=int, default=DetectTrainSettings().epochs)
    parser.add_argument("--size", type=int, default=DetectTrainSettings().size)
    parser.add_argument("--learning-rate", type=float, default=DetectTrainSettings().learning_rate)
    parser.add_argument("--batch", type=int, default=DetectTrainSettings().batch)
    parser.add_argument("--out", type=Path, help="folder that keeps the models")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if not (given.data / "bccd").is_dir():
        raise SystemExit(f"{given.data}: no data there; name its folder with --data")
    weights = (given.weights or given.data.parent / "weights") / WEIGHTS
    settings = DetectTrainSettings(
        weights=str(weights), weights_licence="apache-2.0", network_options=("pad_type=same",),
        mean=0.5, std=0.5, epochs=given.epochs, size=given.size,
        learning_rate=given.learning_rate, batch=given.batch,
    )  # fmt: skip
    results = {}
    for name in given.sets:
        one = results[name] = measured(given.data, name, settings, given.out)
        one["settings"]["weights"] = WEIGHTS
        print(f"{name:8} AP {one['ap']:.3f}  AP50 {one['ap50']:.3f} (wanted {one['wanted_ap50']})"
              f"  {one['trained_on']} pictures, {one['seconds']} s", flush=True)  # fmt: skip
        if given.json:
            given.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
