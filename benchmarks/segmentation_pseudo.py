"""How far do labels alone go? DeepLab-v3+ on masks that were made from labels, in the street.

    python benchmarks/segmentation_pseudo.py [--data DIR] [--weights FILE] [--epochs N]
        [--models DIR] [--json FILE]

A classifier learns five kinds of garment from the folder labels of ``clothing5`` (one garment per
picture). Which of them the training pictures of ``ccp_street5`` hold is known, not where:
``garim masks`` makes masks of that, and DeepLab-v3+ learns from them, with the settings and the
test pictures of ``segmentation_street.py``. ``--supervised FILE`` is what that script wrote, to
compare with. With ``--models DIR`` what is there is not made again, and the masks stay to be
looked at.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import garim
from garim.evaluation.segmentation import class_ious, confusion, judge_masks
from garim.extraction.masks import MadeMasks, make_masks
from garim.formats.rows import Row
from garim.models.palette import Mask
from garim.report.made_masks import masks_sheet
from garim.streaming import showing_progress
from garim.training.masks import VOID
from harness import classifier_in, earlier, leave, parsed, parser, starting, there
from segmentation_street import NAMES, figures, street_dataset, trained

NETWORK = "deeplabv3plus"


def main() -> None:
    """Make the masks, judge them, train on them, judge that, and print both."""
    options = _options()
    there(options.data / "ccp_street5")
    with tempfile.TemporaryDirectory() as scratch, showing_progress():
        kept = options.models or Path(scratch) / "made"
        street = street_dataset(options.data / "ccp_street5", Path(scratch))
        labelled = _labelled(options.data / "ccp_street5", street)
        found = make_masks(labelled, _classifier(options, kept / "classifier"), kept / "masks")
        garim.pictures.save(masks_sheet(found), kept / "masks.png")
        result = {"masks": {**_judged(found, street), "shares": found.shares()}}
        print(json.dumps(result))
        result |= _network(found, street, options)
    print(json.dumps(result["network"]), f"share of the supervised mean IoU: {result['share']}")
    leave(options.json, result)


def _options() -> argparse.Namespace:
    command_line = parser(__doc__, weights=True)
    command_line.add_argument("--epochs", type=int, default=12)
    command_line.add_argument("--size", type=int, default=192)
    command_line.add_argument("--longest", type=int, default=256)
    command_line.add_argument("--precision", default="bf16-mixed")
    command_line.add_argument(
        "--supervised", type=Path, default=Path("docs/benchmarks/segmentation_street.json")
    )
    command_line.add_argument("--class-weights", default="balanced", choices=["none", "balanced"])
    command_line.add_argument("--models", type=Path)
    return parsed(command_line)


def _classifier(options: argparse.Namespace, folder: Path) -> garim.Classifier:
    settings = garim.TrainSettings(  # at 224 pixels: finer evidence than of fine-tuning at 160
        backbone="mobilenetv2_100", **starting(options.weights), tune="head", patience=0,
        augment="none",
    )  # fmt: skip
    return classifier_in(folder, garim.read(options.data / "clothing5"), settings)


def _labelled(data: Path, street: garim.Dataset) -> garim.Dataset:
    """Give the training pictures with the names of what they hold, and nothing else."""
    with (data / "labels.csv").open(newline="", encoding="utf-8") as stream:
        held = {line["file"]: line["present_labels"] for line in csv.DictReader(stream)}
    train = street.where(split=["train"])
    rows = [
        Row(file_name=row.file_name, label=label, split="train")
        for row in train
        for label in held[row.file_name].split(";")
        if label
    ]
    return replace(train, rows=tuple(rows), classes=NAMES[1:])


def _judged(found: MadeMasks, street: garim.Dataset) -> dict[str, Any]:
    """Judge the masks on the pictures that they were made for, void left out."""
    matrix = np.zeros((len(NAMES),) * 2, np.int64)
    for made, truth in _pairs(found, street):
        matrix += confusion(np.where(made == VOID, VOID, truth).astype(np.uint8), made, len(NAMES))
    ious = class_ious(matrix)
    return {"pictures": len(found.pictures), "miou": round(float(np.nanmean(ious)), 4),
            "ious": dict(zip(NAMES, ious.round(4).tolist(), strict=True))}  # fmt: skip


def _pairs(found: MadeMasks, street: garim.Dataset) -> Iterator[tuple[Mask, Mask]]:
    truths = {Path(row.file_name).name: row.mask_file_name for row in street}
    for name in found.pictures:
        truth = street.root / str(truths[name.name])
        yield np.asarray(Image.open(found.mask_of(name))), np.asarray(Image.open(truth))


def _network(
    found: MadeMasks, street: garim.Dataset, options: argparse.Namespace
) -> dict[str, Any]:
    """Train on the masks, and judge on the test pictures as those trained on true masks are."""
    made = {name.name: str(found.mask_of(name).resolve()) for name in found.pictures}
    rows = [
        replace(row, mask_file_name=made[Path(row.file_name).name])
        for row in street.where(split=["train"])
        if Path(row.file_name).name in made
    ]
    started = time.perf_counter()
    predict, more = trained(NETWORK, replace(street, rows=tuple(rows)), options)
    seconds = time.perf_counter() - started
    row = figures(judge_masks(predict, street.where(split=["test"]), NAMES))
    supervised = [one for one in earlier(options.supervised) if one["name"] == NETWORK]
    best = supervised[0]["miou"] if supervised else None
    return {"network": {"name": NETWORK, "train_seconds": round(seconds), **row, **more},
            "supervised_miou": best, "share": best and round(row["miou"] / best, 4)}  # fmt: skip


if __name__ == "__main__":
    main()
