"""Where is the labelled object? Methods that find it from labels alone."""

from garim.extraction.extract import METHODS, WITHOUT_MODEL, Extracted, extract
from garim.extraction.mask_settings import MaskSettings
from garim.extraction.masks import MadeMasks, make_masks
from garim.extraction.settings import ContourSettings, ExtractSettings
from garim.extraction.sweep import Swept, sweep

__all__ = [
    "METHODS",
    "WITHOUT_MODEL",
    "ContourSettings",
    "ExtractSettings",
    "Extracted",
    "MadeMasks",
    "MaskSettings",
    "Swept",
    "extract",
    "make_masks",
    "sweep",
]
