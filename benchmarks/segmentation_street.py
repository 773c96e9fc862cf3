"""How well garments are segmented in street photos: networks, classical pixel classifiers, nothing.

    python benchmarks/segmentation_street.py [--data DIR] [--weights FILE] [--only NAME …]
        [--epochs N] [--json FILE]

``ccp_street5``: five kinds of garment and background, from the masks of 59 tags; 70 % of the
pictures are trained on, 30 % are for testing, drawn with a seed. All networks start from the same
MobileNetV2 weights (ImageNet) and see the same crops. Rows are added to the JSON file, so that the
networks can be run one by one; ``--models DIR`` keeps the models and their overlays.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import garim
from garim.evaluation.segmentation import Predict, SegmentationReport, judge_masks
from garim.formats.rows import Row
from garim.report.segmentation_page import segmentation_report
from garim.streaming import showing_progress
from garim.training.masks import look_at_masks, rule_of
from garim.training.pixel_classifiers import KINDS, PixelClassifier
from garim.training.segment_settings import SegmentTrainSettings
from garim.training.segmentation import train_segmenter
from harness import earlier, leave, parsed, parser, starting, there

CLASSES = {
    "cap_and_hat": ("hat",),
    "outerwear": ("blazer", "cape", "cardigan", "coat", "hoodie", "jacket", "jumper", "sweater",
                  "sweatshirt", "vest", "suit"),
    "tops": ("blouse", "shirt", "t-shirt", "top", "bodysuit"),
    "bottoms": ("jeans", "leggings", "pants", "shorts", "skirt", "tights", "stockings"),
    "shoes": ("boots", "clogs", "flats", "heels", "loafers", "pumps", "sandals", "shoes",
              "sneakers", "wedges"),
}  # fmt: skip
NAMES = ("background", *CLASSES)
NETWORKS = ("fcn32s", "fcn16s", "fcn8s", "deeplabv3plus")
TEST, SEED = 0.3, 0


def main() -> None:
    """Run what was asked for, and print the table."""
    options = _options()
    data = there(options.data / "ccp_street5")
    with tempfile.TemporaryDirectory() as folder, showing_progress():
        street = street_dataset(data, Path(folder))
        rows = earlier(options.json)
        for name in options.only:
            row = _run(name, street, options)
            if name in NETWORKS and options.class_weights != "none":
                row["name"] += f", {options.class_weights}"
            rows = [one for one in rows if one["name"] != row["name"]] + [row]
            leave(options.json, rows)
            print(json.dumps(row))


def _options() -> argparse.Namespace:
    command_line = parser(__doc__, weights=True)
    known = ("nothing", *KINDS, *NETWORKS)
    command_line.add_argument("--only", nargs="+", choices=known, default=list(known))
    command_line.add_argument("--epochs", type=int, default=20)
    command_line.add_argument("--size", type=int, default=192)
    command_line.add_argument("--longest", type=int, default=256)
    command_line.add_argument("--precision", default="32-true")
    command_line.add_argument("--class-weights", default="none", choices=["none", "balanced"])
    command_line.add_argument("--models", type=Path)
    return parsed(command_line)


def street_dataset(data: Path, folder: Path) -> garim.Dataset:
    """Give the photos with masks of six classes, split by picture."""
    tags = dict(line.split(" ", 1) for line in (data / "tags.txt").read_text().splitlines())
    table = np.zeros(256, np.uint8)
    for number, tag in tags.items():
        for index, several in enumerate(CLASSES.values(), start=1):
            if tag.strip() in several:
                table[int(number)] = index
    (folder / "masks").mkdir()
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in NAMES))
    (folder / "photos").symlink_to((data / "photos").resolve())
    names = sorted(path.name for path in (data / "photos").iterdir())
    rows = []
    test = set(np.random.default_rng(SEED).permutation(names)[: round(TEST * len(names))].tolist())
    for name in names:
        mask = Path(name).with_suffix(".png").name
        values = np.asarray(Image.open(data / "masks" / mask))
        Image.fromarray(table[values]).save(folder / "masks" / mask)
        rows.append(Row(file_name=f"photos/{name}", mask_file_name=f"masks/{mask}",
                        split="test" if name in test else "train"))  # fmt: skip
    return garim.Dataset(root=folder, rows=tuple(rows), classes=NAMES, origin=data)


def _run(name: str, street: garim.Dataset, options: argparse.Namespace) -> dict[str, Any]:
    started = time.perf_counter()
    predict, more = trained(name, street, options)
    seconds, started = time.perf_counter() - started, time.perf_counter()
    judged = judge_masks(predict, street.where(split=["test"]), NAMES)
    per_picture = (time.perf_counter() - started) / len(judged.judged)
    if options.models:
        segmentation_report(judged, street, options.models / name / "evaluation")
    return {"name": name, "train_seconds": round(seconds), "seconds_per_picture": per_picture,
            **figures(judged), **more}  # fmt: skip


def figures(judged: SegmentationReport) -> dict[str, Any]:
    """Give the figures that stand in the table."""
    found = judged.to_dict()
    ious = {name: row["iou"] for name, row in found["per_class"].items()}
    return {"pictures": found["pictures"], "miou": found["miou"], "ious": ious,
            "pixel_accuracy": found["pixel_accuracy"], "boundary_f": found["boundary_f"],
            "failed": len(found["failed"])}  # fmt: skip


def trained(
    name: str, street: garim.Dataset, options: argparse.Namespace
) -> tuple[Predict, dict[str, Any]]:
    """Train one by its name; say what it was trained with."""
    if name == "nothing":
        nothing: Predict = lambda picture: np.zeros(picture.shape[:2], np.uint8)  # noqa: E731
        return nothing, {}
    if name in KINDS:
        train = street.where(split=["train"])
        masked, _ = look_at_masks(train)
        return PixelClassifier(name, SEED).fit(masked, rule_of(train, masked)).predict, {}
    settings = SegmentTrainSettings(
        network=name, **starting(options.weights), size=options.size, longest=options.longest,
        epochs=options.epochs, patience=0, precision=options.precision,
        class_weights=options.class_weights,
    )  # fmt: skip
    out = options.models / name / "model" if options.models else None
    made = train_segmenter(street, settings, out)
    noted = ("epochs", "size", "longest", "precision", "class_weights")
    chosen = {n: getattr(settings, n) for n in noted}
    return made.model.predict, {**chosen, "pictures_trained_on": made.pictures}


if __name__ == "__main__":
    main()
