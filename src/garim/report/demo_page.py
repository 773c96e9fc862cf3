"""The page of the demo: what was done, against the known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from garim.errors import Failure
from garim.report.page import (
    Figure,
    Figures,
    Page,
    Picture,
    Section,
    Table,
    WidePicture,
    write_page,
)
from garim.report.parts import failed


def demo_report(summary: dict[str, Any], story: Image.Image, path: Path) -> Path:
    """Write the page of the demo: what was done, against the known truth."""
    accuracy, corloc = summary["test_accuracy"], summary["corloc"]
    figures = Figures((
        Figure("CorLoc at IoU .5", corloc["0.5"], "boxes that fit, drawn by nobody"),
        Figure("Purity", summary["purity"], "of the creatures inside a box, the labelled share"),
        Figure("Coverage", summary["coverage"], "of the labelled creature, the share in the box"),
        Figure("Test accuracy before", accuracy["before"], "trained on the messy pictures"),
        Figure("Test accuracy after", accuracy["after"], "trained on them and their crops"),
    ))  # fmt: skip
    names = {"Self Extraction": summary, **summary["baselines"]}
    rows = tuple(
        (name, *v["corloc"].values(), v["purity"], v["coverage"]) for name, v in names.items()
    )
    columns = ("Boxes", "CorLoc .3", "CorLoc .5", "CorLoc .7", "Purity", "Coverage")
    wide = WidePicture(Picture.of(story, "Pictures with their boxes and crops", side=1600))
    seconds = tuple(summary["seconds"].items())
    sections = (
        Section("What came of it", (figures, Table(columns, rows))),
        Section("Before and after", (wide,), "Pictures with several creatures, drawn at random."),
        Section("Seconds", (Table(("Step", "Seconds"), seconds),)),
        *failed([Failure(**one) for one in summary["broken"]]),
    )
    lead = f"{summary['pictures']} messy pictures, drawn on the spot, with known truth."
    write_page(Page("Garim demo", lead, sections), path)
    return path
