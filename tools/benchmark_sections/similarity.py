"""Outlines, pictures that are alike, and search in many of them."""

from __future__ import annotations

from typing import Any

from benchmark_sections.tables import Figures, row

SHAPES_HEAD = """
## Outlines

```sh
python benchmarks/similarity_shapes.py --json docs/benchmarks/similarity_shapes.json
```

`mpeg7`: 1,400 silhouettes of 70 kinds. *Bullseye* is the share of a kind among the 40 most alike.
In the other columns one silhouette of each kind is changed as if it were seen from elsewhere (a
plane turned, tilted away, a part cut off), and has to find itself: the share that come first.

| method | bullseye | {changes} |
|---|---:|{lines}
"""

SHAPES_TAIL = """
Some silhouettes of a kind are nearly the same, so that even a mere turn does not always come first.
What a turn does to the picture, the embeddings notice and the outlines do not; tilted by 30°, an
outline is lost to its Hu moments.
"""

RETRIEVAL_HEAD = """
## Photos that show the same kind of thing

```sh
python benchmarks/similarity_retrieval.py --json docs/benchmarks/similarity_retrieval.json
```

`clothing5`, the 189 pictures of the test split, five kinds of garments: each picture asks for the
others. What is learned is learned on the rest of the data. mAP, precision of the ten nearest, and
the share of queries whose nearest is of their kind.

| method | mAP | P@10 | nearest right |
|---|---:|---:|---:|
"""

RETRIEVAL_TAIL = """
Hu moments are little better than the colours. Height functions find a right neighbour for most,
but not the rest of its kind; embeddings of the same photos do, and a projection learned from labels
does it best. Where one garment fills the picture, as here, cutting it out changes nothing.
Whitening makes the ranking worse here.
"""

SCALE = """
## Search in many vectors

```sh
python benchmarks/search_scale.py --vectors {vectors} --json docs/benchmarks/search_scale.json
```

{vectors:,} clustered vectors of {components} components, {threads} threads of a busy machine: the
graph built in {build_seconds:.0f} s; at most {peak_memory_mib:,} MiB of memory, {disk_mib:,} MiB on
the disk. One query at a time: {query_p50_ms:.1f} ms (median), {query_p95_ms:.1f} ms (95 %), at a
recall of {recall_at_10:.3f} of the ten nearest; the config promised {recall_noted:.3f}. Comparing
with all takes {exact_p50_ms:.1f} ms.
"""


def section(found: Figures) -> str:
    """Give the sections on similarity; each is empty until it has been measured."""
    text = ""
    if shapes := found.get("similarity_shapes"):
        text += _shapes(shapes)
    if retrieval := found.get("similarity_retrieval"):
        names = ("map", "precision_at_10", "nearest")
        lines = (row(r["method"], *(r[name] for name in names)) for r in retrieval)
        text += RETRIEVAL_HEAD + "".join(lines) + RETRIEVAL_TAIL
    if scale := found.get("search_scale"):
        text += SCALE.format(**scale)
    return text


def _shapes(found: dict[str, Any]) -> str:
    first = found["found_first"]
    lines = (
        row(name, share, *(shares[name] for shares in first.values()))
        for name, share in found["bullseye"].items()
    )
    head = SHAPES_HEAD.format(changes=" | ".join(first), lines="---:|" * len(first))
    return head + "".join(lines) + SHAPES_TAIL
