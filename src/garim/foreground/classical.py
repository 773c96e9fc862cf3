"""The foreground without anything learned: what stands out from the border, cut out by GrabCut."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import cv2
import numpy as np
from numpy.typing import NDArray

from garim.foreground.saliency import saliency
from garim.foreground.settings import ForegroundSettings
from garim.foreground.shading import evened
from garim.foreground.superpixels import Lab, to_lab, to_rgb
from garim.pictures import Pixels

SURE = 0.9
"""Saliency above which a pixel is taken for foreground without doubt."""
NOTHING = 0.15
"""Saliency below which a pixel is taken for background without doubt."""
ROUNDS = 4
SPECK = 0.1
"""Regions smaller than this share of the largest one are dropped."""
REACH = 0.33, 0.5
"""Standard deviation of the places of objects, as shares of width and height: most are upright."""
LEAST_CONTRAST = 1.0
"""Mean colours of both sides nearer than this in CIELAB are no foreground and background."""
LIKELY = 0.5
"""Share of Otsu's level above which a pixel is likelier foreground: GrabCut rather drops what is
too much than finds what is missing."""


def classical(pixels: Pixels) -> NDArray[np.float32]:
    """Give the foreground: shape ``(h, w)``, 0 or 1; all 0 where nothing stands out.

    Contrast with the border (`garim.foreground.saliency`) starts GrabCut (Rother, Kolmogorov,
    Blake 2004), which models the colours of both sides and cuts along edges.
    """
    lab = evened(to_lab(pixels))
    found = saliency(lab) * _middle(lab)
    found /= max(float(found.max()), 1e-9)
    parted, _ = cv2.threshold((found * 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)
    level = parted / 255
    nothing = np.zeros(found.shape, np.float32)
    if _contrast(lab, found > level) < LEAST_CONTRAST:
        return nothing
    likely = found > LIKELY * level
    mask = np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    mask[found > SURE] = cv2.GC_FGD
    mask[found < NOTHING] = cv2.GC_BGD
    inside = cut(to_rgb(lab), mask)
    return without_specks(inside).astype(np.float32) if inside.any() else nothing


def _middle(lab: Lab) -> NDArray[np.float32]:
    """Give the weight of each place, 1 in the middle: photographers put their object there."""
    height, width = lab.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    away = np.square((x / width - 0.5) / REACH[0]) + np.square((y / height - 0.5) / REACH[1])
    return np.asarray(np.exp(-away / 2), dtype=np.float32)


def _contrast(lab: Lab, inside: NDArray[np.bool_]) -> float:
    if inside.all() or not inside.any():
        return 0.0
    return float(np.linalg.norm(lab[inside].mean(axis=0) - lab[~inside].mean(axis=0)))


def cut(pixels: Pixels, mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Run GrabCut from a mask of its four marks, always with the same random start."""
    cv2.setRNGSeed(0)
    back, front = np.zeros((1, 65)), np.zeros((1, 65))
    bgr = np.ascontiguousarray(pixels[..., ::-1])
    with suppress(cv2.error):  # one side has too few pixels for its colour model
        found, *_ = cv2.grabCut(
            bgr, mask.copy(), (0, 0, 0, 0), back, front, ROUNDS, cv2.GC_INIT_WITH_MASK
        )
        mask = np.asarray(found, dtype=np.uint8)
    return (mask & 1).astype(bool)


def without_specks(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the largest region and those of at least ``SPECK`` of its size."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    kept: NDArray[np.bool_] = areas >= max(SPECK * areas.max(), 1)
    return np.asarray(kept[labels])


def by_contrast(settings: ForegroundSettings) -> Callable[[Pixels], NDArray[np.float32]]:
    """Set up the method; it has no settings of its own."""
    return classical
