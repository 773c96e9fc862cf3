"""Which label has each pixel? The labels of a picture compete with each other and the background.

The evidence of a classifier's localizer is coarse, and knows more of labels than of background.
What stands out from the background (`garim.foreground`) bounds it, boxes bound it where there are
some, and patches of one colour (superpixels) bring it to the picture's edges.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from garim.boxes import Box
from garim.extraction.mask_settings import MaskSettings
from garim.foreground.superpixels import superpixels, to_lab
from garim.models.palette import Mask
from garim.pictures import Pixels

VOID = 255
"""What is not known: neither learned nor judged."""

STEPS = 5
"""Steps in which areas are balanced; more change little."""

Shares = NDArray[np.float32]
"""Probability of background, each label and each rival at each pixel, ``(1 + classes, h, w)``."""


def shares_of(
    evidence: NDArray[np.float32],
    pixels: Pixels,
    matte: NDArray[np.float32] | None,
    boxes: Sequence[Sequence[Box]],
    settings: MaskSettings,
) -> Shares:
    """Say how likely each pixel is background, each label and each class it does not have.

    Args:
        evidence: scores of background, each label of the picture, and then of classes that it does
            not have, ``(1 + classes, grid, grid)``.
        pixels: the picture at working size, RGB ``(h, w, 3)``.
        matte: what stands out, 0 to 1 ``(h, w)``; None for no such bound.
        boxes: of each label, in these pixels; a label without any may be anywhere.
        settings: balance, patches.
    """
    height, width = pixels.shape[:2]
    scores = np.stack([cv2.resize(one, (width, height), interpolation=cv2.INTER_CUBIC)
                       for one in evidence])  # fmt: skip
    allowed = np.ones((len(evidence) - 1, height, width), np.float32)
    if matte is not None:
        allowed *= matte
    for number, inside in enumerate(boxes):
        if inside:
            allowed[number] *= _filled(inside, (height, width))
    shares = _bounded(_balanced(scores, allowed, len(boxes), settings.balance), allowed)
    return _evened(shares, pixels, settings.patches) if settings.patches else shares


def _balanced(scores: Shares, allowed: Shares, labels: int, balance: float) -> Shares:
    """Raise the scores of labels with little area and lower the others', step by step."""
    for _ in range(STEPS):
        areas = (softmax(scores, axis=0)[1:] * allowed).mean(axis=(1, 2))[:labels] + 1e-6
        scores[1 : 1 + labels] -= balance / STEPS * np.log(areas / areas.mean())[:, None, None]
    return scores


def _bounded(scores: Shares, allowed: Shares) -> Shares:
    shares: Shares = softmax(scores, axis=0)
    shares[1:] *= allowed
    shares[0] = 1 - shares[1:].sum(axis=0)
    return shares


def _filled(boxes: Sequence[Box], size: tuple[int, int]) -> NDArray[np.float32]:
    inside = np.zeros(size, np.float32)
    for box in boxes:
        left, top, right, bottom = (round(v) for v in box.clip(size[1], size[0]).xyxy())
        inside[top:bottom, left:right] = 1
    return inside


def _evened(shares: Shares, pixels: Pixels, count: int) -> Shares:
    """Give every pixel of a patch the mean of the patch."""
    patches = superpixels(to_lab(pixels), count).labels
    sizes = np.bincount(patches.ravel())
    means = [np.bincount(patches.ravel(), weights=one.ravel()) / sizes for one in shares]
    return np.stack([mean.astype(np.float32)[patches] for mean in means])


def decided(
    shares: Shares, numbers: Sequence[int], size: tuple[int, int], settings: MaskSettings
) -> Mask:
    """Give every pixel the likeliest class, or `VOID` where that is not sure.

    Args:
        shares: at working size.
        numbers: class number of each label; background is 0, and what follows are rivals.
        size: width and height of the mask.
        settings: how sure is sure.
    """
    best = np.zeros((size[1], size[0]), np.float32)
    mask = np.full(best.shape, VOID, np.uint8)
    rivals = [VOID] * (len(shares) - 1 - len(numbers))
    for share, number in zip(shares, (0, *numbers, *rivals), strict=True):
        wide = cv2.resize(share, size, interpolation=cv2.INTER_LINEAR)
        ahead = wide > best
        best[ahead], mask[ahead] = wide[ahead], number
    least = np.where(mask == 0, settings.sure_background, settings.sure)
    mask[best < least] = VOID
    return mask
