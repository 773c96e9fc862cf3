"""How good are the boxes? Every method and baseline on pictures with true boxes.

    python benchmarks/extraction_quality.py [--data DIR] [--weights FILE] [--json FILE] [--out DIR]

Trains on ``fruit_boxes/train`` (apple, banana, orange; folder labels only), then looks for each
label in ``test/`` and in every mixed picture, once per label that it holds. The same again, nothing
tuned: trained on ``clothing5``, garments photographed one by one, it looks for the main garment in
pictures of people in the street, ``ccp_street5``. ``DIR`` defaults to ``GARIM_BENCH_DATA`` or
``../shared/data``, and the weights to ``DIR/../weights``.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import garim
from garim.boxes import Box, iou, to_array
from garim.evaluation.localization import LocalizationReport, localization_report
from garim.extraction import ExtractSettings
from garim.extraction.windows import windows
from garim.formats.rows import Object, Row
from garim.plan import Edit, Plan
from garim.report import before_after, rounds_sheet
from garim.streaming import showing_progress
from harness import leave, parsed, parser, starting, there

CLASSES = ("apple", "banana", "orange")
STORIES = 10
STREET = 150
"""People in the street that are looked at; the document's crops take over a second each."""

Proposed = Iterable[tuple[str, str, Box | None]]


def main() -> None:
    """Run all methods and print one table."""
    options = _options()
    there(options.data / "fruit_boxes")
    rows: list[dict[str, Any]] = []
    with showing_progress(), tempfile.TemporaryDirectory() as scratch:
        for name, study in (("fruit", _fruit), ("street", _street)):
            truth, model, parts = study(options, Path(scratch) / name)
            for method, boxes in _methods(model, parts):
                rows += _judged(method, boxes, truth)
            if options.out and name == "fruit":
                _draw_stories(model, parts["mixed"], options.out)
    for row in rows:
        print(_line(row))
    leave(options.json, rows, indent=2)


def _options() -> argparse.Namespace:
    command_line = parser(__doc__, weights=True)
    command_line.add_argument("--out", type=Path, help="folder for the sheet of rounds")
    return parsed(command_line)


Study = tuple[garim.Dataset, garim.Classifier, dict[str, garim.Dataset]]
"""The truth, a model, and the parts of the truth in which it looks for the labels."""


def _fruit(options: argparse.Namespace, out: Path) -> Study:
    data = options.data / "fruit_boxes"
    part = garim.Selection(split=("train",), classes=CLASSES)
    model = _trained(garim.read(data, part), options.weights, out)
    truth = garim.read(data / "boxes.csv")
    return truth, model, _parts(truth)


def _street(options: argparse.Namespace, out: Path) -> Study:
    """The main garment of a seeded sample of people in the street."""
    own = garim.read(options.data / "clothing5", garim.Selection(split=("train",)))
    folder = options.data / "ccp_street5"
    truth = garim.read(folder / "boxes.csv")
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as stream:
        main = {line["file"]: line["dominant_label"] for line in csv.DictReader(stream)}
    each = truth.one_row_per_label()
    rows = [row for row in each.rows if main.get(row.file_name) == row.label]
    drawn = np.random.default_rng(0).permutation(len(rows))[:STREET]
    part = replace(each, rows=tuple(rows[i] for i in sorted(drawn)))
    return truth, _trained(own, options.weights, out), {"street": part}


def _trained(data: garim.Dataset, weights: Path, out: Path) -> garim.Classifier:
    settings = garim.TrainSettings(
        backbone="mobilenetv2_100", **starting(weights),
    )  # fmt: skip
    return garim.train(data, settings, out).classifier


def _parts(truth: garim.Dataset) -> dict[str, garim.Dataset]:
    """Test pictures of one class, and mixed ones; once per label each."""
    each = truth.one_row_per_label()
    mixed = tuple(row for row in each.rows if "/mixed/" in row.file_name)
    single = tuple(row for row in each.rows if row.split == "test" and row not in mixed)
    return {"single": replace(each, rows=single), "mixed": replace(each, rows=mixed)}


def _methods(
    model: garim.Classifier, parts: dict[str, garim.Dataset]
) -> Iterable[tuple[str, dict[str, Proposed]]]:
    """Give each method's boxes for each part."""
    for name, box_of in _baselines().items():
        yield (
            name,
            {part: [_pair(row, box_of(row, data)) for row in data] for part, data in parts.items()},
        )
    for method in ("self", "activation", "windows", "document"):
        settings = ExtractSettings(method=method, rounds=3)
        plans = {part: garim.extract(data, model, settings).plan for part, data in parts.items()}
        one_look = method in ("self", "activation")
        for rounds in (1,) if one_look else (1, 3):
            title = method if one_look else f"{method}, rounds: {rounds}"
            yield title, {p: [_after(e, rounds) for e in plan] for p, plan in plans.items()}


def _pair(row: Row, box: Box) -> tuple[str, str, Box]:
    return row.file_name, row.label or "", box


def _after(edit: Edit, rounds: int) -> tuple[str, str, Box | None]:
    """The box after so many rounds; one that was left alone stays the whole picture."""
    boxes = [one.box for one in edit.history[:rounds] if one.box is not None]
    if edit.size is None or (edit.score_after is None and not boxes):
        return edit.picture, edit.label or "", None
    box = boxes[-1] if boxes and edit.score_after is not None else None
    return edit.picture, edit.label or "", box or Box.whole(*edit.size)


def _baselines() -> dict[str, Callable[[Row, garim.Dataset], Box]]:
    rng = np.random.default_rng(0)

    def size(row: Row, data: garim.Dataset) -> tuple[int, int]:
        head = garim.pictures.header(data.path(row))
        return head.width, head.height

    def centre(row: Row, data: garim.Dataset) -> Box:
        w, h = size(row, data)
        return Box(0.15 * w, 0.15 * h, 0.85 * w, 0.85 * h)

    def random(row: Row, data: garim.Dataset) -> Box:
        w, h = size(row, data)
        left, top = rng.uniform(0, 4 / 9, 2)
        return Box(left * w, top * h, (left + 5 / 9) * w, (top + 5 / 9) * h)

    def oracle(row: Row, data: garim.Dataset) -> Box:
        """Of the 35 windows of one round and the whole picture, the one that fits best."""
        whole = Box.whole(*size(row, data))
        boxes = [whole, *windows(whole, 9, 5)]
        own = to_array(o.box for o in row.objects if o.label == row.label)
        return boxes[int(iou(to_array(boxes), own).max(axis=1).argmax())]

    return {
        "whole picture": lambda row, data: Box.whole(*size(row, data)),
        "centre 70 %": centre,
        "random 5/9 crop": random,
        "oracle of one round's windows": oracle,
    }


def _judged(
    name: str, boxes: dict[str, Proposed], truth: garim.Dataset
) -> Iterable[dict[str, Any]]:
    objects: list[tuple[str, Object]] = [(r.file_name, o) for r in truth.rows for o in r.objects]
    for part, proposed in boxes.items():
        named = list(proposed)
        judged: LocalizationReport = localization_report(named, objects)
        classes = {}
        for label in sorted({label for _, label, _ in named}):
            own = localization_report([one for one in named if one[1] == label], objects)
            classes[label] = {"boxes": own.figures()["boxes"], "corloc": own.figures()["corloc"]}
        yield {"method": name, "part": part, **judged.figures(), "classes": classes}


def _line(row: dict[str, Any]) -> str:
    c = row["corloc"]
    return (
        f"{row['method']:32s} {row['part']:7s} n={row['boxes']:3d}  CorLoc "
        f".3 {c['0.3']:.3f}  .5 {c['0.5']:.3f}  .7 {c['0.7']:.3f}  "
        f"purity {row['purity']:.3f}  coverage {row['coverage']:.3f}"
    )


def _draw_stories(model: garim.Classifier, mixed: garim.Dataset, out: Path) -> None:
    """Ten mixed pictures: which change in rounds 1, 2 and 3 of the document's procedure."""
    ten = replace(mixed, rows=mixed.rows[:: max(1, len(mixed) // STORIES)][:STORIES])
    plan: Plan = garim.extract(ten, model, ExtractSettings(method="document", rounds=3)).plan
    stories = [(ten.root / e.picture, [one.box for one in e.history]) for e in plan]
    garim.pictures.save(rounds_sheet(stories).image, out / "document_rounds.png")
    ours = garim.extract(ten, model, ExtractSettings(method="self")).plan
    pairs = [(ten.root / e.picture, e.box, e.label or "") for e in ours]
    garim.pictures.save(before_after(pairs, columns=2).image, out / "self.png")


if __name__ == "__main__":
    main()
