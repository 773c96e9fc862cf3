"""Drawing with vectors: outlines in, a softly shaded, antialiased layer with its own alpha out.

A figure is a list of parts in units of its own (x to the right, y down, about −1 to 1). Nothing is
painted before `render`, so a figure can be measured, turned and squashed first.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from garim.boxes import Box

Points = NDArray[np.float64]
"""A closed outline, shape ``(n, 2)``, in the figure's units."""
Colour = tuple[float, float, float]
"""Red, green, blue, 0 to 255."""
Random = np.random.Generator
Layer = NDArray[np.float32]
"""Red, green, blue, alpha, shape ``(height, width, 4)``, 0 to 255, premultiplied by alpha."""

SUPERSAMPLING = 2
VISIBLE_ALPHA = 128
"""A pixel belongs to a figure where at least half of it is covered (0 to 255)."""
_SUBPIXEL_BITS = 4
INK: Colour = (38, 30, 46)
_WHITE: Colour = (255, 255, 255)


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Give a colour; ``hue`` in degrees, any turn, the others 0 to 1 (clipped)."""
    clipped = (min(max(v, 0.0), 1.0) for v in (saturation, value))
    red, green, blue = colorsys.hsv_to_rgb(hue % 360 / 360, *clipped)
    return red * 255, green * 255, blue * 255


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Give ``first`` with ``share`` (0 to 1) of ``second`` in it."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return red, green, blue


def ellipse(x: float, y: float, rx: float, ry: float, turn: float = 0.0) -> Points:
    """Give an ellipse's outline, turned by ``turn`` degrees clockwise."""
    angles = np.linspace(0, 2 * math.pi, 36, endpoint=False)
    points = np.stack([rx * np.cos(angles), ry * np.sin(angles)], axis=1)
    return shifted(turned(points, turn), x, y)


def polygon(corners: str) -> Points:
    """Give an outline with sharp corners, written as in SVG: ``"x,y x,y x,y"``."""
    return np.array([corner.split(",") for corner in corners.split()], dtype=np.float64)


def blob(corners: str, symmetric: bool = False) -> Points:
    """Give a smooth closed curve (Catmull-Rom) through ``corners``, written as in SVG.

    With ``symmetric`` they are the right half, from top to bottom, and the left is its mirror.
    """
    points = polygon(corners)
    if symmetric:
        left = mirrored(points[::-1])
        points = np.concatenate([points, left[np.abs(left[:, 0]) > 0]])
    return _catmull_rom(*(np.roll(points, shift, axis=0) for shift in (1, 0, -1, -2)))


def curve(*corners: tuple[float, float]) -> Points:
    """Give a smooth open curve through ``corners`` (Catmull-Rom)."""
    points = np.array(corners, dtype=np.float64)
    ends = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    smooth = _catmull_rom(ends[:-3], ends[1:-2], ends[2:-1], ends[3:])
    return np.concatenate([smooth, points[-1:]])


def limb(spine: Points, start: float, end: float) -> Points:
    """Give a round-ended limb along ``spine``: ``start`` wide at its root, ``end`` at its tip."""
    along: Points = np.gradient(spine, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    half = np.linspace(start, end, len(spine))[:, None] / 2
    across: Points = along[:, ::-1] * np.array([-1, 1]) * half
    cap = np.linspace(0, math.pi, 8)[1:-1, None]
    tip = spine[-1] + across[-1] * np.cos(cap) + along[-1] * half[-1] * np.sin(cap)
    root = spine[0] - across[0] * np.cos(cap) - along[0] * half[0] * np.sin(cap)
    return np.concatenate([spine + across, tip, (spine - across)[::-1], root])


def shifted(points: Points, x: float, y: float) -> Points:
    """Move points right by ``x`` and down by ``y``."""
    moved: Points = points + np.array([x, y])
    return moved


def turned(points: Points, degrees: float, about: tuple[float, float] = (0.0, 0.0)) -> Points:
    """Turn points clockwise (y is down) about a point."""
    return (points - about) @ _turn(degrees).T + about


def mirrored(points: Points) -> Points:
    """Swap left and right about x = 0."""
    return points * (-1, 1)


def shrunk(points: Points, share: float) -> Points:
    """Shrink an outline to ``share`` of its size, towards its middle."""
    middle: Points = points.mean(axis=0)
    return middle + (points - middle) * share


def _turn(degrees: float) -> Points:
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cosine, -sine], [sine, cosine]])


def _catmull_rom(before: Points, start: Points, end: Points, after: Points) -> Points:
    t = np.arange(0, 1, 1 / 8)[:, None, None]
    curved = 2 * start + (end - before) * t + (2 * before - 5 * start + 4 * end - after) * t**2
    curved = (curved + (3 * (start - end) + after - before) * t**3) / 2
    return np.asarray(curved.transpose(1, 0, 2).reshape(-1, 2))


@dataclass(frozen=True, slots=True)
class Part:
    """One outline and how it is filled."""

    points: Points
    colour: Colour
    opacity: float = 1.0
    inside: bool = False
    """Painted flat, without an outline, and only where the last solid part is."""
    width: float = 0.0
    """When not 0, the points are an open line that is drawn this wide."""


@dataclass(slots=True)
class Sketch:
    """Parts in the order in which they are painted."""

    parts: list[Part] = field(default_factory=list)

    def solid(self, points: Points, colour: Colour) -> None:
        """Add a shaded part with an outline around it."""
        self.parts.append(Part(points, colour))

    def mark(self, points: Points, colour: Colour, opacity: float = 1.0) -> None:
        """Add a flat pattern that stays inside the last solid part."""
        self.parts.append(Part(points, colour, opacity, inside=True))

    def solids(self, points: Points, colour: Colour) -> None:
        """Add a solid part and its mirror."""
        self.solid(points, colour)
        self.solid(mirrored(points), colour)

    def marks(self, points: Points, colour: Colour, opacity: float = 1.0) -> None:
        """Add a pattern and its mirror."""
        self.mark(points, colour, opacity)
        self.mark(mirrored(points), colour, opacity)

    def line(self, points: Points, colour: Colour = INK, width: float = 0.03) -> None:
        """Add an open line: a mouth, a whisker."""
        self.parts.append(Part(points, colour, width=width))

    def gloss(self, x: float, y: float, rx: float, ry: float) -> None:
        """Add a soft spot of light on the last solid part."""
        for grow, opacity in ((1.0, 0.16), (0.7, 0.2)):
            self.mark(ellipse(x, y, rx * grow, ry * grow, -25), _WHITE, opacity)

    def eyes(self, x: float, y: float, apart: float, radius: float, awake: bool = True) -> None:
        """Add two shiny eyes, or closed ones, ``apart`` from each other around ``x, y``."""
        for cx in (x - apart / 2, x + apart / 2):
            if awake:
                self.mark(ellipse(cx, y, radius, radius * 1.2), INK)
                self.mark(
                    ellipse(cx - 0.3 * radius, y - 0.4 * radius, *[radius * 0.42] * 2), _WHITE
                )
                self.mark(ellipse(cx + 0.4 * radius, y + 0.5 * radius, *[radius * 0.2] * 2), _WHITE)
            else:
                arc = curve((cx - radius, y), (cx, y + radius * 0.7), (cx + radius, y))
                self.line(arc, width=radius * 0.45)

    def transformed(self, matrix: Points) -> Sketch:
        """Give the sketch with every point multiplied by a 2 × 2 matrix."""
        return Sketch([_moved(part, part.points @ matrix.T, 1.0) for part in self.parts])

    def bounds(self) -> Box:
        """Give the box around all points, in the sketch's units."""
        points = np.concatenate([part.points for part in self.parts])
        return Box(*points.min(axis=0), *points.max(axis=0))

    def fitted(self, size: float) -> Sketch:
        """Give the sketch scaled so that its longer side is ``size``, its corner at 0, 0."""
        box = self.bounds()
        scale = size / max(box.width, box.height)
        corner = np.array([box.left, box.top])
        return Sketch([_moved(part, (part.points - corner) * scale, scale) for part in self.parts])


def _moved(part: Part, points: Points, scale: float) -> Part:
    return Part(points, part.colour, part.opacity, part.inside, part.width * scale)


@dataclass(frozen=True, slots=True)
class Style:
    """How a whole figure is inked and lit."""

    outline: float = 0.012
    """Width of the outline as a share of the figure's size; 0 draws none."""
    ink: Colour | None = None
    """Colour of the outline; a dark shade of each part's own when None."""
    shading: float = 0.8
    """0 is flat, 1 is strong."""
    hard: bool = False
    """Two tones with an edge between them, as in cel animation, not a soft gradient."""


def pose(turn: float = 0.0, flip: bool = False, squash: float = 1.0) -> Points:
    """Give the matrix that squashes (wider above 1), mirrors, then turns a figure."""
    side = math.sqrt(squash)
    return _turn(turn) @ np.diag([-side if flip else side, 1 / side])


def render(sketch: Sketch, size: float, style: Style) -> Layer:
    """Paint a sketch with its longer side ``size`` pixels, cut to its visible pixels."""
    big = size * SUPERSAMPLING
    ink = style.outline * big
    margin = math.ceil(ink) + 2 * SUPERSAMPLING
    fitted = sketch.fitted(big)
    box = fitted.bounds()
    width, height = (
        (math.ceil(side) + 2 * margin) // SUPERSAMPLING + 1 for side in (box.width, box.height)
    )
    canvas = np.zeros((height * SUPERSAMPLING, width * SUPERSAMPLING, 4), dtype=np.float32)
    last = np.zeros(canvas.shape[:2], dtype=np.uint8)
    for part in fitted.parts:
        moved = _moved(part, part.points + margin, 1.0)
        if part.inside:
            _paint_mark(canvas, moved, last)
        elif part.width:
            _paint_line(canvas, moved)
        else:
            last = _paint_solid(canvas, moved, style, ink)
    layer = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    return _trimmed(np.asarray(layer, dtype=np.float32))


def visible_box(alpha: NDArray[np.float32] | NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """Give left, top, right, bottom of the visible pixels of an alpha channel, or None."""
    seen = alpha if alpha.dtype == np.bool_ else alpha >= VISIBLE_ALPHA
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _trimmed(layer: Layer) -> Layer:
    left, top, right, bottom = visible_box(layer[..., 3]) or (0, 0, *layer.shape[1::-1])
    return layer[top:bottom, left:right]


def _paint_solid(canvas: Layer, part: Part, style: Style, ink: float) -> NDArray[np.uint8]:
    """Paint a shaded part over its outline; give its mask over the whole canvas."""
    mask = np.zeros(canvas.shape[:2], dtype=np.uint8)
    region, shape = _region(part.points, ink + 2, mask.shape)
    fill = mask[region]
    cv2.fillPoly(fill, [shape], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
    if ink >= 0.5:
        edge = fill.copy()
        thickness = max(1, round(2 * ink))
        cv2.polylines(edge, [shape], True, 255, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
        _blend(canvas[region], style.ink or mix(part.colour, INK, 0.72), edge)
    _blend(canvas[region], _shaded(fill, part.colour, style), fill)
    return mask


def _paint_mark(canvas: Layer, part: Part, last: NDArray[np.uint8]) -> None:
    region, shape = _region(part.points, 1, last.shape)
    mask = np.zeros_like(last[region])
    if mask.size:
        cv2.fillPoly(mask, [shape], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
        mask = np.minimum(mask, last[region])
        _blend(canvas[region], part.colour, mask, part.opacity)


def _paint_line(canvas: Layer, part: Part) -> None:
    region, shape = _region(part.points, part.width + 2, canvas.shape)
    mask = np.zeros(canvas[region].shape[:2], dtype=np.uint8)
    thickness = max(1, round(part.width))
    cv2.polylines(mask, [shape], False, 255, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
    _blend(canvas[region], part.colour, mask, part.opacity)


def _region(
    points: Points, margin: float, shape: Sequence[int]
) -> tuple[tuple[slice, slice], NDArray[np.int32]]:
    """Give the window of the canvas around points, and the points in it for OpenCV."""
    low = np.maximum(np.floor(points.min(axis=0) - margin), 0).astype(int)
    high = np.ceil(points.max(axis=0) + margin).astype(int) + 1
    window = slice(low[1], min(high[1], shape[0])), slice(low[0], min(high[0], shape[1]))
    return window, np.round((points - low) * 2**_SUBPIXEL_BITS).astype(np.int32)


def _shaded(fill: NDArray[np.uint8], colour: Colour, style: Style) -> NDArray[np.float32]:
    """Give every pixel an opaque colour by how much of the part lies towards the light, up left."""
    reach = max(3, int(min(fill.shape) * 0.55))
    padded = cv2.copyMakeBorder(fill, reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=0)
    anchor = (reach * 3 // 10, reach * 3 // 10)
    thick = cv2.blur(cv2.blur(padded, (reach, reach), anchor=anchor), (reach // 2 + 1,) * 2)
    light = thick[reach:-reach, reach:-reach].astype(np.float32) / 255
    light = np.clip((light - 0.25) / 0.6, 0, 1)
    if style.hard:
        light = np.clip((light - 0.5) * 12, 0, 1)
    dark = np.array([*mix(colour, (52, 30, 92), 0.42 * style.shading), 255], dtype=np.float32)
    bright = np.array([*mix(colour, (255, 252, 232), 0.16 * style.shading), 255], dtype=np.float32)
    return np.asarray(dark + light[..., None] * (bright - dark))


def _blend(
    target: Layer,
    colour: Colour | NDArray[np.float32],
    mask: NDArray[np.uint8],
    opacity: float = 1.0,
) -> None:
    full = np.asarray([*colour, 255] if isinstance(colour, tuple) else colour, dtype=np.float32)
    change = full - target
    change *= mask[..., None] * np.float32(opacity / 255)
    target += change
