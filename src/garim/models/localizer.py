"""Where in a picture is each class? A small head on a classifier's own feature maps.

For every cell of a grid the head says how much it looks like background and like each class, and
which box the object has that the cell is part of. It is learned from the folder labels alone
(`garim.training.localizer`), and costs one pass of the classifier's network per picture.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional

from garim import files
from garim.errors import ModelError

LEVELS = 3
"""Feature maps that are used: the last ones, of different resolution."""

COMPONENTS = 96
"""Most principal components that are kept of each map."""

WIDTH = 64
"""Channels of the head."""

DILATIONS = (1, 2, 4, 8)
"""How far apart the neighbours are that each of the head's blocks looks at."""


class Localizer(nn.Module):
    """Feature maps to scores ``(n, 1 + classes, grid, grid)`` and boxes ``(n, 4, grid, grid)``.

    Class 0 is background. Boxes are left, top, right, bottom as shares of the picture's sides; one
    belongs to the object that its cell is part of, and means nothing on background. They are
    regressed as distances from the cell, as in FCOS (Tian et al. 2019).

    Args:
        channels: channels of each feature map, coarsest last.
        classes: how many classes.
        grid: cells per side of the result.
        size: side of the square input in pixels.
    """

    x: Tensor
    y: Tensor

    def __init__(self, channels: Sequence[int], classes: int, grid: int, size: int) -> None:
        super().__init__()
        self.channels, self.classes, self.grid, self.size = tuple(channels), classes, grid, size
        kept = [min(COMPONENTS, c) for c in channels]
        for level, (c, k) in enumerate(zip(channels, kept, strict=True)):
            self.register_buffer(f"mean{level}", torch.zeros(c))
            self.register_buffer(f"basis{level}", torch.zeros(c, k))
        self.body = nn.Sequential(
            nn.Dropout2d(0.1), nn.Conv2d(sum(kept), WIDTH, 1), nn.GELU(), *map(_Block, DILATIONS)
        )
        self.classify = nn.Conv2d(WIDTH, 1 + classes, 1)
        self.reach = nn.Conv2d(WIDTH, 4, 1)
        centres = (torch.arange(grid) + 0.5) / grid
        self.register_buffer("x", centres.repeat(grid, 1), persistent=False)
        self.register_buffer("y", centres[:, None].repeat(1, grid), persistent=False)

    def fit_basis(self, level: int, cells: Tensor) -> None:
        """Choose principal components of one map from cells ``(n, channels)``."""
        mean = cells.mean(dim=0)
        _, spread, basis = torch.linalg.svd(cells - mean, full_matrices=False)
        kept = self.get_buffer(f"basis{level}").shape[1]
        scale = 3 * len(cells) ** 0.5 / spread[0].clamp(min=1e-6)
        padded = torch.zeros(cells.shape[1], kept)
        padded[:, : min(kept, len(basis))] = basis[:kept].T * scale
        setattr(self, f"mean{level}", mean)
        setattr(self, f"basis{level}", padded)

    def cells(self, maps: Sequence[Tensor]) -> Tensor:
        """Bring feature maps ``(n, c, h, w)`` to one grid: ``(n, components, grid, grid)``."""
        parts = []
        for level, one in enumerate(maps):
            mean, basis = self.get_buffer(f"mean{level}"), self.get_buffer(f"basis{level}")
            projected = ((one.permute(0, 2, 3, 1) - mean) @ basis).permute(0, 3, 1, 2)
            parts.append(_to_grid(projected, self.grid))
        return torch.cat(parts, dim=1)

    def on_cells(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Score cells that are already on the grid, and box what they are part of."""
        seen = self.body(cells)
        left, top, right, bottom = (functional.softplus(self.reach(seen)) / 4).unbind(dim=1)
        boxes = torch.stack([self.x - left, self.y - top, self.x + right, self.y + bottom], dim=1)
        return self.classify(seen), boxes

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Score every cell, and box what it is part of."""
        return self.on_cells(self.cells(maps))


class _Block(nn.Module):
    """Each cell with its neighbours at one distance, channel by channel, then all channels."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.around = nn.Conv2d(
            WIDTH, WIDTH, 3, padding=dilation, dilation=dilation, groups=WIDTH
        )  # fmt: skip
        self.norm = nn.GroupNorm(1, WIDTH)
        self.mix = nn.Conv2d(WIDTH, WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = functional.gelu(self.mix(self.norm(self.around(x))))
        return x + changed


def save_localizer(localizer: Localizer, path: Path) -> None:
    """Write a localizer with its shape in the file's metadata."""
    shape = {
        "channels": localizer.channels,
        "classes": localizer.classes,
        "grid": localizer.grid,
        "size": localizer.size,
    }
    state = {name: t.detach().cpu().contiguous() for name, t in localizer.state_dict().items()}
    files.write_bytes(path, save(state, metadata={"localizer": json.dumps(shape)}))


def load_localizer(path: Path) -> Localizer:
    """Read a localizer.

    Raises:
        ModelError: the file is broken or holds something else.
    """
    try:
        with safe_open(path, "pt") as opened:
            shape = json.loads((opened.metadata() or {})["localizer"])
        localizer = Localizer(
            [int(c) for c in shape["channels"]],
            int(shape["classes"]), int(shape["grid"]), int(shape["size"]),
        )  # fmt: skip
        localizer.load_state_dict(load_file(path))
    except (
        SafetensorError,
        OSError,
        RuntimeError,
        KeyError,
        ValueError,
        TypeError,
        OverflowError,
    ) as error:
        raise ModelError(f"{path}: is no localizer: {error}") from error
    return localizer.eval()


def _to_grid(maps: Tensor, grid: int) -> Tensor:
    if maps.shape[-1] > grid:
        return functional.adaptive_avg_pool2d(maps, grid)
    return functional.interpolate(maps, size=(grid, grid), mode="bilinear", align_corners=False)


def evidence(scores: Tensor, number: int) -> Tensor:
    """Evidence for one class against background and all others, as log odds.

    Args:
        scores: cell scores, shape ``(..., 1 + classes, grid, grid)``.
        number: class number, from 0.

    Returns:
        Shape ``(..., grid, grid)``; above 0 the class is likelier than all else together.
    """
    others = torch.cat([scores[..., : number + 1, :, :], scores[..., number + 2 :, :, :]], dim=-3)
    return scores[..., number + 1, :, :] - others.logsumexp(dim=-3)


def feature_maps(network: nn.Module, inputs: Tensor) -> list[Tensor] | None:
    """Give the last feature maps ``(n, c, h, w)`` of a network, finest first.

    Returns:
        None for networks that have no such maps (a flattened head, tokens without a grid).
    """
    if not hasattr(network, "forward_intermediates"):
        return None
    forward: Callable[..., list[Tensor]] = network.forward_intermediates  # type: ignore[assignment]
    maps = forward(inputs, intermediates_only=True)
    if any(one.ndim != 4 for one in maps):
        return None
    by_size = {one.shape[-1]: one for one in maps}
    return list(by_size.values())[-LEVELS:]


def cell_scores(network: nn.Module, inputs: Tensor) -> Tensor | None:
    """Classify every cell of the last feature map by itself: ``(n, classes, h, w)``.

    With a linear head on pooled features this is the class activation map (Zhou et al. 2016).
    """
    last: Tensor = network.forward_features(inputs)  # type: ignore[operator]
    if last.ndim != 4:
        return None
    n, c, h, w = last.shape
    alone = last.permute(0, 2, 3, 1).reshape(n * h * w, c, 1, 1)
    scores: Tensor = network.forward_head(alone)  # type: ignore[operator]
    return scores.reshape(n, h, w, -1).permute(0, 3, 1, 2)
