"""Write docs/benchmarks.md from the figures that the benchmarks left as JSON."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "docs" / "benchmarks"

HEAD = """# Benchmarks

Every table comes from one script in `benchmarks/`; the command above it makes it again. The
pictures are public and not part of this repository: the scripts look for them where
`GARIM_BENCH_DATA` points. This page is written by `tools/benchmarks_page.py`.

## How well the boxes fit

```sh
python benchmarks/extraction_quality.py --json docs/benchmarks/extraction_quality.json
```

`fruit_boxes`: a classifier (MobileNetV2, ImageNet weights, frozen, a linear head) is trained on the
folder labels of `train/`, and looks for each label in the test pictures of one fruit (*single*) and
in the pictures that hold several (*mixed*), which it has not been trained on, once per label.
CorLoc is the share of boxes with at least that IoU. [What the figures mean](evaluate.md).

| method | pictures | n | CorLoc .3 | CorLoc .5 | CorLoc .7 | purity | coverage |
|---|---|---:|---:|---:|---:|---:|---:|
"""

TAIL = """
What it shows: the sliding windows drift to the most telling part of the object, and each round
takes them further, as purity rises and coverage falls; on pictures of one fruit they are worse than
the middle of the picture. The default (`self`) fits about as well as the middle on single pictures,
where many hold several touching fruits that the truth counts one by one, and far better on mixed
ones. The oracle takes the window with the highest IoU, which no method can know.
"""


def main() -> None:
    """Write the page."""
    rows = json.loads((FIGURES / "extraction_quality.json").read_text())
    lines = [
        f"| {r['method']} | {r['part']} | {r['boxes']} | "
        + " | ".join(f"{v:.3f}" for v in (*r["corloc"].values(), r["purity"], r["coverage"]))
        + " |\n"
        for r in rows
    ]
    (ROOT / "docs" / "benchmarks.md").write_text(HEAD + "".join(lines) + TAIL)


if __name__ == "__main__":
    main()
