"""Seconds per megapixel of result, ×2, on the CPU: Garim against OpenCV.

    python benchmarks/upscaling_speed.py --json docs/benchmarks/upscaling_speed.json

OpenCV's bicubic interpolation, and OpenCV's ``dnn`` with the same network (through ONNX; its
``dnn_superres`` runs such networks the same way, but is not in the headless wheel) and with an
FSRCNN-sized one. Best of three, with as many threads as ``--threads`` says for each.
"""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from garim.enhancement.methods import bicubic
from garim.models.upscaler import Upscaler, UpscalerCard, create_upscaler, shipped
from garim.resizing import Values, as_pixels
from harness import leave, parsed, parser

SIDES = (720, 480)
"""Width and height of the small picture: 1.38 megapixels result."""


class Body(nn.Module):
    """The network without its bicubic part, which ``dnn`` does not know."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Give what is added to the bicubic enlargement."""
        network = self.network
        seen = start = nn.functional.leaky_relu(network.first(pictures - 0.5), 0.1)
        for conv in network.body:
            seen = nn.functional.leaky_relu(conv(seen), 0.1)
        return nn.functional.pixel_shuffle(network.last(seen + start), 2)


def in_opencv(upscaler: Upscaler) -> Callable[[Values], Values]:
    """Run the same network in OpenCV, on the whole picture."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "network.onnx"))
        example = (torch.zeros(1, 3, SIDES[1], SIDES[0]),)
        torch.onnx.export(Body(upscaler.network), example, path, dynamo=False)
        network = cv2.dnn.readNetFromONNX(path)

    def enlarge(values: Values) -> Values:
        network.setInput(cv2.dnn.blobFromImage(values))
        detail = network.forward()[0].transpose(1, 2, 0)
        return np.clip(cv2.resize(values, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC) + detail,
                       0, 1)  # fmt: skip

    return enlarge


def seconds(run: Callable[[Values], Values], values: Values) -> float:
    """Give the best of three, per megapixel of result."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        as_pixels(run(values))
        times.append(time.perf_counter() - started)
    return min(times) / (4 * values.shape[0] * values.shape[1] / 1e6)


def main() -> None:
    """Time every way."""
    command_line = parser(__doc__)
    command_line.add_argument("--threads", type=int, default=1)
    given = parsed(command_line)
    torch.set_num_threads(given.threads)
    cv2.setNumThreads(given.threads)
    values = np.random.default_rng(0).random((SIDES[1], SIDES[0], 3), np.float32)
    ready = shipped()
    compact = Upscaler(create_upscaler("compact", 2), UpscalerCard(architecture="compact"))
    ways: dict[str, Callable[[Values], Values]] = {
        "OpenCV bicubic": lambda v: cv2.resize(v, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC),
        "Garim bicubic (imresize)": lambda v: bicubic(v, 2),
        "Garim, shipped weights (78k parameters)": ready.enlarge,
        "OpenCV dnn, the same network": in_opencv(ready),
        "Garim, compact (21k parameters)": compact.enlarge,
        "OpenCV dnn, the same network, 21k": in_opencv(compact),
    }
    rows = [{"name": name, "seconds": seconds(way, values)} for name, way in ways.items()]
    for row in rows:
        print(f"{row['name']:42} {row['seconds']:.3f} s per megapixel")
    machine = {"processor": platform.processor() or platform.machine(), "threads": given.threads}
    leave(given.json, {"machine": machine, "rows": rows}, indent=2)


if __name__ == "__main__":
    main()
