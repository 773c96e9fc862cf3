"""Pictures with a planted problem, and clean ones beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

import garim
from garim.audit import Audit, AuditSettings
from garim.dataset import Dataset


def photo(seed: int, size: tuple[int, int] = (240, 180)) -> Image.Image:
    """Draw something with colours, edges and texture, another for each seed."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 200, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _ in range(6):
        x, y, side = (int(v) for v in rng.integers(5, 150, 3))
        shape = pen.rectangle if rng.random() < 0.5 else pen.ellipse
        shape([x, y, x + side, y + side], tuple(int(v) for v in rng.integers(0, 256, 3)))
    grain = rng.normal(0, 6, (size[1], size[0], 1))
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def clean(root: Path, count: int = 12, label: str = "thing") -> Path:
    """Save sound pictures of one class."""
    for seed in range(count):
        save(photo(seed), root / label / f"{seed:02}.png")
    return root


def save(image: Image.Image, path: Path, **options: Any) -> Path:
    """Save a picture in a folder that may be new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def audited(data: Path | Dataset, **settings: Any) -> Audit:
    """Audit a folder."""
    dataset = data if isinstance(data, Dataset) else garim.read(data)
    return garim.audit(dataset, AuditSettings(**settings))


def found(audit: Audit, check: str) -> set[str]:
    """Give the names of the pictures that a check marks."""
    marked = audit.pictures.filter(audit.pictures[f"is_{check}_issue"])
    return set(marked["file_name"])


def proposed(audit: Audit) -> Mapping[str, tuple[str, str | None]]:
    """Give what is proposed for each picture: the edit, and what to."""
    return {edit.picture: (edit.edit, edit.to) for edit in audit.plan}
