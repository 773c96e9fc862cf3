"""How well the boxes fit."""

from __future__ import annotations

from typing import Any

from benchmark_sections.tables import Figures, row

HEAD = """
## How well the boxes fit

```sh
python benchmarks/extraction_quality.py --json docs/benchmarks/extraction_quality.json
```

`fruit_boxes`: a classifier (MobileNetV2, ImageNet weights, fine-tuned as `garim train` does when
nothing is chosen) is trained on the folder labels of `train/`, and looks for each label in the test
pictures of one fruit (*single*) and in the pictures that hold several (*mixed*), which it has not
been trained on, once per label. CorLoc is the share of boxes with at least that IoU.
[What the figures mean](evaluate.md).

*street* is another task, for which nothing was tuned: a classifier trained on `clothing5`, garments
photographed one by one on beds and floors, looks for the main garment in pictures of people in the
street (`ccp_street5`). Garments are small there, and worn.

| method | pictures | n | CorLoc .3 | CorLoc .5 | CorLoc .7 | purity | coverage |
|---|---|---:|---:|---:|---:|---:|---:|
"""

TAIL = """
What it shows: the sliding windows drift to the most telling part of the object, and each round
takes them further, as purity rises and coverage falls; on pictures of one fruit they are worse than
the middle of the picture. The class activation map marks the most telling part too. The default
(`self`) gives the most boxes that fit by half and more, everywhere, and on mixed pictures more than
the best of the document's own windows, the oracle, which no method can know. Loose boxes (.3)
around small garments in the street the windows give more often, as they are wide. The constants of
`self` were chosen on these pictures of fruit, though not on those of the street.
"""


def section(found: Figures) -> str:
    """Give the section; it must have been measured."""
    rows = found["extraction_quality"]
    street = [each for each in rows if each["part"] == "street" and "classes" in each]
    return HEAD + "".join(map(_line, rows)) + TAIL + (_by_garment(street) if street else "")


def _by_garment(rows: list[dict[str, Any]]) -> str:
    classes = rows[0]["classes"]
    text = "\nIn the street, CorLoc .5 by garment:\n\n"
    text += row("method", *(f"{name} (n = {one['boxes']})" for name, one in classes.items()))
    text += "|---|" + "---:|" * len(classes) + "\n"
    for each in rows:
        found = (f"{one['corloc']['0.5']:.3f}" for one in each["classes"].values())
        text += row(each["method"], *found)
    return text


def _line(found: dict[str, Any]) -> str:
    figures = (*found["corloc"].values(), found["purity"], found["coverage"])
    cells = (f"{figure:.3f}" for figure in figures)
    return row(found["method"], found["part"], str(found["boxes"]), *cells)
