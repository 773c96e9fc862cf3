"""How fast a large index is built and asked, how much memory it takes, and how much it finds.

    python benchmarks/search_scale.py [--vectors 1000000] [--components 128] [--json FILE]

Draws clustered vectors: 5,000 cluster centres; around each its pictures differ in 24 directions
that all clusters share, and by a little noise in all. Queries are new vectors of the same kind.
They are asked one by one, as `garim search query` does; recall is against comparing with all.
Nothing is read from ``--data``; no network runs.
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from garim.similarity.index import SCHEMA
from garim.similarity.store import Store, StoreConfig, recall_of
from garim.streaming import default_workers, showing_progress
from harness import leave, parsed, parser

CLUSTERS, DIRECTIONS, SPREAD, NOISE = 5_000, 24, 0.6, 0.1
ASKED, AT_ONCE = 300, 50_000


class Drawn:
    """Clustered vectors of length 1."""

    def __init__(self, components: int) -> None:
        rng = np.random.default_rng(0)
        self.centres = rng.normal(size=(CLUSTERS, components)).astype(np.float32)
        self.basis = rng.normal(size=(DIRECTIONS, components)).astype(np.float32)
        self.basis *= SPREAD / DIRECTIONS**0.5

    def some(self, count: int, seed: int) -> np.ndarray:
        """Draw vectors, float32 of shape ``(count, components)``."""
        rng = np.random.default_rng([1, seed])
        inner = rng.normal(size=(count, DIRECTIONS)).astype(np.float32) @ self.basis * 2
        noise = rng.normal(size=(count, self.centres.shape[1])).astype(np.float32)
        found = self.centres[rng.integers(CLUSTERS, size=count)] + inner + NOISE * noise
        return found / np.linalg.norm(found, axis=1, keepdims=True)


def main() -> None:
    """Build, ask, print."""
    command_line = parser(__doc__)
    command_line.add_argument("--vectors", type=int, default=1_000_000)
    command_line.add_argument("--components", type=int, default=128)
    options = parsed(command_line)
    with tempfile.TemporaryDirectory() as folder, showing_progress():
        row = _measured(Path(folder) / "index", options.vectors, options.components)
    for name, value in row.items():
        print(f"{name:24} {value}")
    leave(options.json, row)


def _measured(folder: Path, count: int, components: int) -> dict[str, float]:
    drawn, started = Drawn(components), time.perf_counter()
    store = Store.create(folder, StoreConfig(components=components))
    for start in range(0, count, AT_ONCE):
        vectors = drawn.some(min(AT_ONCE, count - start), start)
        store.append(vectors, _rows(start, len(vectors)))
    written = time.perf_counter()
    store.finish()
    built = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    asked = Store(folder)
    card = asked.config.graph
    queries = drawn.some(ASKED, -count % 2**31)
    exact, exact_times = _asked(queries[:50], lambda one: asked.exact(one, 10)[0])
    true, _ = asked.exact(queries, 10)
    found, times = _asked(queries, lambda one: asked.nearest(one, 10)[0])
    assert (exact == true[:50]).mean() > 0.99
    return {
        "vectors": count,
        "components": components,
        "threads": default_workers(),
        "write_seconds": round(written - started, 1),
        "build_seconds": round(built - written, 1),
        "peak_memory_mib": round(peak),
        "disk_mib": round(sum(f.stat().st_size for f in folder.iterdir()) / 2**20),
        "expansion": card.expansion if card else 0,
        "recall_noted": card.recall if card else 1.0,
        "recall_at_10": round(recall_of(found, true), 4),
        "query_p50_ms": round(float(np.quantile(times, 0.5)) * 1000, 3),
        "query_p95_ms": round(float(np.quantile(times, 0.95)) * 1000, 3),
        "exact_p50_ms": round(float(np.quantile(exact_times, 0.5)) * 1000, 3),
    }


def _asked(queries: np.ndarray, ask) -> tuple[np.ndarray, list[float]]:
    ask(queries[:1])
    found, times = [], []
    for one in queries:
        started = time.perf_counter()
        found.append(ask(one[None])[0])
        times.append(time.perf_counter() - started)
    return np.stack(found), times


def _rows(start: int, count: int) -> pl.DataFrame:
    return pl.DataFrame({
        "picture": [f"{n:08}.jpg" for n in range(start, start + count)],
        "root": ["/pictures"] * count, "label": [None] * count, "split": [None] * count,
        "box": [None] * count, "digest": [f"{n:032x}" for n in range(start, start + count)],
    }, schema=SCHEMA)  # fmt: skip


if __name__ == "__main__":
    main()
