"""Draw docs/outlines.png: a drawn creature from other sides, and how far its outline is then.

python tools/outline_pictures.py
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from garim.demo.creatures import draw_creature
from garim.demo.drawing import Style, render
from garim.foreground import Contour, largest_contour
from garim.pictures import Pixels
from garim.report.sheet import compared_sheet
from garim.similarity.contours import height_distance, heights, hu_distances

DOCS = Path(__file__).resolve().parent.parent / "docs"
CREATURES = ("bubblefin", "thumpet", "emberling")
SIDE = 220


def main() -> None:
    """Draw three creatures, each from four sides, beside the next creature."""
    cards = []
    for number, name in enumerate(CREATURES):
        picture = _drawn(name)
        other = _drawn(CREATURES[(number + 1) % len(CREATURES)])
        own = _outline(picture)
        cards.append(([(Image.fromarray(picture), "")], name))
        views = {"turned": _turned(picture, 40), "from the side": _tilted(picture, 55),
                 "cut off": _cut(picture), "another": other}  # fmt: skip
        for mark, view in views.items():
            hu = hu_distances(own, _outline(view))["I1"]
            apart = height_distance(heights(own), heights(_outline(view)))
            caption = f"I1 {hu:.3f}, heights {apart:.3f}"
            cards.append(([(Image.fromarray(view), mark)], caption))
    compared_sheet(cards, columns=5, cell=SIDE).save(DOCS / "outlines.png")
    print("outlines.png written")


def _drawn(name: str) -> Pixels:
    """Draw a creature on white."""
    layer = render(draw_creature(name, np.random.default_rng(3)), 0.7 * SIDE, Style())
    canvas = np.full((SIDE, SIDE, 3), 255, np.float32)
    height, width = layer.shape[:2]
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    alpha = np.clip(layer[..., 3:] / 255, 0, 1)
    place = canvas[top : top + height, left : left + width]
    place[:] = layer[..., :3] + (1 - alpha) * place
    return canvas.round().astype(np.uint8)


def _outline(picture: Pixels) -> Contour:
    return largest_contour((picture.min(axis=2) < 235).astype(np.uint8))


def _warped(picture: Pixels, corners: np.ndarray) -> Pixels:
    before = np.array([[0, 0], [SIDE, 0], [SIDE, SIDE], [0, SIDE]], np.float32)
    onto = cv2.getPerspectiveTransform(before, corners.astype(np.float32))
    white = (255, 255, 255)
    return np.asarray(cv2.warpPerspective(picture, onto, (SIDE, SIDE), borderValue=white), np.uint8)


def _turned(picture: Pixels, degrees: float) -> Pixels:
    turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), degrees, 0.9)
    corners = np.array([[0, 0, 1], [SIDE, 0, 1], [SIDE, SIDE, 1], [0, SIDE, 1]]) @ turn.T
    return _warped(picture, corners)


def _tilted(picture: Pixels, degrees: float) -> Pixels:
    """Turn the picture's plane around its upright axis, seen from twice its width away."""
    angle, far = np.radians(degrees), 2 * SIDE
    x, y = (np.array([[0, 0], [SIDE, 0], [SIDE, SIDE], [0, SIDE]]) - SIDE / 2).T
    near = far / (far + x * np.sin(angle))
    return _warped(picture, np.column_stack([x * np.cos(angle) * near, y * near]) + SIDE / 2)


def _cut(picture: Pixels) -> Pixels:
    cut = picture.copy()
    cut[:, round(0.6 * SIDE) :] = 255
    return cut


if __name__ == "__main__":
    main()
