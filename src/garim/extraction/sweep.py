"""Which grid and kernel? The sliding methods under several, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from garim.dataset import Dataset
from garim.errors import SettingsError
from garim.evaluation import LocalizationReport, evaluate
from garim.extraction.extract import extract
from garim.extraction.settings import ExtractSettings
from garim.models.classifier import Classifier

PAIRS = ((5, 3), (7, 3), (7, 5), (9, 3), (9, 5), (9, 7))
"""Grids N and kernels K that are tried unless others are given; all odd, as in the document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one grid and kernel gave."""

    grid: int
    kernel: int
    proposed: int
    no_box: int
    score: float
    """Mean score of the label on what was chosen, 0 to 1."""
    area: float
    """Mean share of the picture that the crops keep, 0 to 1."""
    seconds: float
    boxes: LocalizationReport | None = None
    """Against true boxes, where there are any."""

    def to_dict(self) -> dict[str, Any]:
        """Give the row as it stands in ``--json``."""
        figures = self.boxes.figures() if self.boxes else {}
        return {
            "grid": self.grid,
            "kernel": self.kernel,
            "proposed": self.proposed,
            "no_box": self.no_box,
            "score": round(self.score, 4),
            "area": round(self.area, 4),
            "seconds": round(self.seconds, 2),
            **{k: figures[k] for k in ("corloc", "purity", "coverage") if k in figures},
        }


def parse_pairs(texts: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Read pairs written as ``N:K``.

    >>> parse_pairs(["9:5", "7:3"])
    ((9, 5), (7, 3))

    Raises:
        SettingsError: a text of another form.
    """
    problems, pairs = [], []
    for text in texts:
        grid, _, kernel = text.partition(":")
        if grid.isdigit() and kernel.isdigit():
            pairs.append((int(grid), int(kernel)))
        else:
            problems.append(f"{text!r} is no grid and kernel; write them as N:K, such as 9:5")
    if problems:
        raise SettingsError(problems)
    return tuple(pairs)


def sweep(
    dataset: Dataset,
    classifier: Classifier,
    settings: ExtractSettings | None = None,
    pairs: Sequence[tuple[int, int]] = PAIRS,
    truth: Dataset | None = None,
) -> tuple[Swept, ...]:
    """Extract under several grids and kernels and compare; no plan is left.

    Args:
        dataset: pictures with labels.
        classifier: scores crops.
        settings: ``windows`` or ``document``, rounds; `windows` by default.
        pairs: grids N and kernels K.
        truth: dataset with boxes, to judge the chosen crops.
    """
    base = settings or ExtractSettings()
    if base.method in {None, "self"}:
        base = replace(base, method="windows")
    rows = []
    for grid, kernel in pairs:
        found = extract(dataset, classifier, replace(base, grid=grid, kernel=kernel))
        crops = [e for e in found.plan if e.edit == "crop" and e.box and e.size]
        areas = [e.box.area / (e.size[0] * e.size[1]) for e in crops if e.box and e.size]
        scores = [e.score_after for e in found.plan if e.score_after is not None]
        rows.append(Swept(
            grid=grid, kernel=kernel, proposed=len(crops), no_box=found.to_dict()["no_box"],
            score=float(np.mean(scores or [0.0])), area=float(np.mean(areas or [1.0])),
            seconds=found.seconds, boxes=evaluate(found.plan, truth) if truth else None,
        ))  # fmt: skip
    return tuple(rows)
