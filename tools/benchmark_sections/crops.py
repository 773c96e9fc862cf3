"""Whether training on the crops helps."""

from __future__ import annotations

from typing import Any

from benchmark_sections.tables import Figures, row

HEAD = """
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

TAIL = """
`clothing5` shows one garment per picture, with a frozen MobileNetV2; the demo's pictures hold
several creatures, some wrong labels, and train a small network from scratch.
"""


def section(found: Figures) -> str:
    """Give the section; empty until it has been measured."""
    if "extraction_benefit" not in found:
        return ""
    rows = found["extraction_benefit"]
    return HEAD.format(seeds=rows[0]["seeds"]) + "".join(map(_line, rows)) + TAIL


def _line(found: dict[str, Any]) -> str:
    low, high = found["interval"]
    apart = ("", "")
    if found["gain"] or low:
        apart = f"{found['gain']:+.4f}", f"{low:+.4f} to {high:+.4f}"
    return row(found["data"], found["trained on"], f"{found['accuracy']:.4f}", *apart)
