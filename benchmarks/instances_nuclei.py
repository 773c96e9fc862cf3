"""How well single nuclei are found: Mask R-CNN against threshold and watershed.

    python benchmarks/instances_nuclei.py [--data DIR] [--weights FILE] [--only NAME …]
        [--epochs N] [--models DIR] [--json FILE]

``nuclei_dsb2018``: 70 % of the pictures are trained on, 30 % are for testing, drawn with a seed.
Mask R-CNN starts from MobileNetV2 weights (ImageNet). Watershed: Otsu's threshold, the side of
which fewer pixels are is taken for nuclei, split at the ridges of the distance to their rims.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from skimage.feature import peak_local_max
from skimage.segmentation import watershed

import garim
from garim.boxes import Box
from garim.evaluation import judge_objects
from garim.evaluation.instances import FindObjects, evaluate_instances
from garim.models.instance_segmenter import LEAST, FoundObject
from garim.pictures import Pixels
from garim.streaming import showing_progress
from garim.training import InstanceTrainSettings, train_instances
from garim.training.instance_masks import UNNAMED
from harness import earlier, leave, parsed, parser, starting, there

TEST, SEED = 0.3, 0
NEAR = 5
"""Least distance in pixels between the centres of two nuclei, for the watershed."""


def main() -> None:
    """Run what was asked for, and print the rows."""
    options = _options()
    data = there(options.data / "nuclei_dsb2018" / "stage1_train")
    rows = earlier(options.json)
    with showing_progress():
        nuclei = _split(garim.read(data))
        for name in options.only:
            row = {"name": name, **_run(name, nuclei, options)}
            rows = [one for one in rows if one["name"] != name] + [row]
            print(json.dumps(row))
    leave(options.json, rows)


def _options() -> argparse.Namespace:
    command_line = parser(__doc__, weights=True)
    known = ("watershed", "mask-rcnn")
    command_line.add_argument("--only", nargs="+", choices=known, default=list(known))
    command_line.add_argument("--epochs", type=int, default=40)
    command_line.add_argument("--models", type=Path)
    return parsed(command_line)


def _split(whole: garim.Dataset) -> garim.Dataset:
    drawn = np.random.default_rng(SEED).permutation(len(whole))[: round(TEST * len(whole))]
    test = set(drawn.tolist())
    parts = ("test" if index in test else "train" for index in range(len(whole)))
    rows = tuple(replace(r, split=s, label=None) for r, s in zip(whole.rows, parts, strict=True))
    return replace(whole, rows=rows)


def _run(name: str, nuclei: garim.Dataset, options: argparse.Namespace) -> dict[str, Any]:
    test, started = nuclei.where(split=["test"]), time.perf_counter()
    if name == "watershed":
        find: FindObjects = by_watershed
        report, more = judge_objects(find, test, (UNNAMED,)), {}
    else:
        settings = InstanceTrainSettings(
            **starting(options.weights),
            longest=0, epochs=options.epochs,
        )  # fmt: skip
        out = options.models / name if options.models else None
        made = train_instances(nuclei, settings, out)
        more = {"epochs": options.epochs, "train_seconds": round(made.seconds)}
        report = evaluate_instances(made.model, test)
    found = report.to_dict()
    seconds = round(time.perf_counter() - started)
    kept = {key: found[key] for key in ("pictures", "objects", "ap", "ap50", "ap75")}
    return {**kept, "failed": len(found["failed"]), "seconds": seconds, "least": LEAST, **more}


def by_watershed(picture: Pixels) -> list[FoundObject]:
    """Find nuclei without learning."""
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (0, 0), 1)
    _, bright = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    inside = (bright > 0) == ((bright > 0).mean() < 0.5)
    depth = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    centres = np.zeros(grey.shape, np.int32)
    for number, (y, x) in enumerate(peak_local_max(depth, min_distance=NEAR, threshold_abs=1), 1):
        centres[y, x] = number
    parts = watershed(-depth, centres, mask=inside)
    whole = Box.whole(picture.shape[1], picture.shape[0])
    return [
        FoundObject(label=UNNAMED, score=float(depth[parts == number].max() / 1000), box=whole,
                    mask=parts == number)
        for number in range(1, int(parts.max()) + 1)
    ]  # fmt: skip


if __name__ == "__main__":
    main()
