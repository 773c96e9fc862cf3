"""Enlarge, then classify: what a model says about the originals and about the results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from garim.enhancement.upscale import Upscaled
from garim.errors import ModelError
from garim.models import saved
from garim.models.classifier import Classifier
from garim.pictures import is_picture
from garim.prediction import LabelPrediction, predict


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a classifier says about one picture, before and after."""

    picture: str
    before: LabelPrediction
    after: LabelPrediction

    def to_dict(self) -> dict[str, Any]:
        """Give it as it stands in ``--json``."""
        said = {name: {"label": one.label, "confidence": round(one.confidence, 6)}
                for name, one in (("before", self.before), ("after", self.after))}  # fmt: skip
        return {"picture": self.picture, **said}


def recognise(found: Upscaled, run: Path | str) -> list[Recognised]:
    """Classify each picture that was enlarged, and what became of it; videos are passed over.

    Raises:
        ModelError: no folder of a classifier.
    """
    model = saved.load(run)
    if not isinstance(model, Classifier):
        raise ModelError(f"{run}: is a {type(model).__name__.lower()}, not a classifier")
    before = _said(model, [row.picture for row in found.rows])
    after = _said(model, [row.to for row in found.rows])
    return [
        Recognised(row.picture, before[row.picture], after[row.to])
        for row in found.rows
        if row.picture in before and row.to in after
    ]


def _said(model: Classifier, pictures: Sequence[str]) -> dict[str, LabelPrediction]:
    paths = [path for path in map(Path, pictures) if is_picture(path)]
    rows = predict(model, paths).rows if paths else ()
    return {row.picture: row for row in rows if isinstance(row, LabelPrediction)}
