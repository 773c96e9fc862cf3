"""The pages of an evaluation: one classifier against labels, or two side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from garim import files, pictures
from garim.dataset import Dataset
from garim.evaluation import ClassificationReport, ComparisonReport
from garim.evaluation.breakdown import Part
from garim.evaluation.classification import Mistake
from garim.evaluation.comparison import Difference, Disagreement
from garim.evaluation.intervals import LEVEL, Interval
from garim.report import charts
from garim.report.page import (
    Cell,
    Chart,
    Element,
    Figure,
    Figures,
    Gallery,
    Note,
    Page,
    Picture,
    Section,
    Table,
    Tile,
    Tone,
    WidePicture,
    write_page,
)
from garim.report.parts import SHOWN, failed, shown
from garim.report.reliability import reliability_diagram
from garim.report.sheet import captioned_sheet

CHANCE = 0.05
"""A p-value from which on a difference may well be chance."""

_SURE = f"{LEVEL:.0%}"


def evaluation_report(report: ClassificationReport, dataset: Dataset, folder: Path) -> Path:
    """Write a classifier's ``report.html`` and ``report.json``, with its mistakes as pictures."""
    files.write_json(folder / "report.json", report.to_dict())
    matrix = charts.confusion_picture(report.matrix, report.classes)
    pictures.save(matrix, folder / "confusion_matrix.png")
    confused: Element = WidePicture(Picture.of(matrix, "Confusion matrix", side=1200))
    if len(report.classes) <= charts.NUMBERED_CLASSES:
        table = charts.heat_table(report.matrix, report.classes, title="Confusion matrix")
        confused = Chart(table, "Rows: the label. Columns: the prediction.")
    sections = [
        Section("How good", (_figures(report), _per_class(report))),
        Section("Calibration", (_reliability(report),), _certainty(report)),
        *_breakdown(report),
        Section("What is taken for what", (confused,)),
        *_mistakes(report.mistakes, dataset, folder / "worst_mistakes.png"),
        *failed(report.failures),
    ]
    path = folder / "report.html"
    lead = f"{report.pictures} pictures of {dataset.origin.name}."
    write_page(Page("Evaluation", lead, tuple(sections)), path)
    return path


def _figures(report: ClassificationReport) -> Figures:
    sure = report.intervals
    return Figures((
        Figure("Accuracy", report.accuracy, f"{_span(sure.accuracy)}; share classified rightly"),
        Figure("Macro F1", report.macro["f1"], f"{_span(sure.macro_f1)}; each class counts alike"),
        Figure("Calibration error", report.ece, "how far certainty is from being right; 0 is best"),
        Figure("Majority baseline", report.majority_baseline, "always the most frequent class"),
    ))  # fmt: skip


def _span(interval: Interval) -> str:
    return f"{interval[0]:.3f} to {interval[1]:.3f}"


def _per_class(report: ClassificationReport) -> Table:
    columns = ("Class", "Precision", "Recall", "F1", "F1 from", "F1 to", "Support")
    rows: list[tuple[Cell, ...]] = [
        (name, v["precision"], v["recall"], v["f1"], *report.intervals.f1[name], v["support"])
        for name, v in report.per_class.items()
    ]
    note = f"From and to: {_SURE} of the figures of as many pictures, drawn again from these."
    return Table(columns, tuple(rows), note)


def _reliability(report: ClassificationReport) -> Chart:
    title = "Accuracy by the score of the predicted class"
    return Chart(reliability_diagram(report.reliability, title=title))


def _certainty(report: ClassificationReport) -> str:
    certain = sum(one.pictures * one.confidence for one in report.reliability) / report.pictures
    gap = certain - report.accuracy
    low, high = report.intervals.accuracy
    if low <= certain <= high:
        verdict = "that fits."
    else:
        verdict = "the model is too certain." if gap > 0 else "the model is too modest."
    return f"Mean score {certain:.3f}, accuracy {report.accuracy:.3f}: {verdict}"


def _breakdown(report: ClassificationReport) -> list[Section]:
    tables = [
        _parts(name, parts)
        for name, parts in (("Short side of the picture", report.sizes), ("Split", report.splits))
        if parts
    ]
    return [Section("By size and split", tuple(tables))] if tables else []


def _parts(name: str, parts: Sequence[Part]) -> Table:
    rows = tuple((one.name, one.pictures, one.accuracy, one.macro_f1) for one in parts)
    return Table((name, "Pictures", "Accuracy", "Macro F1"), rows)


def _mistakes(mistakes: Sequence[Mistake], dataset: Dataset, sheet: Path) -> list[Section]:
    """Show the mistakes on the page, and as a sheet beside it; an older sheet is removed."""
    worst = mistakes[:SHOWN]
    _save_sheet([
        (dataset.root / one.picture, f"{one.score:.2f}", f"{one.label} → {one.predicted}")
        for one in worst
    ], sheet)  # fmt: skip
    if not worst:
        return []
    tiles = tuple(
        Tile(
            shown(dataset.root / one.picture, None, one.label),
            caption=f"{one.label} → {one.predicted}",
            badge=f"{one.score:.2f}",
            tone="bad",
            details=(("File", one.picture),),
        )
        for one in worst
    )
    lead = (
        f"Label → prediction, the most certain first; {len(tiles)} of {len(mistakes)} shown. Among "
        "the first are often wrong labels, and pictures that show both."
    )
    return [Section("Worst mistakes", (Gallery(tiles),), lead)]


def _save_sheet(items: Sequence[tuple[Path, str, str]], path: Path) -> None:
    if items:
        pictures.save(captioned_sheet(items).image, path)
    else:
        path.unlink(missing_ok=True)


def comparison_report(report: ComparisonReport, dataset: Dataset, folder: Path) -> Path:
    """Write ``comparison.html`` of two classifiers, with the pictures they see differently."""
    first, second = report.first, report.second
    rows: list[tuple[Cell, ...]] = [
        ("Accuracy", first.accuracy, second.accuracy, *_difference(report.accuracy)),
        ("Macro F1", first.macro["f1"], second.macro["f1"], *_difference(report.macro_f1)),
        ("Calibration error", first.ece, second.ece, first.ece - second.ece, None, None),
    ]
    columns = ("Figure", "This model", "The other", "Difference", "From", "To")
    note = f"From and to: {_SURE} of the differences on as many pictures, drawn again from these."
    right = tuple(
        (name, int(one.matrix.trace()), only)
        for name, one, only in (
            ("This model", first, report.only_first), ("The other", second, report.only_second)
        )
    )  # fmt: skip
    sections = [
        Section(
            "Which is better",
            (
                _verdict(report),
                Table(columns, tuple(rows), note),
                Table(("Model", "Right", "Right where the other is wrong"), right),
            ),
        ),
        Section("Class by class", (_classes_side_by_side(report),)),
        *_differing(report.disagreements, dataset, folder / "differences.png"),
        *failed(first.failures),
    ]
    path = folder / "comparison.html"
    lead = f"Two models on the same {first.pictures} pictures of {dataset.origin.name}."
    write_page(Page("Comparison", lead, tuple(sections)), path)
    return path


def _difference(one: Difference) -> tuple[float, float, float]:
    return one.value, *one.interval


def _verdict(report: ComparisonReport) -> Note:
    p = f"McNemar's exact test gives p = {report.p_value:.2g}"
    if report.p_value > CHANCE:
        return Note(f"No clear winner: this difference may be chance. {p}.", "warning")
    better = "This model" if report.only_first > report.only_second else "The other model"
    return Note(f"{better} is more often right, and that is hardly chance. {p}.", "good")


def _classes_side_by_side(report: ComparisonReport) -> Table:
    rows = tuple(
        (name, row["f1"], other["f1"], row["f1"] - other["f1"], row["support"])
        for (name, row), other in zip(
            report.first.per_class.items(), report.second.per_class.values(), strict=True
        )
    )
    return Table(("Class", "F1, this model", "F1, the other", "Difference", "Support"), rows)


def _differing(several: Sequence[Disagreement], dataset: Dataset, sheet: Path) -> list[Section]:
    chosen = several[:SHOWN]
    _save_sheet([
        (dataset.root / one.picture, one.label, f"{one.first} | {one.second}") for one in chosen
    ], sheet)  # fmt: skip
    if not chosen:
        return []
    tiles = tuple(_differing_tile(one, dataset) for one in chosen)
    lead = (
        f"Label → what this model says | what the other says. {len(tiles)} of {len(several)} "
        "shown, the most certain mistakes first."
    )
    return [Section("Pictures they see differently", (Gallery(tiles),), lead)]


def _differing_tile(one: Disagreement, dataset: Dataset) -> Tile:
    badge, tone = _outcome(one)
    return Tile(
        shown(dataset.root / one.picture, None, one.label),
        caption=f"{one.label} → {one.first} | {one.second}",
        badge=badge,
        tone=tone,
        details=(
            ("This model", f"{one.first} {one.first_score:.2f}"),
            ("The other", f"{one.second} {one.second_score:.2f}"),
            ("File", one.picture),
        ),
    )


def _outcome(one: Disagreement) -> tuple[str, Tone]:
    if one.first == one.label:
        return "better", "good"
    return ("worse", "bad") if one.second == one.label else ("both wrong", "plain")
