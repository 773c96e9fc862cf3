"""Can it be sharper? Enlarge pictures with a model, or with what the picture itself teaches."""

from garim.enhancement.recognise import Recognised, recognise
from garim.enhancement.settings import UpscaleSettings
from garim.enhancement.upscale import Upscaled, UpscaledFile, enlarger, upscale

__all__ = [
    "Recognised",
    "UpscaleSettings",
    "Upscaled",
    "UpscaledFile",
    "enlarger",
    "recognise",
    "upscale",
]
