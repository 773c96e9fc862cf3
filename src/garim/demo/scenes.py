"""Whole pictures: a background, things that stand about, and the creatures, with their boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from garim.boxes import Box, intersections, iou, to_array
from garim.demo.backgrounds import Canvas, draw_background, draw_thing
from garim.demo.creatures import draw_creature
from garim.demo.drawing import INK, VISIBLE_ALPHA, Layer, Random, Style, render, visible_box
from garim.formats.rows import Object

LARGEST_IOU = 0.12
"""Boxes of two creatures overlap less than this …"""
LARGEST_SHARE = 0.3
"""… and share less than this part of the smaller one, so that none hides another."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A drawn picture and the box of each creature's visible pixels, the intended one first."""

    image: Image.Image
    objects: tuple[Object, ...]


def draw_scene(name: str, others: Sequence[str], rng: Random) -> Scene:
    """Draw a picture of the creature ``name``, off-centre, with ``others`` beside it.

    Of the others, those that find no room are left out, but never the first.
    """
    canvas = draw_background(rng)
    for _ in range(rng.integers(0, 4)):
        _put(canvas, *draw_thing(canvas, rng))
    placed = _arrange([name, *others], canvas.shape[1], canvas.shape[0], rng)
    owners = np.full(canvas.shape[:2], -1)
    for index in rng.permutation(len(placed)):
        _, layer, left, top = placed[index]
        if rng.random() < 0.6:
            _put_shadow(canvas, layer, left, top)
        _put(canvas, layer, left, top, owners, index)
    boxes = [visible_box(owners == index) for index in range(len(placed))]
    objects = [Object(item[0], Box(*box)) for item, box in zip(placed, boxes, strict=True) if box]
    return Scene(Image.fromarray(_photographed(canvas, rng)), tuple(objects))


_Placed = tuple[str, Layer, int, int]
"""A creature's name, its layer, and where the layer's left and top lie."""


def _arrange(names: Sequence[str], width: int, height: int, rng: Random) -> list[_Placed]:
    """Draw each creature and find a place where it hides no other; at least two when asked."""
    placed, boxes = list[_Placed](), list[Box]()
    sizes = (0.18, 0.64, 0.75) if len(names) == 1 else (0.18, 0.36, 0.58)
    for position, name in enumerate(names):
        size, sketch, style = rng.triangular(*sizes), draw_creature(name, rng), _style(rng)
        for _ in range(12 if position < 2 else 3):
            layer = render(sketch, size * min(width, height), style)
            spot = _free_spot(layer, boxes, width, height, rng)
            if spot:
                placed.append((name, layer, *spot))
                boxes.append(Box.from_xywh([*spot, layer.shape[1], layer.shape[0]]))
                break
            size = max(size * 0.85, sizes[0])
    return placed


def _style(rng: Random) -> Style:
    """Choose how an individual is inked and lit."""
    outline = float(rng.choice([0.0, 0.009, 0.013, 0.018]))
    ink = None if rng.random() < 0.7 else INK
    return Style(outline, ink, rng.uniform(0.55, 1.1), bool(rng.random() < 0.2))


def _free_spot(
    layer: Layer, boxes: Sequence[Box], width: int, height: int, rng: Random
) -> tuple[int, int] | None:
    tall, wide = layer.shape[:2]
    beyond = rng.uniform(0, 0.12) if rng.random() < 0.15 else -0.02
    low = np.array([-wide * beyond, -tall * beyond])
    high = np.maximum(np.array([width, height]) - (wide, tall) - low, low + 1)
    for left, top in rng.uniform(low, high, (25, 2)).astype(int):
        if not boxes or _is_apart(Box.from_xywh([left, top, wide, tall]), boxes):
            return int(left), int(top)
    return None


def _is_apart(box: Box, boxes: Sequence[Box]) -> bool:
    one, many = to_array([box]), to_array(boxes)
    smaller = np.minimum(box.area, [other.area for other in boxes])
    share = intersections(one, many)[0] / smaller
    return bool(iou(one, many).max() < LARGEST_IOU and share.max() < LARGEST_SHARE)


def _put(
    canvas: Canvas,
    layer: Layer,
    left: int,
    top: int,
    owners: NDArray[np.int_] | None = None,
    owner: int = 0,
) -> None:
    """Lay a layer over the canvas, cut at its edges, and note whose its pixels are now."""
    height, width = canvas.shape[:2]
    part = layer[max(-top, 0) : height - top, max(-left, 0) : width - left]
    window = (
        slice(max(top, 0), max(top, 0) + part.shape[0]),
        slice(max(left, 0), max(left, 0) + part.shape[1]),
    )
    below = canvas[window] * (1 - part[..., 3:] / 255)
    canvas[window] = np.clip(below + part[..., :3], 0, 255)
    if owners is not None:
        owners[window][part[..., 3] >= VISIBLE_ALPHA] = owner


def _put_shadow(canvas: Canvas, layer: Layer, left: int, top: int) -> None:
    """Darken the ground below a layer, softly."""
    tall, wide = layer.shape[:2]
    x, y = np.linspace(-1.1, 1.1, wide), np.linspace(-1.1, 1.1, max(tall // 4, 4))[:, None]
    shadow = np.zeros((len(y), wide, 4), dtype=np.float32)
    shadow[..., 3] = 130 * np.clip(1 - x**2 - y**2, 0, 1)
    _put(canvas, shadow, left, top + tall - len(y) * 11 // 20)


def _photographed(canvas: Canvas, rng: Random) -> Canvas:
    """Vary exposure and tint, soften some pictures and add grain to some."""
    gain = rng.uniform(0.84, 1.12) * rng.uniform(0.95, 1.05, 3)
    values: NDArray[np.float32] = np.multiply(canvas, gain, dtype=np.float32)
    values += np.float32(rng.uniform(-10, 12))
    if rng.random() < 0.25:
        cv2.GaussianBlur(values, (0, 0), rng.uniform(0.5, 1.1), dst=values)
    if rng.random() < 0.4:
        grain = rng.standard_normal((*values.shape[:2], 1), dtype=np.float32)
        values += grain * np.float32(rng.uniform(2, 9))
    return np.asarray(np.clip(values, 0, 255), dtype=np.uint8)
