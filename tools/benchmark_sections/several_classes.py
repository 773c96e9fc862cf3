"""How well pictures of several classes are found."""

from __future__ import annotations

from benchmark_sections.tables import Figures, row

HEAD = """
## Pictures of several classes

```sh
python benchmarks/audit_several_classes.py --json docs/benchmarks/audit_several_classes.json
```

`fruit_boxes`: the mixed pictures are labelled with one of their fruits, as if they lay in its
folder; the boxes say which pictures show several. The check `several_classes` of a classifier that
was trained on `train/`.

| pictures | rows | show several | marked | precision | recall | average precision |
|---|---:|---:|---:|---:|---:|---:|
"""


def section(found: Figures) -> str:
    """Give the section; empty until it has been measured."""
    if "audit_several_classes" not in found:
        return ""
    counts, figures = ("rows", "several", "marked"), ("precision", "recall", "average_precision")
    return HEAD + "".join(
        row(r["pictures"], *(str(r[name]) for name in counts), *(r[name] for name in figures))
        for r in found["audit_several_classes"]
    )
