"""What of a picture is its object? Alpha mattes, contours, cutouts."""

from garim.foreground.contours import Contour, contours, largest_contour
from garim.foreground.cutout import Cutouts, cutout
from garim.foreground.guided import Alpha
from garim.foreground.mattes import METHODS, foreground
from garim.foreground.outlines import Outlines, outlines
from garim.foreground.outlines import save as save_outlines
from garim.foreground.settings import CutoutSettings, ForegroundSettings, OutlineSettings

__all__ = [
    "METHODS",
    "Alpha",
    "Contour",
    "CutoutSettings",
    "Cutouts",
    "ForegroundSettings",
    "OutlineSettings",
    "Outlines",
    "contours",
    "cutout",
    "foreground",
    "largest_contour",
    "outlines",
    "save_outlines",
]
