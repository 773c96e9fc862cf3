"""Readers that were fed with broken files."""

from __future__ import annotations

from typing import Any

from benchmark_sections.tables import Figures, row

HEAD = """
## Broken files, read

```sh
python benchmarks/fuzz_readers.py --cases 100000 --json docs/benchmarks/fuzz_readers.json
```

Readers of strangers' files are given valid ones that were changed a little, in their structure
or in their bytes ({engine}). *Refused* ended in one of Garim's own errors, the others were read; a
failure would be any other error, over 5 seconds, over 4 GiB, or a file outside the folder.

| reader | cases | refused | failures | slowest, s | memory, MiB |
|---|---:|---:|---:|---:|---:|
"""


def section(found: Figures) -> str:
    """Give the section; empty until it has been measured."""
    if "fuzz_readers" not in found:
        return ""
    fuzzed = found["fuzz_readers"]
    return HEAD.format(engine=fuzzed["engine"]) + "".join(map(_line, fuzzed["rows"]))


def _line(r: dict[str, Any]) -> str:
    counts = (f"{r['cases']:,}", f"{r['refused']:,}", str(r["failed"]))
    return row(r["reader"], *counts, f"{r['slowest']:.2f}", f"{r['memory_mib']:,.0f}")
