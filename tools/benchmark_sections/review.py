"""The review page of a large plan."""

from __future__ import annotations

from benchmark_sections.tables import Figures, row

HEAD = """
## The review page of a large plan

```sh
python benchmarks/review_scale.py --json docs/benchmarks/review_scale.json
```

`garim review` on plans of drawn pictures, in Chromium on the same machine (two cores, which other
work shared). *Start* is processor seconds until the command prints its address; *open*, the median
of seven times, ends when the first card can be accepted. *Frames* are those of 180 jumps of three
rows; *filter* narrows the cards to half, *accept* decides all of these at once. Memory is the most
that the server held; the first row's is that of the libraries, nearly all. [Review](review.md).

| edits | start s | open s | frame ms: median | 95 of 100 | longest | filter s | accept s | MiB |
|---:|---:|---:|---:|---:|---:|---:|---:|---:|
"""

SECONDS, FRAMES = ("start_processor_s", "page_open_s"), ("median", "p95", "worst")


def section(found: Figures) -> str:
    """Give the section; empty until it has been measured."""
    if "review_scale" not in found:
        return ""
    return HEAD + "".join(
        row(f"{one['edits']:,}", *(f"{one[name]:.2f}" for name in SECONDS),
            *(f"{one[f'frame_{name}_ms']:.0f}" for name in FRAMES),
            f"{one['filter_s']:.2f}", f"{one['accept_half_s']:.2f}", f"{one['memory_mib']:.0f}")
        for one in found["review_scale"]
    )  # fmt: skip
