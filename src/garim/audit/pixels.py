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
    issues = np.array([one is None for one in evidence.looks], dtype=bool)[evidence.file_of]
    reasons = {failure.picture: failure.error for failure in evidence.failures}
    rows = [int(row) for row in np.flatnonzero(issues)]
    notes = {row: reasons.get(evidence.row(row).file_name, "") for row in rows}
    edits = tuple(evidence.edit(row, "drop", notes[row], "broken") for row in rows)
    return Finding(scores=1.0 - issues, issues=issues, edits=edits, notes=notes)


def dark(evidence: Evidence) -> Finding:
    """Find pictures that are nearly black."""
    return below(evidence.per_row(lambda one: one.bright_end), evidence.settings.dark)


def bright(evidence: Evidence) -> Finding:
    """Find pictures that are nearly white."""
    return below(evidence.per_row(lambda one: 1 - one.dark_end), evidence.settings.bright)


def blurry(evidence: Evidence) -> Finding:
    """Find pictures without sharp edges."""
    return below(evidence.per_row(lambda one: one.sharpness), evidence.settings.blurry)


def low_information(evidence: Evidence) -> Finding:
    """Find pictures of nearly one tone; empty ones are proposed to be left out."""
    found = below(evidence.per_row(lambda one: one.entropy), evidence.settings.low_information)
    flat = evidence.per_row(lambda one: float(one.fingerprint.is_flat)) == 1
    edits = tuple(
        evidence.edit(int(row), "drop", "shows nothing but one tone", "low_information")
        for row in np.flatnonzero(found.issues & flat)
    )
    return Finding(scores=found.scores, issues=found.issues, edits=edits)


def odd_size(evidence: Evidence) -> Finding:
    """Find pictures that are far smaller or larger than most."""
    sides = evidence.per_row(lambda one: float(np.prod(one.fingerprint.size)) ** 0.5)
    found = below(_likeness(sides), evidence.settings.odd_size)
    notes = {
        int(row): " × ".join(map(str, one.fingerprint.size))
        for row in np.flatnonzero(found.issues)
        if (one := evidence.looks[evidence.file_of[row]]) is not None
    }
    return Finding(scores=found.scores, issues=found.issues, notes=notes)


def odd_aspect(evidence: Evidence) -> Finding:
    """Find pictures that are very wide or very tall."""
    aspects = evidence.per_row(lambda one: min(one.fingerprint.size) / max(one.fingerprint.size))
    return below(aspects, evidence.settings.odd_aspect)


def odd_mode(evidence: Evidence) -> Finding:
    """Find pictures in a rare colour mode, or grey among colour."""
    modes = ["" if one is None else one.mode for one in evidence.looks]
    for index, one in enumerate(evidence.looks):
        if one is not None and one.mode == "RGB" and one.fingerprint.colourfulness < _GREY:
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
