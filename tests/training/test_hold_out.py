"""Augmented copies and crops stay with their source when pictures are held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from garim.dataset import Dataset
from garim.formats.rows import Row
from garim.training.data import collect, hold_out


def test_copies_never_lie_on_both_sides(tmp_path: Path) -> None:
    rng, rows = np.random.default_rng(0), []
    for label in ("a", "b"):
        for number in range(12):
            name = f"{label}/{number}.png"
            (tmp_path / label).mkdir(exist_ok=True)
            noise = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / name)
            source = f"{label}/{number - number % 4}.png"
            rows.append(Row(file_name=name, label=label, source=source, edits=("augment",)))
    data = Dataset(root=tmp_path, rows=tuple(rows), classes=("a", "b"), origin=tmp_path)
    examples, _ = collect(data, data.classes)
    held = hold_out(examples, 0.4, seed=0)
    assert held.any() and not held.all()
    sources = np.array([row.source for row in rows])
    assert not set(sources[held]) & set(sources[~held])
