"""Learn to enlarge a picture from that picture alone (Shocher et al. 2018, ZSSR).

A picture shrunk once more is an example of its own enlargement. The network starts from the weights
that come with Garim, and learns only what is special here: the patterns that repeat in the picture,
and the blur that made it small, where that is known. No other picture is needed.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from itertools import count
from math import cos, pi

import numpy as np
import torch
from torch import Tensor, nn

from garim.models.upscaler import Upscaler
from garim.pictures import Pixels
from garim.resizing import Values, as_pixels, as_values, imresize
from garim.training.degradation import Degradation, degrade
from garim.training.pairs import turned

FATHERS = (1.0, 0.9, 0.8, 0.7)
"""Sizes at which the picture itself serves as the target."""

CROP = 48
"""Side of what is cut out for a step, in pixels of the example's small picture."""

RATE, STEPS = 5e-4, 1500
"""Learning rate at the start, and the most steps."""


def zero_shot(
    start: Upscaler, values: Values, how: Degradation, seconds: float, seed: int = 0
) -> Upscaler:
    """Give an upscaler that has learned from one picture.

    Args:
        start: where to start from; it is not changed.
        values: the picture, RGB, values 0 to 1.
        how: how the picture was made small, where that is known.
        seconds: most time to learn; the learning rate falls towards its end.
        seed: same seed, same steps, as far as the time goes.
    """
    network = copy.deepcopy(start.network)
    pixels = as_pixels(values)
    rng = np.random.default_rng(seed)
    examples = _examples(pixels, start.scale, how, rng)
    if examples:
        _learn(network, examples, start.scale, seconds, rng)
    return Upscaler(network, start.card, start.tile)


def _examples(
    pixels: Pixels, scale: int, how: Degradation, rng: np.random.Generator
) -> list[tuple[Pixels, Pixels]]:
    """Make pairs of the picture and itself made smaller, at several sizes."""
    found = []
    for share in FATHERS:
        height, width = (round(share * side / scale) for side in pixels.shape[:2])
        if min(height, width) >= 8:
            father = imresize(pixels, (scale * width, scale * height))
            found.append((degrade(father, (width, height), how, rng), father))
    return found


def _learn(
    network: nn.Module, examples: list[tuple[Pixels, Pixels]], scale: int, seconds: float,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    network.train()
    for progress in _until(seconds):
        for group in optimizer.param_groups:
            group["lr"] = RATE * (0.02 + 0.98 * (1 + cos(pi * progress)) / 2)
        small, large = _drawn(examples, scale, rng)
        loss = nn.functional.l1_loss(network(small), large)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    network.eval()


def _until(seconds: float) -> Iterator[float]:
    """Give how far the learning is, 0 to 1, until the steps or the time are used up."""
    started = time.monotonic()
    for step in count():
        progress = max(step / STEPS, (time.monotonic() - started) / seconds)
        if progress >= 1:
            return
        yield progress


def _drawn(
    examples: list[tuple[Pixels, Pixels]], scale: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Cut the same place out of both pictures of an example, turned or mirrored."""
    small, large = examples[int(rng.integers(len(examples)))]
    side = min(CROP, *small.shape[:2])
    top, left = (int(rng.integers(length - side + 1)) for length in small.shape[:2])
    way = int(rng.integers(8))
    cut = small[top : top + side, left : left + side]
    whole = large[scale * top : scale * (top + side), scale * left : scale * (left + side)]
    return _tensor(turned(cut, way)), _tensor(turned(whole, way))


def _tensor(pixels: Pixels) -> Tensor:
    return torch.from_numpy(as_values(pixels))[None].permute(0, 3, 1, 2)
