"""Taking the shading out of an even background, so that a white object on white stands out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from garim.foreground.superpixels import Lab

FRAME = 0.06
"""Width of the border that is taken for background, as a share of the shorter side."""
EVEN = 2.0
"""Median distance in CIELAB from the fitted surface above which a border is not even."""
ROUNDS = 3

Floats = NDArray[np.float64]


def evened(lab: Lab) -> Lab:
    """Subtract the shading of the background, a quadratic surface fitted to the border.

    A border that no such surface fits is no even background: the picture stays as it is. What of
    the border does not fit (an object that it cuts off) is left out of the fit, round by round.

    Args:
        lab: CIELAB, shape ``(h, w, 3)``.
    """
    height, width = lab.shape[:2]
    deep = max(round(FRAME * min(height, width)), 1)
    y, x = np.mgrid[:height, :width]
    terms = _terms(x / max(width - 1, 1) - 0.5, y / max(height - 1, 1) - 0.5)
    frame = np.ones((height, width), dtype=bool)
    frame[deep:-deep, deep:-deep] = False
    surface = _surface(terms[frame], lab[frame].astype(np.float64))
    if surface is None:
        return lab
    shading = terms @ surface
    return np.asarray(lab - shading + shading.mean(axis=(0, 1)), dtype=np.float32)


def _surface(terms: Floats, colours: Floats) -> Floats | None:
    """Fit by least squares, again without what is far off; None where that is too much."""
    kept = np.ones(len(terms), dtype=bool)
    for _ in range(ROUNDS):
        surface = np.linalg.lstsq(terms[kept], colours[kept], rcond=None)[0]
        away = np.linalg.norm(colours - terms @ surface, axis=1)
        usual = float(np.median(away))
        kept = away <= 3 * usual + 1e-6
    return np.asarray(surface) if usual < EVEN and kept.mean() > 0.7 else None


def _terms(x: Floats, y: Floats) -> Floats:
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
