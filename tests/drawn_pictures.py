"""Pictures with edges and colours, for what enlarges them."""

from __future__ import annotations

import numpy as np

from garim.pictures import Pixels


def shapes(width: int = 64, height: int = 48, seed: int = 0) -> Pixels:
    """Discs and bars of bright colours on a gradient, with sharp edges."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    picture = np.stack([2 * x, 2 * y, x + y], axis=2) % 200
    for _ in range(6):
        centre, radius = rng.integers(0, (height, width)), rng.integers(4, 12)
        picture[np.hypot(y - centre[0], x - centre[1]) < radius] = rng.integers(0, 256, 3)
        left = int(rng.integers(0, width))
        picture[:, left : left + 2] = rng.integers(0, 256, 3)
    return picture.astype(np.uint8)
