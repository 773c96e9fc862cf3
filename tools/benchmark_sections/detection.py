"""Boxes that a detector learned."""

from __future__ import annotations

from typing import Any

from benchmark_sections.tables import Figures, row

DRAWN = """
## Boxes that a detector learned

```sh
python benchmarks/detection_small.py --sets bccd --epochs 12 --batch 4 --json bccd.json
python benchmarks/detection_small.py --sets raccoon --size 256 --epochs 12 --batch 4 \\
    --json raccoon.json
```

Blood cells (BCCD) and raccoons: a few hundred pictures, a fifth of them for the test, copies kept
together. FCOS on MobileNetV2 with ImageNet weights, one thread of a processor. Average precision by
pycocotools.

| data | trained on | judged | side in pixels | minutes | AP | AP50 | AP75 | AP50 wanted |
|---|---:|---:|---:|---:|---:|---:|---:|---:|
"""

EXTRACTED = """
```sh
python benchmarks/detection_extracted.py --json docs/benchmarks/detection_extracted.json
```

No box drawn: `fruit_boxes`, a detector trained on the boxes that `garim extract` found from the
folder labels, beside one trained on the true boxes of the same {pictures} pictures, with the same
settings ({size} px, {epochs} epochs); judged on the true boxes of {judged} test pictures. Wanted:
{wanted_share:g} of the true boxes' AP50.
The boxes are counted with those of the tenth that is held out.

| trained on | boxes | AP | AP50 | share of AP50 | AP75 |
|---|---:|---:|---:|---:|---:|
"""


def section(found: Figures) -> str:
    """Give the section; each table is left out until it has been measured."""
    text = ""
    if drawn := found.get("detection_small"):
        text += DRAWN + "".join(_drawn(*each) for each in drawn.items())
    if extracted := found.get("detection_extracted"):
        text += _extracted(extracted)
    return text


def _drawn(name: str, found: dict[str, Any]) -> str:
    counts = (found["trained_on"], found["pictures"], found["settings"]["size"])
    minutes = f"{found['seconds'] / 60:.0f}"
    figures = (found[figure] for figure in ("ap", "ap50", "ap75", "wanted_ap50"))
    return row(name, *map(str, counts), minutes, *figures)


def _extracted(found: dict[str, Any]) -> str:
    boxes, shares = found["boxes"], found["share_of_ap50"]
    any_row = next(iter(boxes.values()))
    text = EXTRACTED.format(
        **found["settings"],
        **found,
        judged=any_row["pictures"],
        pictures=any_row["trained_on"]["pictures"],
    )
    for name, r in boxes.items():
        count = str(r["trained_on"]["boxes"])
        text += row(name, count, r["ap"], r["ap50"], shares[name], r["ap75"])
    return text
