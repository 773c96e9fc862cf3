"""How a model is made: one loop, settings, augmentation."""

from garim.training.settings import PRESETS, Recipe, TrainSettings
from garim.training.train import Trained, train

__all__ = ["PRESETS", "Recipe", "TrainSettings", "Trained", "train"]
