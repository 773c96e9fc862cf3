"""Whether it grows with the pictures."""

from __future__ import annotations

from typing import Any

from benchmark_sections.tables import Figures, row

HEAD = """
## Ten times as many pictures

```sh
OMP_NUM_THREADS=1 python benchmarks/scale.py --json docs/benchmarks/scale.json
```

Small drawn JPEGs (160 × 120), the audit without a network and `extract` with a tiny one, each in a
fresh process. *Memory* is the most that the leading process held; that of 100 pictures is what the
libraries take. *Processor* is the time of all processes per picture, which other work on the
machine changes little; the clock's it does change. *again* is a run that was interrupted when a
tenth of its shards was left. Numerical libraries had one thread (`OMP_NUM_THREADS=1`).

| verb | pictures | workers | processors | pictures a second | processor, ms | memory, MiB |
|---|---:|---:|---:|---:|---:|---:|
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
    return text + "\n" + _spread(scale["rows"])


def _spread(rows: list[dict[str, Any]]) -> str:
    """Say how much more several workers do than one, on as many processors."""
    rates = {(r["verb"], r["workers"]): r["per_second"] for r in rows
             if r["processors"] == r["workers"]}  # fmt: skip
    gains = [f"`{verb}` × {rate / rates[verb, 1]:.2f} with {count}"
             for (verb, count), rate in rates.items() if count > 1]  # fmt: skip
    told = ", ".join(gains)
    return (
        f"\nWorkers, each with a processor of its own, beside one: {told}.\n"
        "Their start takes five seconds; copies are found by the process that leads, alone.\n"
    )


def _line(found: dict[str, Any]) -> str:
    own = found["workers"] == 1  # the time of other processes is not all counted
    return row(
        f"`{found['verb']}`",
        f"{found['pictures']:,}",
        str(found["workers"]),
        str(found["processors"]),
        f"{found['per_second']:,.0f}",
        f"{found['processor_ms_per_picture']:.2f}" if own else "",
        f"{found['memory_mib']:,.0f}",
    )
