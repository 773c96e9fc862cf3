"""Broken pictures, and what a picture's brightness, sharpness, size and mode say."""

from __future__ import annotations

from collections import Counter

import numpy as np

from garim.audit.evidence import Evidence
from garim.audit.findings import Finding, Scores, below

_GREY = 2.0
"""Colourfulness under which a picture in colour is grey in truth."""


def broken(evidence: Evidence) -> Finding:
    """Find pictures that cannot be opened; they are proposed to be left out."""
    issues = evidence.per_row(~evidence.looks.prints.opened)
    reasons = {failure.picture: failure.error for failure in evidence.failures}
    rows = [int(row) for row in np.flatnonzero(issues)]
    notes = {row: reasons.get(evidence.row(row).file_name, "") for row in rows}
    edits = tuple(evidence.edit(row, "drop", notes[row], "broken") for row in rows)
    return Finding(scores=np.where(issues, 0.0, 1.0), issues=issues, edits=edits, notes=notes)


def dark(evidence: Evidence) -> Finding:
    """Find pictures that are nearly black."""
    return below(evidence.per_row(evidence.looks.measure("bright_end")), evidence.settings.dark)


def bright(evidence: Evidence) -> Finding:
    """Find pictures that are nearly white."""
    return below(evidence.per_row(1 - evidence.looks.measure("dark_end")), evidence.settings.bright)


def blurry(evidence: Evidence) -> Finding:
    """Find pictures without sharp edges."""
    return below(evidence.per_row(evidence.looks.measure("sharpness")), evidence.settings.blurry)


def low_information(evidence: Evidence) -> Finding:
    """Find pictures of nearly one tone; empty ones are proposed to be left out."""
    found = below(
        evidence.per_row(evidence.looks.measure("entropy")), evidence.settings.low_information
    )
    flat = evidence.per_row(evidence.looks.prints.flat)
    edits = tuple(
        evidence.edit(int(row), "drop", "shows nothing but one tone", "low_information")
        for row in np.flatnonzero(found.issues & flat)
    )
    return Finding(scores=found.scores, issues=found.issues, edits=edits)


def odd_size(evidence: Evidence) -> Finding:
    """Find pictures that are far smaller or larger than most."""
    sizes = evidence.per_row(evidence.looks.prints.sizes)
    sides = np.sqrt(sizes.prod(axis=1))
    found = below(_likeness(sides), evidence.settings.odd_size)
    notes = {
        int(row): " × ".join(f"{side:.0f}" for side in sizes[row])
        for row in np.flatnonzero(found.issues)
    }
    return Finding(scores=found.scores, issues=found.issues, notes=notes)


def odd_aspect(evidence: Evidence) -> Finding:
    """Find pictures that are very wide or very tall."""
    sizes = evidence.looks.prints.sizes
    aspects = evidence.per_row(sizes.min(axis=1) / sizes.max(axis=1))
    return below(aspects, evidence.settings.odd_aspect)


def odd_mode(evidence: Evidence) -> Finding:
    """Find pictures in a rare colour mode, or grey among colour."""
    modes = list(evidence.looks.modes)
    for index in np.flatnonzero(evidence.looks.prints.colourfulness < _GREY):
        if modes[index] == "RGB":
            modes[index] = "RGB, all grey"
    counted = Counter(mode for mode in modes if mode)
    whole = max(counted.total(), 1)
    shares = np.array([counted[mode] / whole if mode else np.nan for mode in modes])
    scores = shares[evidence.file_of]
    issues = np.nan_to_num(scores, nan=1.0) < evidence.settings.odd_mode
    notes = {int(row): modes[evidence.file_of[row]] for row in np.flatnonzero(issues)}
    return Finding(scores=scores, issues=issues, notes=notes)


def _likeness(values: Scores) -> Scores:
    """Compare with the median, as the smaller by the larger."""
    if not np.isfinite(values).any():
        return values
    usual = float(np.nanmedian(values))
    return np.asarray(np.minimum(values / usual, usual / values))
