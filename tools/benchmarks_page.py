"""Write docs/benchmarks.md from the figures that the benchmarks left as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
(`self`) is better than both everywhere, and on mixed pictures better even than the best of the
document's own windows, the oracle, which no method can know. The constants of `self` were chosen on
these pictures of fruit, though not on those of the street.
"""


SPEED_HEAD = """
## How fast the boxes are

```sh
python benchmarks/extraction_speed.py --networks mobilenetv2 --keras PYTHON --slow 2 \\
    --throughput 3000 --json docs/benchmarks/extraction_speed.json
```

Seconds per picture, all in one run on one machine ({processor}; {threads} threads). The document's
procedure looks at a picture and 70 crops in each of three rounds: (a) with one call of the network
per crop, (b) with its crops in batches. `self` is Garim's default, once its network is compiled.
MobileNetV2 sees 224 px, and the localizer twice as much; `--networks vgg16` times that at 150 px,
with random weights. The last columns are milliseconds of each part by itself; decoding runs beside
the network, in threads.

| network | what | s | × Keras (a) | × (a) | × (b) | ready in s | decode | resize | network |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|
"""


def speed() -> str:
    """Give the section on speed; empty until it has been measured."""
    if not (FIGURES / "extraction_speed.json").exists():
        return ""
    found = json.loads((FIGURES / "extraction_speed.json").read_text())
    rows = [row for row in found["rows"] if "pictures" not in row]
    long = [row for row in found["rows"] if "pictures" in row]
    text = SPEED_HEAD.format(**found["machine"]) + "".join(map(_speed_line, rows))
    for row in long:
        text += (
            f"\n{row['pictures']:,} pictures in one run: {row['per_second']:.0f} a second, "
            f"{row['failed']} failed. Memory of the process at each tenth of the way, in MiB: "
            f"{', '.join(str(v) for v in row['memory_mib'])}.\n"
        )
    return text


def _speed_line(row: dict[str, Any]) -> str:
    times = row.get("times", {})
    names = ("(a) Keras, a call per crop", "(a) PyTorch, a call per crop",
             "(b) PyTorch, crops in batches")  # fmt: skip
    cells = [row["network"], row["what"], f"{row['seconds']:.4f}"]
    cells += [f"{times[name]:.0f}" if name in times else "" for name in names]
    cells.append(f"{row['ready']:.1f}" if "ready" in row else "")
    parts = [row.get(f"{part}_alone") for part in ("decode", "resize", "network")]
    cells += ["" if part is None else f"{1000 * part:.1f}" for part in parts]
    return f"| {' | '.join(cells)} |\n"


BENEFIT_HEAD = """
## Does training on the crops help?

```sh
python benchmarks/extraction_benefit.py --json docs/benchmarks/extraction_benefit.json
```

The same network, settings and number of steps, trained on the originals, on the crops that `self`
found in them, or on both; test accuracy on the same untouched, uncropped pictures, means of
{seeds} seeds, and the 95 % interval of the difference from training on the originals.

| data | trained on | accuracy | difference | 95 % interval |
|---|---|---:|---:|---:|
"""

BENEFIT_TAIL = """
`clothing5` shows one garment per picture, with a frozen MobileNetV2; the demo's pictures hold
several creatures, some wrong labels, and train a small network from scratch.
"""


def benefit() -> str:
    """Give the section on training with crops; empty until it has been measured."""
    path = FIGURES / "extraction_benefit.json"
    if not path.exists():
        return ""
    rows = json.loads(path.read_text())
    text = BENEFIT_HEAD.format(seeds=rows[0]["seeds"])
    for r in rows:
        low, high = r["interval"]
        apart = f"{r['gain']:+.4f} | {low:+.4f} to {high:+.4f}" if r["gain"] or low else " | "
        text += f"| {r['data']} | {r['trained on']} | {r['accuracy']:.4f} | {apart} |\n"
    return text + BENEFIT_TAIL


AUDIT_LABELS = """
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

AUDIT_COPIES = """
## Copies

```sh
python benchmarks/audit_duplicates.py --peers --json docs/benchmarks/audit_duplicates.json
```

Copies of {each} pictures of each kind, planted beside all originals. Recall by kind; a pair is
wrong when its pictures do not come from one original.

"""

SPEED = """
Pictures per second on two cores, JPEGs with the texture of photos. *Bare* opens them at the same
reduced scale and does nothing else; *look* is all that the audit measures on a picture; *audit* is
the whole, copies included.

| size | bare | look | audit | cleanvision |
|---|---:|---:|---:|---:|
"""


def audit() -> str:
    """Give the sections of the audit."""
    labels = json.loads((FIGURES / "audit_labels.json").read_text())
    copies = json.loads((FIGURES / "audit_duplicates.json").read_text())
    figures = ("f1", "best_filter_same_f1", "best_filter_first_f1", "argmax_first_f1",
               "estimated_precision", "precision")  # fmt: skip
    parts = [AUDIT_LABELS]
    parts += [
        _row(r["kind"], f"{r['rate']:.0%}", *(r[f] for f in figures)) for r in labels["found"]
    ]
    parts.append(RETRAINED)
    names = ("wrong", "excluded", "relabelled", "right")
    parts += [_row(r["kind"], *(r[name] for name in names)) for r in labels["retrained"]]
    kinds = list(copies["found"][0]["recall"])
    parts.append(AUDIT_COPIES.format(each=copies["each"]))
    parts.append(_row("data", "tool", "precision", *kinds, "seconds"))
    parts.append("|---|---|" + "---:|" * (len(kinds) + 2) + "\n")
    parts += [
        _row(r["data"], r["tool"], r["precision"], *(f"{v:.2f}" for v in r["recall"].values()),
             f"{r['seconds']:.1f}")
        for r in copies["found"]
    ]  # fmt: skip
    parts.append(SPEED)
    rates = ("bare_decoding", "garim_look", "garim_audit", "cleanvision")
    parts += [_row(r["size"], *(f"{r[name]:,.0f}" if name in r else "–" for name in rates))
              for r in copies["speed"]]  # fmt: skip
    return "".join(parts)


def _row(*cells: str | float) -> str:
    texts = (f"{cell:.3f}" if isinstance(cell, float) else cell for cell in cells)
    return "| " + " | ".join(texts) + " |\n"


def main() -> None:
    """Write the page."""
    rows = json.loads((FIGURES / "extraction_quality.json").read_text())
    lines = [
        f"| {r['method']} | {r['part']} | {r['boxes']} | "
        + " | ".join(f"{v:.3f}" for v in (*r["corloc"].values(), r["purity"], r["coverage"]))
        + " |\n"
        for r in rows
    ]
    (ROOT / "docs" / "benchmarks.md").write_text(
        HEAD + "".join(lines) + TAIL + benefit() + speed() + audit()
    )


if __name__ == "__main__":
    main()
