"""``compact``: a small super-resolution network that adds detail to a bicubic enlargement.

All work is done at low resolution, then pixels are shuffled into place (Shi et al. 2016, ESPCN).
While it learns, each convolution is the sum of a wide linear block, a 1 × 1 convolution and the
identity, which merge into one 3 × 3 convolution (Bhardwaj et al. 2022, SESR). They are merged in
every step, on the weights, so that the wide blocks cost next to nothing; saved is what is merged.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDE = 128
"""Channels of the linear blocks while they learn."""

SLOPE = 0.1
"""Slope of the activations below 0."""


class MergingConv(nn.Module):
    """A 3 × 3 convolution that learns as a sum of linear blocks: wide, 1 × 1, identity."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.expand = nn.Parameter(torch.empty(WIDE, inputs, 3, 3))
        self.squeeze = nn.Parameter(torch.empty(outputs, WIDE))
        self.point = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        for weight in (self.expand, self.squeeze, self.point):
            nn.init.xavier_normal_(weight, 0.5)
        identity = torch.eye(outputs, inputs) * (inputs == outputs)
        self.register_buffer("identity", identity, persistent=False)

    def weight(self) -> Tensor:
        """Merge the blocks into one kernel, shape ``(outputs, inputs, 3, 3)``."""
        wide = torch.einsum("ow,wixy->oixy", self.squeeze, self.expand)
        middle = self.point + self.get_buffer("identity")
        return wide + functional.pad(middle[:, :, None, None], (1, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve with the merged kernel."""
        with torch.autocast(x.device.type, enabled=False):
            weight = self.weight()
        return functional.conv2d(x, weight, self.bias, padding=1)

    def merged(self) -> nn.Conv2d:
        """Give the one convolution that does the same."""
        conv = _conv(*self.point.shape[::-1])
        conv.load_state_dict({"weight": self.weight(), "bias": self.bias})
        return conv


MOST_DEPTH, MOST_WEIGHTS = 512, 100_000_000
"""Bounds that no network of the field comes near, so that a broken config is refused at once."""


class Compact(nn.Module):
    """Enlarge pictures ``(n, 3, h, w)`` with values 0 to 1 to ``(n, 3, scale·h, scale·w)``.

    Args:
        scale: how many times larger the result is along each side.
        width: channels.
        depth: 3 × 3 convolutions between the first and the last.
        learning: build each convolution as the blocks that `merge` makes one of.

    Raises:
        ValueError: far larger than any such network; building it would take for ever.
    """

    def __init__(
        self, scale: int = 2, width: int = 16, depth: int = 8, learning: bool = False
    ) -> None:
        super().__init__()
        if depth > MOST_DEPTH or depth * width**2 * 9 > MOST_WEIGHTS:
            raise ValueError(f"depth {depth} and width {width} are more than can be built")
        self.scale = scale
        conv: Callable[[int, int], nn.Module] = MergingConv if learning else _conv
        self.first = conv(3, width)
        self.body = nn.ModuleList(conv(width, width) for _ in range(depth))
        self.last = conv(width, 3 * scale**2)

    @property
    def margin(self) -> int:
        """How many pixels around a pixel have a say in what becomes of it."""
        return len(self.body) + 2

    def forward(self, pictures: Tensor) -> Tensor:
        """Enlarge."""
        start = functional.leaky_relu(self.first(pictures - 0.5), SLOPE)
        seen = start
        for conv in self.body:
            seen = functional.leaky_relu(conv(seen), SLOPE)
        detail = functional.pixel_shuffle(self.last(seen + start), self.scale)
        return enlarged(pictures, self.scale) + detail

    def merge(self) -> Compact:
        """Make single convolutions of the blocks, in place."""
        self.first, self.last = _merged(self.first), _merged(self.last)
        self.body = nn.ModuleList(_merged(conv) for conv in self.body)
        return self


def enlarged(pictures: Tensor, scale: int) -> Tensor:
    """Enlarge by bicubic interpolation with a = −0.5, the kernel of `garim.resizing`."""
    return functional.interpolate(pictures, scale_factor=scale, mode="bicubic", antialias=True)


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _merged(conv: nn.Module) -> nn.Module:
    return conv.merged() if isinstance(conv, MergingConv) else conv
