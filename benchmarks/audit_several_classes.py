"""Does the audit find the pictures that show several classes? True boxes say which they are.

    python benchmarks/audit_several_classes.py [--data DIR] [--weights FILE] [--model DIR]
        [--json FILE]

``fruit_boxes``: a classifier with a localizer learns apple, banana and orange from the folders of
``train/``. The pictures in ``mixed/`` get the first of the labels that their boxes have, as if they
lay in that folder; the check ``several_classes`` then looks at all pictures. ``--model DIR`` keeps
the classifier, and takes it from there when it is there.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score

import garim
from garim.audit import AuditSettings
from garim.streaming import showing_progress
from harness import classifier_in, leave, line, parsed, parser, starting, there

CLASSES = ("apple", "banana", "orange")
CHECK = "several_classes"


def main() -> None:
    """Audit all pictures, and print how many of each split were found."""
    command_line = parser(__doc__, weights=True)
    command_line.add_argument("--model", type=Path, help="folder of the classifier")
    options = parsed(command_line)
    data = there(options.data / "fruit_boxes")
    with tempfile.TemporaryDirectory() as scratch, showing_progress():
        model = _classifier(data, options.weights, options.model or Path(scratch) / "model")
        labels = _true_labels(data)
        pictures = _in_folders(garim.read(data), labels)
        table = garim.audit(pictures, AuditSettings(only=(CHECK,)), model).pictures
    several = np.array([len(labels[name]) > 1 for name in table["file_name"]])
    marked = table[f"is_{CHECK}_issue"].to_numpy()
    score = 1 - table[f"{CHECK}_score"].to_numpy()
    splits = np.array([row.split for row in pictures.rows])
    parts = {"all": splits != "", **{split: splits == split for split in pictures.splits}}
    rows = [{"pictures": name, **_judged(several[part], marked[part], score[part])}
            for name, part in parts.items()]  # fmt: skip
    for row in rows:
        print(line(row, width=6))
    leave(options.json, rows)


def _classifier(data: Path, weights: Path, folder: Path) -> garim.Classifier:
    part = garim.Selection(split=("train",), classes=CLASSES)
    settings = garim.TrainSettings(backbone="mobilenetv2_100", **starting(weights))
    return classifier_in(folder, garim.read(data, part), settings)


def _true_labels(data: Path) -> dict[str, tuple[str, ...]]:
    """Give the labels of each picture's boxes, sorted."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in garim.read(data / "boxes.csv"):
        found[row.file_name] |= {one.label for one in row.objects}
    return defaultdict(tuple, {name: tuple(sorted(held)) for name, held in found.items()})


def _in_folders(data: garim.Dataset, labels: dict[str, Sequence[str]]) -> garim.Dataset:
    """Label mixed pictures with the first thing that they show."""
    rows = [
        replace(row, label=labels[row.file_name][0]) if row.label not in CLASSES else row
        for row in data
        if row.label in CLASSES or labels[row.file_name]
    ]
    return replace(data, rows=tuple(rows), classes=CLASSES)


def _judged(
    several: np.ndarray[Any, Any], marked: np.ndarray[Any, Any], score: np.ndarray[Any, Any]
) -> dict[str, Any]:
    seen, right = ~np.isnan(score), int((marked & several).sum())
    return {
        "rows": len(several),
        "several": int(several.sum()),
        "marked": int(marked.sum()),
        "found": right,
        "precision": right / max(1, int(marked.sum())),
        "recall": right / max(1, int(several.sum())),
        "average_precision": float(average_precision_score(several[seen], score[seen])),
    }


if __name__ == "__main__":
    main()
