"""Commands that were killed and run again."""

from __future__ import annotations

from benchmark_sections.tables import Figures, row

HEAD = """
## Killed and run again

```sh
python benchmarks/faults.py --json docs/benchmarks/faults.json
```

Each command works on a small drawn dataset, is killed (`kill -9`) at random moments of its work,
and is run again. *Lost* counts originals that are not there, byte for byte, afterwards (for `apply
--in-place` and `undo`: nor to be had back by an undo); *as if never killed* counts results that are
those of an uninterrupted run. [What is promised](trust.md).

| command | kills | originals lost | as if never killed |
|---|---:|---:|---:|
"""


def section(found: Figures) -> str:
    """Give the section; empty until it has been measured."""
    if "faults" not in found:
        return ""
    names = ("kills", "lost", "equal")
    return HEAD + "".join(
        row(f"`{r['verb']}`", *(str(r[name]) for name in names)) for r in found["faults"]
    )
