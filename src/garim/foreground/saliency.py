"""What stands out from the border of a picture, without anything learned.

Saliency optimization from robust background detection (Zhu, Liang, Wei, Sun 2014): a patch is
background as far as the region of its colour runs along the border, not because it touches it. So
an object that is cut off by the border still stands out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial.distance import cdist

from garim.foreground.superpixels import Lab, Superpixels, superpixels

PATCHES = 300
SPREAD = 0.25
"""Reach of the contrast between patches, as a share of the picture's side; the paper's."""

Floats = NDArray[np.float64]


def saliency(lab: Lab) -> NDArray[np.float32]:
    """Say how much each pixel stands out: shape ``(h, w)``, 0 (background) to 1."""
    patches = superpixels(lab, PATCHES)
    return _of_patches(patches).astype(np.float32)[patches.labels]


def _of_patches(patches: Superpixels) -> Floats:
    colour = cdist(patches.colours, patches.colours)
    place = cdist(patches.places, patches.places)
    neighbours = _neighbours(patches.labels, len(colour))
    border = _on_border(patches.labels)
    background = _background(colour, neighbours, border)
    contrast = (colour * np.exp(-np.square(place / SPREAD) / 2)) @ background
    contrast /= max(float(contrast.max()), 1e-9)
    return _optimized(colour, neighbours, background, contrast)


def _neighbours(labels: NDArray[np.intp], count: int) -> NDArray[np.bool_]:
    """Say which patches touch, shape ``(n, n)``, symmetric, none itself."""
    touch = np.zeros((count, count), dtype=bool)
    for one, other in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        touch[one.ravel(), other.ravel()] = True
    touch |= touch.T
    np.fill_diagonal(touch, False)
    return touch


def _on_border(labels: NDArray[np.intp]) -> NDArray[np.intp]:
    edges = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    return np.unique(np.concatenate(edges))


def _background(colour: Floats, neighbours: NDArray[np.bool_], border: NDArray[np.intp]) -> Floats:
    """Give the probability that each patch is background, by its boundary connectivity."""
    steps = np.where(neighbours, colour, np.inf)
    usual = float(np.mean(np.min(steps, axis=1, initial=100.0)))
    joined = neighbours.copy()  # the border is one region, also where an object parts it
    joined[np.ix_(border, border)] = True
    np.fill_diagonal(joined, False)
    # What patches of one surface differ by costs nothing; a path of no cost still is a path.
    costs = np.where(joined, np.maximum(colour - usual, 0) + 1e-6, 0)
    geodesic = dijkstra(csr_array(costs), directed=False)
    alike = np.exp(-np.square(geodesic / min(10.0, 1.0 + 3 * usual)) / 2)
    connectivity = alike[:, border].sum(axis=1) / np.sqrt(alike.sum(axis=1))
    return np.asarray(1 - np.exp(-np.square(connectivity) / 2))


def _optimized(
    colour: Floats, neighbours: NDArray[np.bool_], background: Floats, contrast: Floats
) -> Floats:
    """Settle what background and contrast say, alike among patches that touch and look alike."""
    steps = np.where(neighbours, colour, np.inf)
    usual = float(np.mean(np.min(steps, axis=1, initial=100.0)))
    smooth = np.where(neighbours, np.exp(-np.square(colour / (2 + 3 * usual)) / 2) + 0.1, 0)
    laplacian = np.diag(smooth.sum(axis=1)) - smooth
    found = np.linalg.solve(laplacian + np.diag(background + contrast + 1e-6), contrast)
    found -= found.min()
    return np.asarray(found / max(float(found.max()), 1e-9))
