"""Whether it grows with the pictures."""

from __future__ import annotations

from typing import Any

from benchmark_sections.tables import Figures, row

HEAD = """
## Ten times as many pictures

```sh
python benchmarks/scale.py --json docs/benchmarks/scale.json
```

Small drawn JPEGs (160 × 120), the audit without a network and `extract` with a tiny one, each in a
fresh process. *Memory* is the most that the leading process held; that of 100 pictures is what the
libraries take. *Processor* is the time of all processes per picture, which other work on the
machine changes little; the clock's it does change. *again* is a run that was interrupted when a
tenth of its shards was left.

| verb | pictures | workers | pictures a second | processor, ms a picture | memory, MiB |
|---|---:|---:|---:|---:|---:|
"""

NAMES = {
    "memory": "memory",
    "seconds_per_picture": "seconds a picture",
    "processor_seconds_per_picture": "processor seconds a picture",
}


def section(found: Figures) -> str:
    """Give the section; empty until it has been measured."""
    if "scale" not in found:
        return ""
    scale = found["scale"]
    text = HEAD + "".join(map(_line, scale["rows"]))
    many = max(each["pictures"] for each in scale["rows"])
    text += f"\nFrom {many // 10:,} to {many:,} pictures:\n"
    for verb, ratios in scale["ratios"].items():
        told = (f"{NAMES[name]} × {value:.2f}" for name, value in ratios.items())
        text += f"\n- `{verb}`: {', '.join(told)}"
    return text + "\n"


def _line(found: dict[str, Any]) -> str:
    own = found["workers"] == 1  # the time of other processes is not all counted
    return row(
        f"`{found['verb']}`",
        f"{found['pictures']:,}",
        str(found["workers"]),
        f"{found['per_second']:,.0f}",
        f"{found['processor_ms_per_picture']:.2f}" if own else "",
        f"{found['memory_mib']:,.0f}",
    )
