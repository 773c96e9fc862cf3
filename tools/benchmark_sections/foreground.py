"""Boxes without a model, and the foreground."""

from __future__ import annotations

from benchmark_sections.tables import Figures, row

CONTOUR = """
## Boxes without a model

```sh
python benchmarks/contour_quality.py --json docs/benchmarks/contour_quality.json
python benchmarks/foreground_quality.py --json docs/benchmarks/foreground_quality.json
```

The contour crop against the box around all garments of street photos (`ccp_street5`) and around
all fruit of web photos (`fruit_boxes`), on {pictures} pictures of each that nothing was tuned on. A
failure is an IoU below a half, or no box.

| | way | IoU | failures |
|---|---|---:|---:|
"""

FOREGROUND = """
The foreground against the person's mask (street photos), and its box against that around all
fruit, on {pictures} pictures of each. `onnx` is a small network for portraits; `grabcut-centre` is
GrabCut from a box that leaves a tenth on each side.

| | method | mask IoU | F | IoU of the box | s per picture |
|---|---|---:|---:|---:|---:|
"""


def section(found: Figures) -> str:
    """Give the section; each table is left out until it has been measured."""
    text = ""
    if rows := found.get("contour_quality"):
        text += CONTOUR.format(**rows[0])
        text += "".join(row(r["data"], r["way"], r["iou"], r["failures"]) for r in rows)
    if rows := found.get("foreground_quality"):
        text += FOREGROUND.format(**rows[0])
        names = ("mask_iou", "f", "box_iou", "seconds")
        text += "".join(
            row(r["data"], r["method"], *(r.get(name, "") for name in names)) for r in rows
        )
    return text
