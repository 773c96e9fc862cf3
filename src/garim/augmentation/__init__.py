"""More pictures per class, made from those that are there."""

from garim.augmentation.augment import Augmented, augment
from garim.augmentation.settings import AugmentSettings

__all__ = ["AugmentSettings", "Augmented", "augment"]
