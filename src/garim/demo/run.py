"""``garim demo``: the whole main job on a messy dataset that is drawn on the spot."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import numpy as np

from garim import dataset as datasets
from garim import files, pictures
from garim.boxes import Box
from garim.dataset import Dataset
from garim.demo.messy import Truth, draw_dataset, write_truth
from garim.errors import DatasetError, Failure
from garim.evaluation import evaluate
from garim.evaluation.localization import LocalizationReport, localization_report
from garim.extraction import ExtractSettings, extract
from garim.formats.rows import Row
from garim.growing import growing
from garim.models.classifier import Classifier, load
from garim.plan import Edit, Plan, apply
from garim.report import before_after, demo_report, plan_report
from garim.training import TrainSettings, train

TRAINING = TrainSettings(
    backbone="small_cnn", size=64, epochs=30, batch=32, augment="light", patience=0
)
"""How both classifiers are trained, from scratch: the same, on the messy and on the clean data."""

STORIES = 12
"""Pictures in ``before_after.png``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the demo did and how well, against the known truth."""

    folder: Path
    pictures: int
    strays: int
    boxes: dict[str, Any]
    """The proposed boxes: CorLoc, purity, coverage."""
    baselines: dict[str, dict[str, Any]]
    """The same for boxes that nobody has to look for."""
    accuracy_before: float
    """On the test split, trained on the messy pictures."""
    accuracy_after: float
    """On the same test split, trained on the pictures and their crops for as many steps."""
    majority_baseline: float
    seconds: dict[str, float]
    failures: tuple[Failure, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Give the summary as it stands in ``summary.json`` and ``--json``."""
        return {
            "folder": str(self.folder),
            "pictures": self.pictures,
            "strays": self.strays,
            **{k: self.boxes[k] for k in ("boxes", "corloc", "purity", "coverage", "mean_iou")},
            "baselines": self.baselines,
            "test_accuracy": {
                "before": self.accuracy_before,
                "after": self.accuracy_after,
                "majority_baseline": self.majority_baseline,
            },
            "seconds": self.seconds,
            "broken": [failure.to_dict() for failure in self.failures],
        }

    def lines(self) -> Iterator[str]:
        """Say it in a few lines."""
        whole = self.baselines["whole picture"]["corloc"]["0.5"]
        yield f"{self.pictures} pictures drawn, {len(self.failures)} of them broken on purpose"
        yield (
            f"CorLoc at IoU .5: {self.boxes['corloc']['0.5']:.3f} "
            f"(whole picture {whole:.3f}), purity {self.boxes['purity']:.3f}, "
            f"coverage {self.boxes['coverage']:.3f}, {self.boxes['boxes']} boxes"
        )
        yield f"Test accuracy: {self.accuracy_before:.3f} → {self.accuracy_after:.3f}"
        yield f"Look at {self.folder / 'before_after.png'} and {self.folder / 'report.html'}"


def run_demo(
    folder: Path, *, seed: int = 0, pictures_per_class: int = 110, test_per_class: int = 30
) -> Summary:
    """Draw a messy dataset, train on it, extract, apply, train again, and compare with the truth.

    Args:
        folder: new, empty, or of the same demo, which goes on; takes ``messy/``, ``truth.csv``,
            two models, the plan, ``clean/``, ``before_after.png``, ``report.html`` and
            ``summary.json``.
        seed: another seed, other pictures.
        pictures_per_class: training pictures of each of the 8 classes.
        test_per_class: test pictures of each class.

    Raises:
        DatasetError: the folder holds another dataset.
    """
    clock = _Clock()
    known = _drawn(
        folder / "messy", pictures_per_class=pictures_per_class,
        test_per_class=test_per_class, seed=seed,
    )  # fmt: skip
    write_truth(known, folder / "truth.csv")
    truth = datasets.read(folder / "truth.csv")
    messy = datasets.read(folder / "messy")
    clock.lap("draw")
    first = _trained(messy, TRAINING, folder / "model-before")
    clock.lap("train before")
    to_clean = messy.where(split=["train"])
    found = extract(to_clean, first, ExtractSettings(), folder / "plan.jsonl")
    clock.lap("extract")
    if not (folder / "clean").exists():  # it has its name only when it is whole
        apply(found.plan, to=folder / "clean")
    clean = datasets.read(folder / "clean")
    clock.lap("apply")
    second = _trained(*_with_crops(folder, to_clean, found.plan, clean), folder / "model-after")
    clock.lap("train after")
    summary = _judged(folder, messy, truth, found.plan, (first, second), clock)
    _leave(folder, messy, found.plan, truth, summary)
    return summary


def _drawn(folder: Path, **how: int) -> Truth:
    """Draw the dataset; where it is there already, see that it is this one."""
    if not folder.is_dir() or not any(folder.iterdir()):
        with growing(folder, uuid4().hex) as place:  # what is unfinished is begun again
            return replace(draw_dataset(place, **how), name=folder.name)
    with TemporaryDirectory(prefix="garim-") as other:
        known = draw_dataset(Path(other) / folder.name, **how)
        if _digests(folder) != _digests(Path(other) / folder.name):
            raise DatasetError(f"{folder}: is not what this demo draws; name a new folder")
    return known


def _digests(folder: Path) -> dict[Path, str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): files.digest(path) for path in paths}


def _trained(dataset: Dataset, settings: TrainSettings, folder: Path) -> Classifier:
    """Train, or go on, or give what was trained there."""
    if (folder / "config.json").exists():  # it is written last
        return load(folder)
    return train(dataset, settings, folder).classifier


class _Clock:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round(now - self._last, 1)
        self._last = now


def _with_crops(
    folder: Path, messy: Dataset, plan: Plan, clean: Dataset
) -> tuple[Dataset, TrainSettings]:
    """Put originals and crops together, without pictures whose label was not found.

    Twice the pictures in half the epochs: both models are trained for the same number of steps.
    """
    lost = {e.picture for e in plan.edits if e.edit == "keep" and e.score_after is None}
    crops = [row for row in clean.rows if "crop" in row.edits]
    originals = [row for row in messy.rows if row.file_name not in lost]
    rows = [
        *(_placed(row, "messy", row.file_name) for row in originals),
        *(_placed(row, "clean", row.source or row.file_name) for row in crops),
    ]
    epochs = (TRAINING.epochs or 1) * len(messy) // max(1, len(rows))
    return (
        replace(messy, root=folder, rows=tuple(rows), origin=folder),
        replace(TRAINING, epochs=max(1, epochs), localizer=False),
    )


def _placed(row: Row, folder: str, original: str) -> Row:
    """Hold out a seventh of the pictures to validate by, each together with its crop."""
    held = int(files.digest_of(original), 16) % 7 == 0
    split = "validation" if held else "train"
    return replace(row, file_name=f"{folder}/{row.file_name}", split=split)


def _judged(
    folder: Path,
    messy: Dataset,
    truth: Dataset,
    plan: Plan,
    models: tuple[Classifier, Classifier],
    clock: _Clock,
) -> Summary:
    test = messy.where(split=["test"])
    before, after = (evaluate(one, test) for one in models)
    clock.lap("evaluate")
    return Summary(
        folder=folder,
        pictures=len(messy),
        strays=len(messy.strays),
        boxes=evaluate(plan, truth).to_dict(),
        baselines={name: _baseline(plan, truth, share) for name, share in BASELINES.items()},
        accuracy_before=round(before.accuracy, 4),
        accuracy_after=round(after.accuracy, 4),
        majority_baseline=round(before.majority_baseline, 4),
        seconds=clock.laps,
        failures=plan.failures,
    )


BASELINES = {"whole picture": 1.0, "centre 70 %": 0.7}
"""Boxes that nobody has to look for: the share of each side that they keep."""


def _baseline(plan: Plan, truth: Dataset, share: float) -> dict[str, Any]:
    objects = [(row.file_name, one) for row in truth.rows for one in row.objects]
    boxes = [
        (f"messy/{edit.picture}", edit.label or "", _centre(edit.size, share))
        for edit in plan.edits
        if edit.size is not None
    ]
    report: LocalizationReport = localization_report(boxes, objects)
    return report.figures()


def _centre(size: tuple[int, int], share: float) -> Box:
    width, height = size
    margin_x, margin_y = width * (1 - share) / 2, height * (1 - share) / 2
    return Box(margin_x, margin_y, width - margin_x, height - margin_y)


def _leave(folder: Path, messy: Dataset, plan: Plan, truth: Dataset, summary: Summary) -> None:
    """Write what people look at."""
    stories = _stories(plan, truth)
    sheet = before_after(
        [(messy.root / edit.picture, edit.box, edit.label or "") for edit in stories]
    )
    pictures.save(sheet.image, folder / "before_after.png")
    plan_report(plan, messy, folder / "plan.html")
    demo_report(summary.to_dict(), sheet.image, folder / "report.html")
    files.write_json(folder / "summary.json", summary.to_dict())


def _stories(plan: Plan, truth: Dataset) -> list[Edit]:
    """Crops of pictures with several creatures, drawn at random: not the best ones."""
    several = {row.file_name for row in truth.rows if len(row.objects) > 1}
    crops = [e for e in plan.edits if e.edit == "crop" and f"messy/{e.picture}" in several]
    chosen = np.random.default_rng(0).permutation(len(crops))[:STORIES]
    return [crops[i] for i in sorted(chosen)]
