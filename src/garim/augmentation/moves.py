"""Geometric changes of a picture as one matrix, so that its mask and its boxes follow exactly."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from garim.boxes import Box

Matrix = NDArray[np.float64]
"""From pixel centres of the picture to those of the changed one, shape ``(2, 3)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A turn, a shift, a zoom and a mirroring about the middle of a picture."""

    angle: float = 0.0
    """Degrees, clockwise."""
    shift: tuple[float, float] = (0.0, 0.0)
    """To the right and down, as shares of the sides."""
    zoom: tuple[float, float] = (1.0, 1.0)
    """Factors across and down; above 1 enlarges."""
    flip: bool = False

    def matrix(self, width: int, height: int) -> Matrix:
        """Give the matrix for a picture of this size, which it keeps."""
        to_centre = np.array([[1, 0, -width / 2 + 0.5], [0, 1, -height / 2 + 0.5], [0, 0, 1]])
        turn, angle = np.eye(3), np.radians(self.angle)
        turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        stretch = np.diag([-self.zoom[0] if self.flip else self.zoom[0], self.zoom[1], 1.0])
        back = np.linalg.inv(to_centre)
        back[:2, 2] += [self.shift[0] * width, self.shift[1] * height]
        return np.asarray((back @ turn @ stretch @ to_centre)[:2])


def warped(
    picture: NDArray[np.uint8],
    matrix: Matrix,
    *,
    smooth: bool = True,
    fill: tuple[int, int, int] | None = None,
) -> NDArray[np.uint8]:
    """Move the pixels of a picture.

    Args:
        picture: uint8 of shape ``(height, width)`` or ``(height, width, 3)``.
        matrix: of a `Move`.
        smooth: interpolate; not for a mask, whose values are class numbers.
        fill: colour beside the picture; None continues its edges, and objects that touch them.
    """
    height, width = picture.shape[:2]
    flags = cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST
    border = cv2.BORDER_REPLICATE if fill is None else cv2.BORDER_CONSTANT
    moved = cv2.warpAffine(
        picture, matrix, (width, height), flags=flags, borderMode=border, borderValue=fill or 0
    )
    return moved.astype(np.uint8)


def followed(box: Box, matrix: Matrix, width: int, height: int) -> tuple[Box, float]:
    """Move a box with its picture.

    Returns:
        The box around its four moved corners, cut to the picture, and the share of it that was not
        cut off, 0 to 1.
    """
    left, top, right, bottom = box.xyxy()
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]]) - 0.5
    moved = corners @ matrix[:, :2].T + matrix[:, 2] + 0.5  # edges, not pixel centres
    whole = Box(*moved.min(axis=0), *moved.max(axis=0))
    seen = whole.clip(width, height)
    return seen, seen.area / whole.area if whole.area else 0.0
