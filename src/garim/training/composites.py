"""Pictures with known boxes, pasted together from pictures that have none.

Where the evidence of a picture's label is one clear region, GrabCut (Rother et al. 2004) cuts the
object out along its edges. Cut-outs of one or several classes, turned, scaled, side by side and on
top of each other, are then laid over other pictures: "cut, paste and learn" (Dwibedi et al. 2017),
with cut-outs that nobody drew. What lies where in such a scene is known, so a head can learn from
it what a box goes around, and where one object ends and its neighbour begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from garim.pictures import Pixels

Mask = NDArray[np.uint8]
Evidence = NDArray[np.float32]

CUT_SIDE = 160
"""Objects are cut out of pictures of so many pixels per side."""

CERTAIN = -1.0
"""Log odds below which GrabCut takes a place for background for certain."""

ITERATIONS = 3

COUNTS = {1: 0.2, 2: 0.25, 3: 0.2, 4: 0.15, 6: 0.12, 9: 0.08}
"""How often a scene has so many objects."""

LARGEST = {1: 1.15, 2: 0.85, 3: 0.7, 4: 0.6, 6: 0.45, 9: 0.35}
"""Longest side of an object in a scene of so many, as a share of the scene's."""

SMALLEST = 0.3
"""Usual size of the objects in the scene of the smallest, as a share of the largest."""

PLAIN, SAME, APART = 0.3, 0.5, 0.25
"""How often a scene is plain, an object is of the class before it, and lies away from that."""


@dataclass(frozen=True, slots=True)
class Cutout:
    """An object cut out of a picture."""

    pixels: Pixels
    """Its box's pixels, shape ``(height, width, 3)``."""
    mask: NDArray[np.float32]
    """1 where the object is, shape ``(height, width)``."""
    target: int
    """Class number."""
    quality: float
    """How much it looks like one whole object, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A pasted picture and what is where."""

    pixels: Pixels
    """Shape ``(side, side, 3)``."""
    owner: NDArray[np.int32]
    """Number of the object at each pixel, from 1; 0 on what was there before."""
    targets: tuple[int, ...]
    """Class number of each object."""
    backdrop: int | None
    """Number of the picture beneath; None where the backdrop is plain."""
    mirrored: bool
    """Whether the picture beneath is mirrored."""


def cut_out(pixels: Pixels, evidence: Evidence, target: int) -> Cutout | None:
    """Cut out the largest region of evidence along its edges.

    Args:
        pixels: square RGB picture.
        evidence: log odds of its label, shape ``(grid, grid)``.
        target: class number.

    Returns:
        None where there is no region, or nothing around it.
    """
    side = min(CUT_SIDE, len(pixels))
    fine = cv2.resize(np.clip(evidence, -3, 3), (side, side)).astype(np.float32)
    region = _largest((fine > 0).astype(np.uint8))
    if region is None:
        return None
    small = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA).astype(np.uint8)
    mask = _grab(small, fine, region)
    if mask is None:
        return None
    (outline, *_), _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    solid = cv2.contourArea(outline) / max(cv2.contourArea(cv2.convexHull(outline)), 1.0)
    agreed = (mask & region).sum() / (mask | region).sum()
    x, y, w, h = cv2.boundingRect(outline)
    ends = sum((x <= 1, y <= 1, x + w >= side - 1, y + h >= side - 1))
    filled = cv2.drawContours(np.zeros_like(mask), [outline], -1, 1, -1)
    scale = len(pixels) / side
    rows, columns = (slice(round(a * scale), round(b * scale)) for a, b in ((y, y + h), (x, x + w)))
    large = cv2.resize(filled.astype(np.float32), pixels.shape[1::-1]).astype(np.float32)
    return Cutout(
        np.ascontiguousarray(pixels[rows, columns]), large[rows, columns], target,
        float(solid * agreed * 0.5 ** max(0, ends - 1)),
    )  # fmt: skip


def _largest(mask: Mask) -> Mask | None:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    if count < 2:
        return None
    return np.asarray(labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax(), dtype=np.uint8)


def _grab(pixels: Pixels, evidence: Evidence, region: Mask) -> Mask | None:
    given = np.where(region, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    given[(evidence < CERTAIN) | ((evidence > 0) & (region == 0))] = cv2.GC_BGD
    if not (given == cv2.GC_BGD).any():
        return None
    colours = np.zeros((2, 1, 65))
    cv2.setRNGSeed(0)
    try:
        cv2.grabCut(
            pixels, given, (0, 0, 0, 0), colours[0], colours[1], ITERATIONS, cv2.GC_INIT_WITH_MASK
        )
    except cv2.error:  # too few pixels of one kind for its colour model
        return None
    mask = np.isin(given, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return _largest(opened.astype(np.uint8))


def best(cutouts: Sequence[Cutout | None]) -> dict[int, list[Cutout]]:
    """Keep the better half of each class: those that look like one whole object."""
    kept: dict[int, list[Cutout]] = {}
    for one in sorted((c for c in cutouts if c is not None), key=lambda c: -c.quality):
        kept.setdefault(one.target, []).append(one)
    return {target: own[: (len(own) + 1) // 2] for target, own in kept.items()}


def compose(
    rng: np.random.Generator, backdrops: Sequence[Pixels], cutouts: Mapping[int, Sequence[Cutout]]
) -> Scene:
    """Paste a scene of one to nine objects."""
    number, mirrored = int(rng.integers(len(backdrops))), bool(rng.random() < 0.5)
    beneath = backdrops[number]
    plain = bool(rng.random() < PLAIN)
    base = _plain(rng, beneath) if plain else beneath[:, ::-1] if mirrored else beneath
    canvas = base.astype(np.float32)
    side = len(canvas)
    owner = np.zeros((side, side), np.int32)
    count = int(rng.choice(list(COUNTS), p=list(COUNTS.values())))
    usual = rng.uniform(SMALLEST, 1) * LARGEST[count]
    targets: list[int] = []
    last: tuple[float, float, float] | None = None
    for which in range(1, count + 1):
        targets.append(_next_class(rng, sorted(cutouts), targets))
        own = cutouts[targets[-1]]
        size = usual * rng.uniform(0.75, 1.2)
        x, y = _place(rng, size, last)
        last = (x, y, size)
        covered = _paste(rng, canvas, own[int(rng.integers(len(own)))], size * side, x, y)
        owner[covered] = which
    pixels = canvas.clip(0, 255).astype(np.uint8)
    return Scene(pixels, owner, tuple(targets), None if plain else number, mirrored)


def _plain(rng: np.random.Generator, picture: Pixels) -> Pixels:
    """One of the colours at a picture's edge, with soft noise."""
    side = len(picture)
    colour = picture[rng.integers(side), rng.choice([0, side - 1])].astype(np.float32)
    grain = rng.normal(0, 24, picture.shape).astype(np.float32)
    noise = cv2.GaussianBlur(grain, (0, 0), float(rng.uniform(1, 6)))
    return np.asarray((colour + noise).clip(0, 255), dtype=np.uint8)


def _next_class(rng: np.random.Generator, known: Sequence[int], before: Sequence[int]) -> int:
    if before and (len(known) == 1 or rng.random() < SAME):
        return before[-1]
    others = [target for target in known if target not in before[-1:]]
    return int(rng.choice(others))


def _place(
    rng: np.random.Generator, size: float, last: tuple[float, float, float] | None
) -> tuple[float, float]:
    """Choose a centre: anywhere, or touching the object before; shares of the side."""
    if last is None or rng.random() < APART:
        edge = min(0.5, 0.45 * size)
        x, y = rng.uniform(edge, 1 - edge, 2)
        return float(x), float(y)
    angle, away = rng.uniform(0, 2 * np.pi), (last[2] + size) / 2 * rng.uniform(0.65, 1.0)
    x, y = last[0] + away * np.cos(angle), last[1] + away * np.sin(angle)
    return float(np.clip(x, 0.08, 0.92)), float(np.clip(y, 0.08, 0.92))


def _paste(
    rng: np.random.Generator, canvas: NDArray[np.float32], one: Cutout, size: float,
    x: float, y: float,
) -> NDArray[np.bool_]:  # fmt: skip
    """Lay a cut-out over the canvas, in place; give the pixels that it covers."""
    side = len(canvas)
    height, width = one.mask.shape
    scale = size / max(height, width)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(-25, 25)), scale)
    turn[:, 2] += np.array([x * side - width / 2, y * side - height / 2])
    if rng.random() < 0.5:
        turn = turn @ np.array([[-1, 0, width], [0, 1, 0], [0, 0, 1]], np.float64)
    # Only the part of the canvas that it can reach is worked on.
    reach = 0.5 * scale * float(np.hypot(height, width)) + 8
    ends = [(max(0, int(c * side - reach)), min(side, int(c * side + reach))) for c in (y, x)]
    (top, bottom), (left, right) = ends
    turn[:, 2] -= (left, top)
    shape = (right - left, bottom - top)
    mask = cv2.warpAffine(one.mask, turn, shape, flags=cv2.INTER_LINEAR)
    pixels = cv2.warpAffine(one.pixels, turn, shape, flags=cv2.INTER_LINEAR)
    # Several ways of blending, so that a seam is nothing to go by.
    soft = float(rng.choice([0.7, 1.5, 2.5])) * side / 448
    alpha = cv2.GaussianBlur(cv2.erode(mask, np.ones((3, 3))), (0, 0), soft)[..., None]
    part = canvas[top:bottom, left:right]
    part += alpha * (np.minimum(pixels.astype(np.float32) * rng.uniform(0.8, 1.2), 255) - part)
    covered = np.zeros((side, side), dtype=bool)
    covered[top:bottom, left:right] = mask > 0.5
    return covered
