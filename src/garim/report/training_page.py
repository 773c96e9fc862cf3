"""The page of a trained run: what was trained, on what, its curves, and how good it was found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from garim import files
from garim.dataset import Dataset
from garim.errors import Failure
from garim.models.folder import CONFIG, task_of
from garim.report import charts
from garim.report.dataset_page import counts_chart
from garim.report.page import (
    Cell,
    Chart,
    Element,
    Figure,
    Figures,
    Note,
    Page,
    Section,
    Table,
    write_page,
)
from garim.report.parts import failed

TOLD = "training.json"
"""What a training told when it ended; a run that was made without a report has none."""

CURVES = Path("curves") / "metrics.csv"
EVALUATION = Path("evaluation") / "report.json"

TITLES = {
    "classify": "Training of a classifier", "detect": "Training of a detector",
    "embed": "Training of an embedder", "instances": "Training of instance segmentation",
    "segment": "Training of a segmenter", "upscale": "Training of an upscaler",
}  # fmt: skip

MEANINGS = {
    "loss": "what was made small", "accuracy": "share classified rightly",
    "balanced_accuracy": "mean recall; each class counts alike",
    "macro_f1": "each class counts alike", "weighted_f1": "each picture counts alike",
    "ece": "how far certainty is from being right; 0 is best",
    "ece_uncalibrated": "that error before the scores were calibrated",
    "majority_baseline": "accuracy of always the most frequent class",
    "pixel_accuracy": "share of pixels that are right", "miou": "overlap, each class counts alike",
    "boundary_f": "boundaries that lie where they should",
    "largest_class_baseline": "pixel accuracy of always the largest class",
    "ap": "mean over overlaps of .5 to .95, as COCO counts it",
    "ap50": "overlap of at least a half", "ap75": "overlap of at least three quarters",
    "psnr": "dB on luminance; higher is nearer", "ssim": "structure that is kept; 1 is all",
    "bicubic_psnr": "dB of bicubic enlarging", "bicubic_ssim": "of bicubic enlarging",
}  # fmt: skip
"""What the figures of all tasks mean."""

MARKS = {
    "ap": "AP", "ap50": "AP50", "ap75": "AP75", "ece": "ECE", "f": "F", "f1": "F1", "iou": "IoU",
    "miou": "mIoU", "psnr": "PSNR", "ssim": "SSIM",
}  # fmt: skip
"""Parts of names that are no words."""


class Trained(Protocol):
    """What every training gives."""

    def to_dict(self) -> dict[str, Any]:
        """Give the result as it stands in ``--json``."""
        ...


def training_report(trained: Trained, dataset: Dataset, folder: Path) -> Path:
    """Write ``training.json``, what a training tells, into its folder, and the page beside it."""
    told = {**trained.to_dict(), "data": dataset.origin.name, "labels": dataset.counts()}
    files.write_json(folder / TOLD, told)
    return run_report(folder, folder / "report.html")


def run_report(folder: Path, path: Path) -> Path:
    """Write the page of a trained model's folder.

    Raises:
        ModelError: it is no such folder.
    """
    task = task_of(folder)
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    ours, told = config["garim"], _read(folder / TOLD)
    sections = [
        Section("What came of it", tuple(_outcome(ours, told))),
        *_classes(ours, told),
        *_evaluation(_read(folder / EVALUATION)),
        *curves(folder / CURVES),
        *_settings(ours, told),
        *failed([Failure(**one) for one in told.get("failed", ())]),
    ]
    made = (config.get("architecture"), ours.get("network"), ours.get("backbone"))
    lead = ", ".join(str(one) for one in dict.fromkeys((*made, told.get("data"))) if one)
    seconds = f", {told['seconds']:.0f} seconds" if "seconds" in told else ""
    title = TITLES.get(task, f"Training for {task}")
    write_page(Page(title, f"{lead or folder.name}{seconds}.", tuple(sections)), path)
    return path


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # never written, or cut off: the page does without
        return {}
    return found if isinstance(found, dict) else {}


def _figure(name: str, value: Cell) -> Figure:
    plain = name.removeprefix("validation_").removeprefix("out_of_fold_")
    return Figure(_words(name), value, MEANINGS.get(plain, ""))


def _words(name: str) -> str:
    words = " ".join(MARKS.get(part, part) for part in name.split("_"))
    return words[:1].upper() + words[1:]


def _outcome(ours: dict[str, Any], told: dict[str, Any]) -> Iterator[Element]:
    metrics = ours.get("metrics") or told.get("metrics") or {}
    figures = [_figure(name, value) for name, value in metrics.items()]
    if "pictures" in told:
        figures.append(Figure("Pictures", told["pictures"], "trained on"))
    if "pairs" in told:
        figures.append(Figure("Pairs", told["pairs"], "cut from them"))
    if figures:
        yield Figures(tuple(figures))
    yield from (Note(text, "warning") for text in told.get("notes", ()))
    yield from (Note(text) for text in told.get("chosen", ()))


def _classes(ours: dict[str, Any], told: dict[str, Any]) -> Iterator[Section]:
    elements: list[Element] = []
    names = ours.get("classes") or ()
    if "palette" in ours:
        elements.append(Chart(charts.legend(names, [tuple(c) for c in ours["palette"]])))
    if any(told.get("labels", {}).values()):
        elements.append(counts_chart(told["labels"]))
    if names or elements:
        yield Section("Classes", tuple(elements), ", ".join(names))


def _evaluation(judged: dict[str, Any]) -> Iterator[Section]:
    """Show the figures of the evaluation in the folder, if there was one."""
    figures = tuple(
        _figure(name, value) for name, value in judged.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    )  # fmt: skip
    if not figures:
        return
    elements: list[Element] = [Figures(figures)]
    per_class = judged.get("per_class") or {}
    columns = list(next(iter(per_class.values()), {}))
    if columns:
        rows = tuple((name, *(of[c] for c in columns)) for name, of in per_class.items())
        heads = ("Class", *map(_words, columns))
        elements.append(Table(heads, rows))
    yield Section("Evaluation", tuple(elements), "All of it is in evaluation/report.html.")


def curves(path: Path) -> list[Section]:
    """Draw what a training wrote into ``curves/metrics.csv``; nothing where it wrote none."""
    if not path.exists():
        return []
    table = pl.read_csv(path)
    elements = []
    others = [n for n in table.columns if n.startswith("val_") and n != "val_loss"]
    wanted = {"Loss": ["train_loss", "val_loss"]}
    wanted |= {_words(name.removeprefix("val_")): [name] for name in others}
    for title, names in wanted.items():
        series = {
            _SETS[n.partition("_")[0]]: table[n].drop_nulls().to_list()
            for n in names
            if n in table.columns
        }
        if series:
            elements.append(Chart(charts.line_chart(series, title=title, x_label="Epoch")))
    return [Section("Curves", tuple(elements))] if elements else []


_SETS = {"train": "training", "val": "validation"}


def _settings(ours: dict[str, Any], told: dict[str, Any]) -> Iterator[Section]:
    chosen = told.get("settings") or told.get("recipe") or ours.get("trained") or {}
    if chosen:
        rows = tuple((name, str(value)) for name, value in chosen.items())
        yield Section("Settings", (Table(("Setting", "Value"), rows),))
