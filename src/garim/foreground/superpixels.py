"""Superpixels: small patches of one colour that follow the edges of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from garim.pictures import Pixels

COMPACTNESS = 10.0
"""Weight of distance against colour: larger patches are squarer; SLIC's own default."""
ITERATIONS = 5

Lab = NDArray[np.float32]
"""A picture in CIELAB, shape ``(h, w, 3)``: L from 0 to 100, a and b about 0."""


@dataclass(frozen=True, slots=True)
class Superpixels:
    """Patches of a picture."""

    labels: NDArray[np.intp]
    """Number of the patch that each pixel is part of, shape ``(h, w)``."""
    colours: NDArray[np.float64]
    """Mean CIELAB of each patch, shape ``(n, 3)``."""
    places: NDArray[np.float64]
    """Middle of each patch as shares of width and height, shape ``(n, 2)``."""


def to_lab(pixels: Pixels) -> Lab:
    """Convert RGB, uint8, to CIELAB."""
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return np.asarray(lab, dtype=np.float32)


def to_rgb(lab: Lab) -> Pixels:
    """Convert CIELAB back to RGB, uint8."""
    rgb = np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))
    return np.clip(np.round(rgb * 255), 0, 255).astype(np.uint8)


def superpixels(lab: Lab, count: int) -> Superpixels:
    """Cut a picture into about ``count`` patches: SLIC (Achanta et al. 2012) without its clean-up.

    Each pixel joins the nearest, in colour and place, of the nine patches around it.
    """
    height, width = lab.shape[:2]
    side = max(float(np.sqrt(height * width / count)), 2.0)
    down, across = max(round(height / side), 1), max(round(width / side), 1)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    weight = COMPACTNESS / side
    points = np.dstack([lab, x * weight, y * weight]).reshape(-1, 5)
    home_y = (y * down / height).astype(np.intp).ravel()
    home_x = (x * across / width).astype(np.intp).ravel()
    labels = home_y * across + home_x
    for _ in range(ITERATIONS):
        centres = _means(points, labels, down * across).astype(np.float32)
        best = np.full(len(points), np.inf, np.float32)
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                near = np.clip(home_y + dy, 0, down - 1) * across + np.clip(
                    home_x + dx, 0, across - 1
                )
                far = np.square(points - centres[near]).sum(axis=1)
                closer = far < best
                best[closer], labels[closer] = far[closer], near[closer]
    used, labels = np.unique(labels, return_inverse=True)
    means = _means(points, labels, len(used))
    places = means[:, 3:] / weight / [width, height]
    return Superpixels(labels.reshape(height, width), means[:, :3], places)


def _means(
    points: NDArray[np.float32], labels: NDArray[np.intp], count: int
) -> NDArray[np.float64]:
    sizes = np.maximum(np.bincount(labels, minlength=count), 1)
    sums = [np.bincount(labels, weights=column, minlength=count) for column in points.T]
    return np.stack(sums, axis=1) / sizes[:, None]
