"""Random changes of training pictures. To add one: a function and a line in ``AUGMENTATIONS``."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from garim.augmentation.moves import Move, warped
from garim.pictures import Pixels

Augmentation = Callable[[Pixels, np.random.Generator], Pixels]
"""Takes and gives an RGB picture, uint8 of shape ``(height, width, 3)``."""


def none(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Leave the picture as it is."""
    return picture


def light(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Flip, turn by 10°, move by a tenth, resize by a fifth, change brightness and contrast."""
    zoom = rng.uniform(0.85, 1.2)
    moved = _warp(
        picture,
        angle=rng.uniform(-10, 10),
        shift=(rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1)),
        zoom=(zoom, zoom * rng.uniform(0.9, 1.1)),
        flip=bool(rng.random() < 0.5),
    )
    contrast, brightness = rng.uniform(0.8, 1.2), rng.uniform(-20, 20)
    return cv2.convertScaleAbs(moved, alpha=contrast, beta=brightness).astype(np.uint8)


def document(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Keras' ``ImageDataGenerator`` with rotation 40°, shifts 0.2, zoom 0.2, horizontal flip."""
    return _warp(
        picture,
        angle=rng.uniform(-40, 40),
        shift=(rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.2)),
        zoom=(1 / rng.uniform(0.8, 1.2), 1 / rng.uniform(0.8, 1.2)),
        flip=bool(rng.random() < 0.5),
    )


AUGMENTATIONS: dict[str, Augmentation] = {
    "none": none,
    "light": light,
    "document": document,
}
"""Every augmentation by its name."""


def _warp(
    picture: Pixels,
    *,
    angle: float,
    shift: tuple[float, float],
    zoom: tuple[float, float],
    flip: bool,
) -> Pixels:
    """Turn by degrees, move by shares of the sides, enlarge by factors; edges are continued."""
    height, width = picture.shape[:2]
    move = Move(angle=angle, shift=shift, zoom=zoom, flip=flip)
    return warped(picture, move.matrix(width, height))
