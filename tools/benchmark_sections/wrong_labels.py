"""How well wrong labels are found."""

from __future__ import annotations

from benchmark_sections.tables import Figures, row

FOUND = """
## Wrong labels

```sh
python benchmarks/audit_labels.py --json docs/benchmarks/audit_labels.json
```

`clothing5`, all 1,473 pictures, labels changed at random to any other class (*uniform*) or to the
next one (*pairwise*); means of five seeds. F1 of the marked labels, beside the best of cleanlab's
six filters on the same last probabilities, on the first ones (nothing was taken out yet), and the
argmax baseline on the first ones. Then the precision that the audit estimates, and the true one.

| noise | rate | F1 | best filter, same | best filter, first | argmax | estimated | true |
|---|---:|---:|---:|---:|---:|---:|---:|
"""

RETRAINED = """
The same features, a classifier trained on `train` and `validation` with 20 % wrong labels, judged
on the clean `test`; accuracy, means of five seeds.

| noise | wrong labels | marked ones left out | relabelled | right labels |
|---|---:|---:|---:|---:|
"""

FIGURES = (
    "f1",
    "best_filter_same_f1",
    "best_filter_first_f1",
    "argmax_first_f1",
    "estimated_precision",
    "precision",
)
CLASSIFIERS = ("wrong", "excluded", "relabelled", "right")


def section(found: Figures) -> str:
    """Give the section; it must have been measured."""
    labels = found["audit_labels"]
    text = FOUND
    for r in labels["found"]:
        text += row(r["kind"], f"{r['rate']:.0%}", *(r[name] for name in FIGURES))
    text += RETRAINED
    for r in labels["retrained"]:
        text += row(r["kind"], *(r[name] for name in CLASSIFIERS))
    return text
