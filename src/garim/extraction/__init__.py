"""Where is the labelled object? Methods that find it from labels alone."""

from garim.extraction.extract import METHODS, Extracted, extract
from garim.extraction.settings import ExtractSettings

__all__ = ["METHODS", "ExtractSettings", "Extracted", "extract"]
