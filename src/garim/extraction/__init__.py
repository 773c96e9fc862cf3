"""Where is the labelled object? Methods that find it from labels alone."""

from garim.extraction.extract import METHODS, Extracted, extract
from garim.extraction.settings import ExtractSettings
from garim.extraction.sweep import Swept, sweep

__all__ = ["METHODS", "ExtractSettings", "Extracted", "Swept", "extract", "sweep"]
