"""How good is a detector that was trained on extracted boxes, beside one trained on true boxes?

    python benchmarks/detection_extracted.py --json docs/benchmarks/detection_extracted.json

``fruit_boxes``: a classifier is trained on the folder labels of the training pictures of one fruit,
`garim.extract` finds the label's clearest object in each, or every one (`instances`), and detectors
learn these boxes. Another one learns the true boxes of the same pictures with the same settings.
All are judged on the test pictures, those with several fruits too. The starting weights are
MobileNetV2's of ImageNet (``../weights`` beside the data).
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import garim
from garim.plan import Plan
from garim.streaming import showing_progress
from garim.training import DetectTrainSettings
from garim.training.detection import with_boxes

CLASSES = ("apple", "banana", "orange")
WEIGHTS = "mobilenetv2_100_padsame.imagenet.fp16.pth"
TRUE = "true boxes"
WANTED = 0.75
"""Share of the true boxes' AP50 that is wanted of extracted ones."""


def main() -> None:
    """Train and judge both detectors."""
    options = _options()
    data = options.data / "fruit_boxes"
    if not data.is_dir():
        raise SystemExit(f"{data}: no pictures; set GARIM_BENCH_DATA to their folder")
    labelled = garim.read(data, garim.Selection(split=("train",), classes=CLASSES))
    boxed = garim.read(data / "boxes.csv")
    names = {row.file_name for row in labelled.rows}
    true = replace(boxed, rows=tuple(row for row in boxed.rows if row.file_name in names))
    settings = _settings(options)
    with showing_progress(), tempfile.TemporaryDirectory() as scratch:
        model = _classifier(labelled, options.weights, Path(scratch))
        every = garim.ExtractSettings(instances=True)
        sources = {
            TRUE: (true, None),
            "every object found": (labelled, garim.extract(labelled, model, every).plan),
            "the clearest object found": (labelled, garim.extract(labelled, model).plan),
        }
        rows: dict[str, dict[str, Any]] = {}
        for name, (source, plan) in sources.items():
            rows[name] = _measured(source, plan, boxed.where(split=["test"]), settings)
            _show(name, rows)
            if options.json:
                _write(rows, settings, options.json)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = Path(os.environ.get("GARIM_BENCH_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    options.weights = options.weights or options.data.parent / "weights" / WEIGHTS
    return options


def _settings(options: argparse.Namespace) -> DetectTrainSettings:
    return DetectTrainSettings(
        weights=str(options.weights), weights_licence="apache-2.0", mean=0.5, std=0.5,
        network_options=("pad_type=same",), epochs=options.epochs, size=options.size, batch=4,
    )  # fmt: skip


def _classifier(labelled: garim.Dataset, weights: Path, scratch: Path) -> garim.Classifier:
    """Train on the labels alone."""
    settings = garim.TrainSettings(
        backbone="mobilenetv2_100", weights=str(weights), network_options=("pad_type=same",),
        mean=0.5, std=0.5,
    )  # fmt: skip
    return garim.train(labelled, settings, scratch / "classifier").classifier


def _measured(
    data: garim.Dataset, plan: Plan | None, test: garim.Dataset, settings: DetectTrainSettings
) -> dict[str, Any]:
    started = time.perf_counter()
    trained = garim.train_detector(data, settings, boxes=plan)
    seconds = round(time.perf_counter() - started)
    boxed = data if plan is None else with_boxes(data, plan)
    return {
        **garim.evaluate(trained.model, test).to_dict(),
        "trained_on": {"pictures": trained.pictures, "boxes": sum(len(r.objects) for r in boxed)},
        "seconds": seconds,
    }


def _show(name: str, rows: dict[str, dict[str, Any]]) -> None:
    row = rows[name]
    share = row["ap50"] / rows[TRUE]["ap50"] if TRUE in rows else float("nan")
    print(f"{name:26} AP {row['ap']:.3f}  AP50 {row['ap50']:.3f}  {share:.3f} of the true boxes' "
          f"(wanted: {WANTED})  {row['trained_on']['boxes']} boxes, {row['seconds']} s",
          flush=True)  # fmt: skip


def _write(rows: dict[str, dict[str, Any]], settings: DetectTrainSettings, path: Path) -> None:
    shares = {name: round(row["ap50"] / rows[TRUE]["ap50"], 4) for name, row in rows.items()}
    found = {
        "boxes": rows,
        "share_of_ap50": shares,
        "wanted_share": WANTED,
        "settings": {**asdict(settings), "weights": WEIGHTS},
        "threads": os.environ.get("OMP_NUM_THREADS"),
    }
    path.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
