"""What lies behind the creatures: backgrounds, and things that stand about."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from garim.demo.drawing import (
    Colour,
    Layer,
    Points,
    Random,
    Sketch,
    Style,
    blob,
    curve,
    ellipse,
    hsv,
    limb,
    mix,
    pose,
    render,
)

Canvas = NDArray[np.uint8]
"""Red, green, blue, shape ``(height, width, 3)``; painted in place."""


def draw_background(rng: Random) -> Canvas:
    """Draw a background of a random kind and size: 205 to 420 pixels a side."""
    shorter, aspect = rng.uniform(205, 330), rng.uniform(0.63, 1.58)
    width, height = (shorter * max(aspect, 1), shorter * max(1 / aspect, 1))
    shrink = min(1, 420 / max(width, height))
    draw = list(BACKGROUNDS.values())[rng.integers(len(BACKGROUNDS))]
    return draw(round(width * shrink), round(height * shrink), rng)


def draw_thing(canvas: Canvas, rng: Random) -> tuple[Layer, int, int]:
    """Draw a thing of a random kind and give it with its left and top on the canvas."""
    height, width = canvas.shape[:2]
    sketch = list(THINGS.values())[rng.integers(len(THINGS))](rng)
    turned = sketch.transformed(pose(rng.uniform(-8, 8), bool(rng.random() < 0.5), 1.0))
    size = max(min(width, height) * rng.uniform(0.1, 0.36), 14)
    style = Style(float(rng.choice([0, 0.012, 0.018])), None, rng.uniform(0.4, 0.9))
    left, top = rng.uniform((-0.1, 0.0), (0.95, 0.9)) * (width, height)
    return render(turned, size, style), int(left), int(top)


def _gradient(width: int, height: int, top: Colour, bottom: Colour) -> Canvas:
    rows = np.linspace(top, bottom, height)[:, None]
    return np.broadcast_to(rows, (height, width, 3)).astype(np.uint8, order="C")


def _ridge(canvas: Canvas, level: float, swing: float, colour: Colour, rng: Random) -> None:
    """Fill everything below a wavy line at ``level`` (share of the height)."""
    height, width = canvas.shape[:2]
    x = np.linspace(0, 1, 40)
    waves = sum(np.sin(x * rng.uniform(2, 5 * n) + rng.uniform(0, 7)) / n for n in (1, 2, 3))
    line = np.stack([x * width, (level + swing * waves / 2) * height], axis=1)
    shape = np.concatenate([line, [(width, height), (0, height)]]).astype(np.int32)
    cv2.fillPoly(canvas, [shape], colour, cv2.LINE_AA)


def _dot(canvas: Canvas, x: float, y: float, radius: float, colour: Colour) -> None:
    """Draw a disc; ``x``, ``y`` in shares of the canvas, ``radius`` in pixels."""
    height, width = canvas.shape[:2]
    middle = (round(x * width * 16), round(y * height * 16))
    cv2.circle(canvas, middle, round(radius * 16), colour, -1, cv2.LINE_AA, 4)


def _stroke(canvas: Canvas, points: Points, colour: Colour, width: int) -> None:
    """Draw a line; points in shares of the canvas, ``width`` in pixels."""
    line = np.round(points * canvas.shape[1::-1] * 16).astype(np.int32)
    cv2.polylines(canvas, [line], False, colour, width, cv2.LINE_AA, 4)


def _hills(width: int, height: int, rng: Random) -> Canvas:
    sky = rng.choice([205, 215, 20, 280])
    canvas = _gradient(width, height, hsv(sky, 0.5, 0.92), hsv(sky + 20, 0.12, 1.0))
    _dot(canvas, rng.uniform(0.1, 0.9), rng.uniform(0.08, 0.3), height * 0.07, (255, 244, 190))
    hue = rng.uniform(70, 160)
    for step, level in enumerate(np.linspace(rng.uniform(0.45, 0.6), 0.85, 3)):
        _ridge(canvas, level, 0.12, hsv(hue + 6 * step, 0.3 + 0.13 * step, 0.82 - 0.1 * step), rng)
    return canvas


def _meadow(width: int, height: int, rng: Random) -> Canvas:
    hue, horizon = rng.uniform(75, 130), rng.uniform(0.15, 0.5)
    canvas = _gradient(width, height, hsv(200, 0.3, 1.0), hsv(190, 0.1, 1.0))
    _ridge(canvas, horizon, 0.03, hsv(hue, 0.5, 0.78), rng)
    for x, y in sorted(rng.uniform((0, horizon + 0.05), (1, 1.05), (70, 2)), key=lambda p: p[1]):
        colour, tall = hsv(hue + rng.uniform(-14, 14), 0.6, rng.uniform(0.5, 0.8)), 0.05 + 0.05 * y
        for lean in (-0.02, 0.0, 0.02):
            _stroke(canvas, np.array([(x, y), (x + lean, y - tall)]), colour, 2)
        if rng.random() < 0.2:
            _dot(canvas, x, y - tall, 3, hsv(rng.uniform(0, 360), 0.5, 1.0))
    return canvas


def _forest(width: int, height: int, rng: Random) -> Canvas:
    hue = rng.uniform(80, 175)
    canvas = _gradient(width, height, hsv(hue, 0.35, 0.75), hsv(hue, 0.5, 0.4))
    for depth in (0.3, 0.6, 1.0):
        for x in rng.uniform(0, 1, 5):
            trunk, thick = hsv(28, 0.45, 0.62 - 0.25 * depth), round(width * 0.04 * depth) + 2
            _stroke(canvas, np.array([(x, 0.1), (x, 0.72 + 0.12 * depth)]), trunk, thick)
            for dx, dy in rng.uniform(-0.1, 0.1, (6, 2)):
                leaf = hsv(hue + rng.uniform(-12, 12), 0.5, 0.75 - 0.35 * depth)
                _dot(canvas, x + dx, 0.12 + dy * 2, width * rng.uniform(0.05, 0.1), leaf)
    _ridge(canvas, rng.uniform(0.74, 0.84), 0.04, hsv(hue - 20, 0.5, 0.4), rng)
    return canvas


def _sea(width: int, height: int, rng: Random) -> Canvas:
    hue = rng.uniform(175, 225)
    canvas = _gradient(width, height, hsv(hue, 0.35, 0.95), hsv(hue + 15, 0.7, 0.55))
    for level in np.linspace(0.2, 0.95, int(rng.integers(3, 7))):
        shade = hsv(hue + rng.uniform(-6, 12), 0.3 + 0.4 * level, 0.95 - 0.4 * level)
        _ridge(canvas, level, 0.05, shade, rng)
    for x, y in rng.uniform(0, 1, (int(rng.integers(0, 16)), 2)):
        radius = rng.uniform(2, 9)
        _dot(canvas, x, y, radius, hsv(hue, 0.15, 1.0))
        _dot(canvas, x, y, radius * 0.8, hsv(hue, 0.35, 0.9))
    return canvas


def _night(width: int, height: int, rng: Random) -> Canvas:
    hue = rng.uniform(215, 285)
    canvas = _gradient(width, height, hsv(hue, 0.7, 0.22), hsv(hue + 30, 0.45, 0.55))
    for x, y in rng.uniform((0, 0), (1, 0.85), (int(rng.integers(25, 70)), 2)):
        _dot(canvas, x, y, rng.uniform(0.5, 1.9), (255, 250, 225))
    x, y, radius = rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.3), height * rng.uniform(0.05, 0.1)
    _dot(canvas, x, y, radius, (250, 240, 205))
    _dot(canvas, x + 0.03, y - 0.02, radius * 0.85, hsv(hue, 0.66, 0.27))
    _ridge(canvas, rng.uniform(0.72, 0.88), 0.08, hsv(hue + 10, 0.6, 0.2), rng)
    return canvas


def _wallpaper(width: int, height: int, rng: Random) -> Canvas:
    hue, floor = rng.uniform(0, 360), rng.uniform(0.68, 0.85)
    wall, stripe = hsv(hue, 0.22, 0.95), hsv(hue + rng.uniform(-25, 25), 0.32, 0.88)
    canvas = _gradient(width, height, wall, wall)
    gap, dotted = rng.uniform(0.07, 0.16), rng.random() < 0.4
    for row, x in enumerate(np.arange(0, 1, gap)):
        if dotted:
            for y in np.arange(row % 2 * 0.06, 1, 0.12):
                _dot(canvas, x, y, width * 0.018, stripe)
        else:
            _stroke(canvas, np.array([(x, 0.0), (x, 1.0)]), stripe, round(gap * width / 2))
    canvas[round(height * floor) :] = hsv(rng.uniform(15, 40), 0.45, rng.uniform(0.5, 0.8))
    _stroke(
        canvas, np.array([(0, floor), (1, floor)]), (250, 246, 238), max(round(height * 0.03), 2)
    )
    return canvas


def _texture(width: int, height: int, rng: Random) -> Canvas:
    hue, values = rng.uniform(0, 360), np.zeros((height, width), dtype=np.float32)
    for cells, strength in ((5, 1.0), (14, 0.7), (60, 0.5)):
        noise = rng.standard_normal((cells, cells), dtype=np.float32) * strength
        values += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    share = (np.clip(values / 5 + 0.5, 0, 1))[..., None]
    dark, bright = hsv(hue, 0.5, 0.45), hsv(hue + rng.uniform(-50, 50), 0.3, 0.9)
    return np.asarray(dark + share * (np.array(bright) - dark)).astype(np.uint8)


def _bokeh(width: int, height: int, rng: Random) -> Canvas:
    hue = rng.uniform(0, 360)
    canvas = _gradient(width, height, hsv(hue, 0.5, 0.5), hsv(hue + 60, 0.5, 0.35))
    for x, y in rng.uniform(0, 1, (int(rng.integers(10, 26)), 2)):
        glow = canvas.copy()
        colour = hsv(hue + rng.uniform(-50, 80), rng.uniform(0.2, 0.5), 1.0)
        _dot(glow, x, y, min(width, height) * rng.uniform(0.03, 0.14), colour)
        cv2.addWeighted(glow, 0.4, canvas, 0.6, 0, canvas)
    return np.asarray(cv2.blur(canvas, (5, 5)), dtype=np.uint8)


def _plain(width: int, height: int, rng: Random) -> Canvas:
    hue, value = rng.uniform(0, 360), rng.uniform(0.7, 1.0)
    top, bottom = hsv(hue, 0.35, value), hsv(hue + rng.uniform(-90, 90), 0.3, value - 0.15)
    return _gradient(width, height, top, bottom)


def _paper(width: int, height: int, rng: Random) -> Canvas:
    white = hsv(rng.uniform(20, 60), 0.02, 1.0)
    return _gradient(width, height, white, mix(white, (214, 214, 222), rng.uniform(0, 0.8)))


BACKGROUNDS: dict[str, Callable[[int, int, Random], Canvas]] = {
    "hills": _hills,
    "meadow": _meadow,
    "forest": _forest,
    "sea": _sea,
    "night": _night,
    "wallpaper": _wallpaper,
    "texture": _texture,
    "bokeh": _bokeh,
    "plain": _plain,
    "paper": _paper,
}
"""Every background, drawn from width, height and random numbers."""


def _tree(rng: Random) -> Sketch:
    sketch, hue = Sketch(), rng.uniform(60, 170)
    sketch.solid(
        limb(curve((0, 1.0), (rng.uniform(-0.1, 0.1), 0.5), (0, 0)), 0.32, 0.18), (150, 104, 70)
    )
    for x, y, radius in ((-0.34, -0.05, 0.4), (0.36, -0.08, 0.38), (0, -0.45, 0.48)):
        sketch.solid(ellipse(x, y, radius, radius * 0.9), hsv(hue + rng.uniform(-8, 8), 0.5, 0.7))
    return sketch


def _rock(rng: Random) -> Sketch:
    sketch, angles = Sketch(), np.arange(7) * 2 * math.pi / 7
    radii = rng.uniform(0.7, 1.0, 7)
    corners = np.stack([np.cos(angles) * radii, np.sin(angles) * radii * 0.7], axis=1)
    sketch.solid(corners, hsv(rng.uniform(0, 360), 0.08, rng.uniform(0.5, 0.8)))
    sketch.gloss(-0.3, -0.3, 0.3, 0.12)
    return sketch


def _cloud(rng: Random) -> Sketch:
    sketch, stretch = Sketch(), rng.uniform(0.8, 1.3)
    puffs = "-.9,.3 -1,.02 -.7,-.12 -.52,-.4 -.1,-.42 .15,-.26 .45,-.36 .68,-.08 .98,.04 .88,.3"
    sketch.solid(blob(puffs) * (stretch, 1), (244, 247, 252))
    return sketch


def _ball(rng: Random) -> Sketch:
    sketch, hue = Sketch(), rng.uniform(0, 360)
    sketch.solid(ellipse(0, 0, 1, 1), hsv(hue, 0.6, 0.95))
    sketch.mark(
        limb(curve((-1, 0.2), (0, rng.uniform(-0.5, 0.5)), (1, 0.1)), 0.45, 0.45),
        (250, 250, 250),
        0.9,
    )
    sketch.gloss(-0.4, -0.45, 0.25, 0.15)
    return sketch


def _balloon(rng: Random) -> Sketch:
    sketch = Sketch()
    sketch.line(curve((0, 0.4), (rng.uniform(-0.2, 0.2), 0.8), (0, 1.3)), (120, 116, 126), 0.03)
    sketch.solid(
        blob("0,-.9 .55,-.55 .5,0 .12,.42 -.12,.42 -.5,0 -.55,-.55"),
        hsv(rng.uniform(0, 360), 0.6, 0.95),
    )
    sketch.gloss(-0.22, -0.5, 0.16, 0.1)
    return sketch


def _flower(rng: Random) -> Sketch:
    sketch, colour = Sketch(), hsv(rng.uniform(0, 360), rng.uniform(0.2, 0.6), 1.0)
    sketch.line(curve((0, 0), (rng.uniform(-0.2, 0.2), 0.6), (0, 1.2)), (92, 150, 80), 0.1)
    for turn in range(0, 360, 60):
        angle = math.radians(turn)
        sketch.solid(
            ellipse(0.36 * math.cos(angle), 0.36 * math.sin(angle), 0.3, 0.18, turn), colour
        )
    sketch.solid(ellipse(0, 0, 0.22, 0.22), (255, 214, 90))
    return sketch


def _scribble(rng: Random) -> Sketch:
    """Lines that look like a caption or a watermark."""
    sketch, colour = Sketch(), hsv(rng.uniform(0, 360), 0.4, rng.uniform(0.1, 1.0))
    for row in range(int(rng.integers(1, 4))):
        for word in np.arange(-1, 1, 0.45):
            x = np.linspace(word, word + rng.uniform(0.2, 0.36), 9)
            y = row * 0.3 + rng.uniform(-0.08, 0.08, 9)
            sketch.line(np.stack([x, y], axis=1), colour, 0.025)
    return sketch


THINGS: dict[str, Callable[[Random], Sketch]] = {
    "tree": _tree,
    "rock": _rock,
    "cloud": _cloud,
    "ball": _ball,
    "balloon": _balloon,
    "flower": _flower,
    "scribble": _scribble,
}
"""Every thing that stands about and is never labelled."""
