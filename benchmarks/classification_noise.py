"""Wrong labels: train robustly, or find them first?

    python benchmarks/classification_noise.py [--seeds 5] [--to DIR] [--json FILE]

Changes 20 % and 40 % of the labels of ``clothing5``'s train and validation pictures to any other
class, and trains a head on frozen MobileNetV2 features: as they are, with each robust loss, and
without the pictures that ``garim audit`` marks, or with the labels that it proposes. The test split
keeps its labels.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import garim
from classification_data import clothing, frozen, options, show
from garim.streaming import showing_progress
from garim.training.losses import NOISE
from harness import leave

RATES = (0.2, 0.4)


def main() -> None:
    """Compare what can be done, at each rate."""
    chosen = options(__doc__)
    figures = []
    with showing_progress():
        for rate in RATES:
            to = None if chosen.to is None else chosen.to / f"{rate}"
            figures += _at_rate(clothing(chosen), rate, chosen.weights, chosen.seeds, to)
    leave(chosen.json, figures)


def _at_rate(
    right: garim.Dataset, rate: float, weights: Path, seeds: int, to: Path | None
) -> list[dict[str, Any]]:
    settings, noisy = frozen(weights), _planted(right, rate)
    excluded, relabelled = _audited(noisy, settings)
    parts = {
        "all labels": (noisy, {"noise": list(NOISE)}),
        "marked ones left out": (excluded, {}),
        "marked ones relabelled": (relabelled, {}),
        "right labels": (right, {}),
    }
    figures = []
    for name, (data, vary) in parts.items():
        folder = None if to is None else to / name.replace(" ", "-")
        found = garim.compare_training(data, settings, vary, seeds, folder)
        show(f"{rate:.0%} wrong, {name}", found)
        figures.append({"rate": rate, "data": name, **found.to_dict()})
    return figures


def _planted(dataset: garim.Dataset, rate: float) -> garim.Dataset:
    rng, rows = np.random.default_rng(0), list(dataset.rows)
    free = [i for i, row in enumerate(rows) if row.split != "test"]
    for i in rng.choice(free, round(rate * len(free)), replace=False):
        others = [c for c in dataset.classes if c != rows[i].label]
        rows[i] = replace(rows[i], label=others[rng.integers(len(others))])
    return replace(dataset, rows=tuple(rows))


def _audited(
    dataset: garim.Dataset, settings: garim.TrainSettings
) -> tuple[garim.Dataset, garim.Dataset]:
    """Leave out what the audit marks, or give it the labels that the audit proposes."""
    judged = replace(dataset, rows=tuple(r for r in dataset.rows if r.split != "test"))
    chosen = garim.AuditSettings(
        only=("label_errors",), backbone="mobilenetv2_100", weights=settings.weights,
        network_options=settings.network_options, mean=settings.mean, std=settings.std,
    )  # fmt: skip
    edits = {edit.picture: edit for edit in garim.audit(judged, chosen).plan.edits}
    kept = tuple(r for r in dataset.rows if r.file_name not in edits)
    mended = tuple(
        replace(row, label=edits[row.file_name].to) if row.file_name in edits else row
        for row in dataset.rows
        if row.file_name not in edits or edits[row.file_name].to
    )
    return replace(dataset, rows=kept), replace(dataset, rows=mended)


if __name__ == "__main__":
    main()
