"""What is changed at random, by name. To add a policy: a line in ``POLICIES``."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from garim.augmentation.moves import Move
from garim.pictures import Pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Ranges that changes are drawn from, evenly; 0 for none."""

    angle: float = 0.0
    """Most degrees, either way."""
    shift: float = 0.0
    """Most of a side, either way."""
    zoom: float = 0.0
    """Sides are enlarged or shrunk by up to this share, each on its own."""
    flip: bool = False
    """Mirror half of the copies."""
    brightness: float = 0.0
    """Most change of the values, as a share of white."""
    contrast: float = 0.0
    """Most change of the distance from grey, as a share."""
    saturation: float = 0.0
    """Most change of the distance from the grey picture, as a share."""
    blur: float = 0.0
    """Most standard deviation of a Gaussian blur, as a share of the longest side."""

    def move(self, rng: np.random.Generator) -> Move:
        """Draw the geometric change."""
        angle = rng.uniform(-self.angle, self.angle)
        across, down = rng.uniform(-self.shift, self.shift, 2)
        wide, high = 1 / rng.uniform(1 - self.zoom, 1 + self.zoom, 2)  # as Keras draws it
        flip = bool(self.flip and rng.random() < 0.5)
        return Move(angle=float(angle), shift=(float(across), float(down)),
                    zoom=(float(wide), float(high)), flip=flip)  # fmt: skip

    def coloured(self, picture: Pixels, rng: np.random.Generator) -> Pixels:
        """Draw the change of colours, and make it.

        Args:
            picture: RGB, uint8 of shape ``(height, width, 3)``.
            rng: drawn from after `move`.
        """
        light, contrast, saturation = rng.uniform(-1, 1, 3)
        blur = self.blur * rng.random() * max(picture.shape[:2])
        changed = picture
        if self.saturation:
            grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
            share = 1 + self.saturation * saturation
            changed = cv2.addWeighted(picture, share, grey, 1 - share, 0).astype(np.uint8)
        if self.brightness or self.contrast:
            factor = 1 + self.contrast * contrast
            offset = 127.5 * (1 - factor) + 255 * self.brightness * light
            changed = cv2.addWeighted(changed, factor, changed, 0, offset).astype(np.uint8)
        if blur > 0.3:
            changed = cv2.GaussianBlur(changed, (0, 0), blur).astype(np.uint8)
        return changed


POLICIES: dict[str, Policy] = {
    "none": Policy(),
    "light": Policy(angle=10, shift=0.1, zoom=0.15, flip=True, brightness=0.08, contrast=0.2),
    # Keras' ImageDataGenerator with rotation 40°, shifts .2, zoom .2 and horizontal flip.
    "document": Policy(angle=40, shift=0.2, zoom=0.2, flip=True),
    # Without a turn, which makes boxes loose: for training detectors.
    "boxes": Policy(shift=0.15, zoom=0.3, flip=True, brightness=0.12, contrast=0.25,
                    saturation=0.4),
    "flip-only": Policy(flip=True, brightness=0.05),
    "colour": Policy(brightness=0.15, contrast=0.3, saturation=0.4, blur=0.004),
    "strong": Policy(angle=25, shift=0.15, zoom=0.3, flip=True, brightness=0.15, contrast=0.3,
                     saturation=0.4, blur=0.004),
}  # fmt: skip
"""Every policy by its name."""
