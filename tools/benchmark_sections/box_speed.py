"""How fast the boxes are."""

from __future__ import annotations

from typing import Any

from benchmark_sections.tables import Figures, row

HEAD = """
## How fast the boxes are

```sh
python benchmarks/extraction_speed.py --keras PYTHON --throughput 10000 \\
    --json docs/benchmarks/extraction_speed.json
```

Seconds per picture, all in one run on one machine ({processor}; {threads} threads). The document's
procedure looks at a picture and 70 crops in each of three rounds: (a) with one call of the network
per crop, (b) with its crops in batches. `self` is Garim's default, once its network is compiled.
MobileNetV2 sees 224 px, VGG16 (with random weights) 150 px, and the localizer twice as much. The
last columns are milliseconds of each part by itself; decoding and resizing run beside the network,
in threads.

| network | what | s | × Keras (a) | × (a) | × (b) | ready in s | decode | resize | network |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|
"""

LONG = """
{pictures:,} pictures in one run: {per_second:.0f} a second, {failed} failed. Memory of the \
process at each tenth of the way, in MiB: {memory}.
"""

RIVALS = (
    "(a) Keras, a call per crop",
    "(a) PyTorch, a call per crop",
    "(b) PyTorch, crops in batches",
)


def section(found: Figures) -> str:
    """Give the section; empty until it has been measured."""
    if "extraction_speed" not in found:
        return ""
    speed = found["extraction_speed"]
    timed = (each for each in speed["rows"] if "pictures" not in each)
    text = HEAD.format(**speed["machine"]) + "".join(map(_line, timed))
    for each in speed["rows"]:
        if "pictures" in each:
            text += LONG.format(**each, memory=", ".join(map(str, each["memory_mib"])))
    return text


def _line(found: dict[str, Any]) -> str:
    times = found.get("times", {})
    parts = [found.get(f"{part}_alone") for part in ("decode", "resize", "network")]
    return row(
        found["network"],
        found["what"],
        f"{found['seconds']:.4f}",
        *(f"{times[name]:.0f}" if name in times else "" for name in RIVALS),
        f"{found['ready']:.1f}" if "ready" in found else "",
        *("" if part is None else f"{1000 * part:.1f}" for part in parts),
    )
