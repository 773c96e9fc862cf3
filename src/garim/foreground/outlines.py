"""``garim contours``: the outlines of what is in a picture, by grey value and by foreground."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from garim import files
from garim.errors import SettingsError
from garim.foreground.contours import Contour, contours
from garim.foreground.mattes import foreground
from garim.foreground.settings import ForegroundSettings, OutlineSettings
from garim.pictures import Pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlines:
    """Outlines of one picture found in two ways, the largest first, in its pixels."""

    size: tuple[int, int]
    """Width and height of the picture in pixels."""
    level: int
    """Grey value that parts black from white in `grey`."""
    grey: tuple[Contour, ...]
    """Outlines of the pixels above the level: what the background does to them shows here."""
    foreground: tuple[Contour, ...]
    """Outlines of the foreground."""

    def to_dict(self) -> dict[str, Any]:
        """Give the outlines as they stand in the JSON file."""
        return {
            "width": self.size[0],
            "height": self.size[1],
            "level": self.level,
            "grey": [_described(one) for one in self.grey],
            "foreground": [_described(one) for one in self.foreground],
        }


def outlines(
    pixels: Pixels, settings: OutlineSettings | None = None, how: ForegroundSettings | None = None
) -> Outlines:
    """Find the outlines of a picture by its grey values, and by its foreground.

    Args:
        pixels: RGB, uint8 ``(h, w, 3)``.
        settings: grey level, smallest outline.
        how: how the foreground is found.

    Raises:
        SettingsError: settings that cannot work.
        ModelError: weights that cannot be used.
    """
    chosen = settings or OutlineSettings()
    grey = np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY))
    kind = cv2.THRESH_BINARY | (cv2.THRESH_OTSU if chosen.level is None else 0)
    level, white = cv2.threshold(grey, chosen.level or 0, 255, kind)
    alpha = foreground(pixels, how)
    return Outlines(
        size=(pixels.shape[1], pixels.shape[0]), level=int(level),
        grey=tuple(contours(np.asarray(white), chosen.smallest)),
        foreground=tuple(contours(alpha, chosen.smallest)),
    )  # fmt: skip


def to_svg(found: Sequence[Contour], size: tuple[int, int]) -> str:
    """Write outlines as an SVG of the picture's size, through the middles of their pixels."""
    width, height = size
    paths = "\n".join(
        f'  <path d="M{" L".join(f"{x + 0.5} {y + 0.5}" for x, y in one.tolist())} Z"/>'
        for one in found
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" fill="none" stroke="#e61e3c" stroke-width="2">\n'
        f"{paths}\n</svg>\n"
    )


def save(found: Outlines, folder: Path) -> list[Path]:
    """Write ``contours.json``, and an SVG for each way.

    Raises:
        SettingsError: the folder is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise SettingsError([f"{folder}: is a file; name a folder with --out"])
    paths = [folder / name for name in ("contours.json", "grey.svg", "foreground.svg")]
    files.write_text(paths[0], json.dumps(found.to_dict()) + "\n")
    files.write_text(paths[1], to_svg(found.grey, found.size))
    files.write_text(paths[2], to_svg(found.foreground, found.size))
    return paths


def _described(one: Contour) -> dict[str, Any]:
    x, y, width, height = cv2.boundingRect(one)
    area = float(cv2.contourArea(one))
    return {"area": area, "box": [x, y, width, height], "points": one.tolist()}
