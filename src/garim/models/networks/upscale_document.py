"""``document``: the super-resolution network of the document, 16 × 16 pixels to 32 × 32.

A transposed convolution to 27 channels, convolutions to 9 and to 3; no pooling. The document names
the shapes; kernels of 3 × 3 and ReLU between the layers are what its time took for granted.
"""

from __future__ import annotations

from torch import Tensor, nn


class Document(nn.Module):
    """Enlarge pictures ``(n, 3, h, w)`` with values 0 to 1 to ``(n, 3, scale·h, scale·w)``.

    Args:
        scale: how many times larger the result is along each side.
        learning: the same network either way; others have another form while they learn.
    """

    margin = 3
    """How many pixels around a pixel have a say in what becomes of it."""

    def __init__(self, scale: int = 2, learning: bool = False) -> None:
        super().__init__()
        kernel = max(3, scale)
        padding = (kernel - scale + 1) // 2
        self.scale = scale
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(3, 27, kernel, scale, padding, 2 * padding + scale - kernel),
            nn.ReLU(),
            nn.Conv2d(27, 9, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(9, 3, 3, padding=1),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Enlarge."""
        enlarged: Tensor = self.layers(pictures)
        return enlarged

    def merge(self) -> Document:
        """Give the network as it is saved: itself."""
        return self
