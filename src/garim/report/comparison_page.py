"""The page of a comparison of trainings."""

from __future__ import annotations

from pathlib import Path

from garim.comparison.results import COLUMNS, TrainingComparison
from garim.report import charts
from garim.report.page import Cell, Chart, Note, Page, Section, Table, write_page


def training_comparison_page(found: TrainingComparison, name: str, path: Path) -> Path:
    """Write the page: means with intervals, differences from the first, F1 per class, every run."""
    seeds = len(found.arms[0].outcomes)
    lead = (
        f"{len(found.arms)} settings, {seeds} seeds each, {found.test_pictures} test pictures of "
        f"{name}. Intervals are 95 % intervals of the mean over seeds; differences are paired."
    )
    means = {
        label: {arm.name: arm.mean("f1", label).value for arm in found.arms}
        for label in found.classes
    }
    sections = (
        Section(
            "Which is better",
            (
                Table(COLUMNS, tuple(found.rows()), "Differences are from the first line."),
                *(Note(text, "warning") for text in found.notes),
            ),
        ),
        Section(
            "F1 per class",
            (
                Chart(charts.grouped_bars(means, title="Mean F1 per class", stacked=False)),
                Table(("Settings", *found.classes), tuple(found.rows_per_class())),
            ),
        ),
        Section("Every training", (Table(("Settings", "Seed", *_RUN), _runs(found)),)),
    )
    write_page(Page("Settings compared", lead, sections), path)
    return path


_RUN = ("Accuracy", "Macro F1", "Epochs", "Seconds")


def _runs(found: TrainingComparison) -> tuple[tuple[Cell, ...], ...]:
    return tuple(
        (arm.name, o.seed, o.accuracy, o.macro_f1, o.epochs, o.seconds)
        for arm in found.arms
        for o in arm.outcomes
    )
