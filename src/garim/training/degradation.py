"""How a low-resolution picture comes about: blurred, shrunk, noisy, compressed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

from garim.pictures import Pixels, decode, to_array
from garim.resizing import imresize


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """What happens to a picture besides being shrunk; by default nothing."""

    blur: float = 0.0
    """Standard deviation of a Gaussian blur before shrinking, in pixels of the large picture."""
    kernel: tuple[tuple[float, ...], ...] = ()
    """Another blur before shrinking: rows of a kernel with odd sides; it is made to sum to 1."""
    noise: float = 0.0
    """Standard deviation of Gaussian noise after shrinking, of values 0 to 255."""
    jpeg: int | None = None
    """Quality of a JPEG compression at the end, 1 to 100."""

    def problems(self) -> list[str]:
        """List what cannot work."""
        found = [f"{name} must be at least 0, not {value}"
                 for name, value in (("blur", self.blur), ("noise", self.noise))
                 if not value >= 0]  # fmt: skip
        if self.jpeg is not None and not 1 <= self.jpeg <= 100:
            found.append(f"jpeg is a quality from 1 to 100, not {self.jpeg}")
        return found + _kernel_problems(self.kernel)

    def blurs(self) -> NDArray[np.float32] | None:
        """Give the kernel of the blur, which sums to 1; None for no blur."""
        if self.kernel:
            plane = np.array(self.kernel)
        elif self.blur:
            reach = ceil(3 * self.blur)
            line = np.exp(-0.5 * (np.arange(-reach, reach + 1) / self.blur) ** 2)
            plane = np.outer(line, line)
        else:
            return None
        summed: NDArray[np.float32] = (plane / plane.sum()).astype(np.float32)
        return summed


def degrade(
    high: Pixels, size: tuple[int, int], how: Degradation, rng: np.random.Generator
) -> Pixels:
    """Make the low-resolution picture of a pair.

    Args:
        high: RGB, shape ``(height, width, 3)``.
        size: width and height of the result in pixels.
        how: what else happens to it.
        rng: draws the noise.
    """
    kernel = how.blurs()
    if kernel is not None:
        turned = kernel[::-1, ::-1]  # filter2D correlates; a blur convolves
        high = cv2.filter2D(high, -1, turned, borderType=cv2.BORDER_REPLICATE).astype(np.uint8)
    low = imresize(high, size)
    if how.noise:
        noisy = low + rng.normal(0, how.noise, low.shape)
        low = np.clip(np.round(noisy), 0, 255).astype(np.uint8)
    if how.jpeg is not None:
        _, data = cv2.imencode(".jpg", low[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, how.jpeg])
        low = to_array(decode(data.tobytes(), "a compressed picture"))
    return low


def _kernel_problems(kernel: Sequence[Sequence[float]]) -> list[str]:
    if not kernel:
        return []
    sides = {len(row) for row in kernel}
    if len(sides) != 1 or not len(kernel) % 2 or not sides.pop() % 2:
        return ["a blur kernel is a table of numbers with an odd number of rows and of columns"]
    if not np.isfinite(np.array(kernel)).all() or np.array(kernel).sum() <= 0:
        return ["the numbers of a blur kernel must have a sum above 0"]
    return []
