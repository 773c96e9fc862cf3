"""How well do boxes show the labelled object? Compared with boxes drawn by people.

For one picture and label, with *own* the true boxes of that label and *other* those of all other
labels in the picture:

- **CorLoc** (Deselaers, Alexe, Ferrari 2010): the share of pictures whose box has IoU of at least
  a threshold with one of the own boxes.
- **purity**: of the annotated area inside the box, the share that is own (an overlap of own and
  other counts as own). 0 when the box holds nothing annotated.
- **coverage**: the share of the best-matching own box (highest IoU, then most area covered) that
  lies inside the box.

A picture without a proposed box counts as wrong (CorLoc, coverage 0) and is left out of purity.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from garim.boxes import Box, areas, covered, intersections, iou, to_array
from garim.formats.rows import Object

THRESHOLDS = (0.3, 0.5, 0.7)
"""IoU thresholds of CorLoc."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """One judged box."""

    picture: str
    label: str
    box: Box | None
    iou: float
    """Highest IoU with a true box of the label, 0 to 1."""
    purity: float | None
    coverage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalizationReport:
    """How well boxes show the labelled objects."""

    located: tuple[Located, ...]
    skipped: tuple[str, ...] = ()
    """Pictures that the truth has no box of this label for; not judged."""

    @property
    def boxes(self) -> int:
        """Judged pairs of picture and label."""
        return len(self.located)

    def corloc(self, threshold: float = 0.5) -> float:
        """Share of boxes with IoU of at least the threshold, 0 to 1."""
        return _mean([float(one.iou >= threshold) for one in self.located])

    @property
    def purity(self) -> float:
        """Mean purity of the boxes, 0 to 1."""
        return _mean([one.purity for one in self.located if one.purity is not None])

    @property
    def coverage(self) -> float:
        """Mean coverage, 0 to 1."""
        return _mean([one.coverage for one in self.located])

    @property
    def mean_iou(self) -> float:
        """Mean IoU with the best-matching true box, 0 to 1."""
        return _mean([one.iou for one in self.located])

    def only(self, labels: Iterable[str]) -> LocalizationReport:
        """Keep the boxes of some labels."""
        wanted = set(labels)
        return LocalizationReport(located=tuple(o for o in self.located if o.label in wanted))

    def figures(self) -> dict[str, Any]:
        """Give the figures of all boxes together."""
        return {
            "boxes": self.boxes,
            "corloc": {str(t): round(self.corloc(t), 4) for t in THRESHOLDS},
            "purity": round(self.purity, 4),
            "coverage": round(self.coverage, 4),
            "mean_iou": round(self.mean_iou, 4),
        }

    def to_dict(self) -> dict[str, Any]:
        """Give the report as it stands in ``--json``."""
        labels = sorted({one.label for one in self.located})
        per_class = {label: self.only([label]).figures() for label in labels}
        return {**self.figures(), "per_class": per_class, "skipped": list(self.skipped)}


def locate(picture: str, label: str, box: Box | None, truth: Sequence[Object]) -> Located | None:
    """Judge one box against the true boxes of a picture.

    Returns:
        None when the truth has no box with area of this label.
    """
    solid = [o for o in truth if not o.box.is_degenerate]
    own = [o.box for o in solid if o.label == label]
    if not own:
        return None
    if box is None or box.is_degenerate:
        return Located(picture=picture, label=label, box=box, iou=0.0, purity=None, coverage=0.0)
    overlap, shared = (
        iou(to_array([box]), to_array(own))[0],
        intersections(to_array([box]), to_array(own))[0],
    )
    best = max(range(len(own)), key=lambda i: (overlap[i], shared[i]))
    inside = float(shared[best] / areas(to_array(own))[best])
    return Located(
        picture=picture, label=label, box=box, iou=float(overlap[best]),
        purity=_purity(box, own, [o.box for o in solid if o.label != label]), coverage=inside,
    )  # fmt: skip


def _purity(box: Box, own: Sequence[Box], other: Sequence[Box]) -> float:
    own_area, other_area = covered(_inside(box, own), _inside(box, other))
    total = own_area + other_area
    return own_area / total if total else 0.0


def _inside(box: Box, others: Sequence[Box]) -> list[Box]:
    return [
        Box(
            min(max(o.left, box.left), box.right),
            min(max(o.top, box.top), box.bottom),
            max(min(o.right, box.right), box.left),
            max(min(o.bottom, box.bottom), box.top),
        )
        for o in others
    ]


def localization_report(
    proposed: Iterable[tuple[str, str, Box | None]], truth: Iterable[tuple[str, Object]]
) -> LocalizationReport:
    """Judge proposed boxes.

    Args:
        proposed: picture, label and box; None where there is no box.
        truth: picture and labelled box, one for each true box.
    """
    known: dict[str, list[Object]] = defaultdict(list)
    for picture, true_object in truth:
        known[picture].append(true_object)
    located, skipped = [], []
    for picture, label, box in proposed:
        judged = locate(picture, label, box, known[picture])
        if judged is None:
            skipped.append(picture)
        else:
            located.append(judged)
    return LocalizationReport(located=tuple(located), skipped=tuple(skipped))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0
