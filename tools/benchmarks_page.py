"""Write docs/benchmarks.md from the figures that the benchmarks left as JSON.

Each section is a module of ``benchmark_sections``; a new one gets a line in ``SECTIONS``.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmark_sections import (
    box_speed,
    boxes,
    copies,
    crops,
    detection,
    faults,
    foreground,
    fuzz,
    masks,
    review,
    scale,
    several_classes,
    similarity,
    training,
    upscaling,
    wrong_labels,
)

DOCS = Path(__file__).resolve().parent.parent / "docs"

HEAD = """# Benchmarks

Every table comes from one script in `benchmarks/`; the command above it makes it again. The
pictures are public and not part of this repository: the scripts look for them where
`GARIM_BENCH_DATA` points. This page is written by `tools/benchmarks_page.py`.
"""

SECTIONS = (
    boxes.section,
    crops.section,
    box_speed.section,
    training.section,
    wrong_labels.section,
    copies.section,
    several_classes.section,
    similarity.section,
    upscaling.section,
    masks.section,
    detection.section,
    foreground.section,
    review.section,
    scale.section,
    faults.section,
    fuzz.section,
)
"""In the order of the page."""


def main() -> None:
    """Write the page."""
    paths = (DOCS / "benchmarks").glob("*.json")
    found = {path.stem: json.loads(path.read_text()) for path in paths}
    page = HEAD + "".join(section(found) for section in SECTIONS)
    (DOCS / "benchmarks.md").write_text(page)


if __name__ == "__main__":
    main()
