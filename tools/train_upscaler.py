"""Train the ×2 weights that come with the package, on permissively licensed photos only.

    OMP_NUM_THREADS=1 python tools/train_upscaler.py --data ../shared/data --out RUN --minutes 88
    python tools/train_upscaler.py --data ../shared/data --out RUN --install

Photos are shrunk first, which takes out what JPEG did to them, and cut into patches of which the
flat ones are left out. The network learns L1 with Adam; the learning rate falls over the time that
is given, so that the training ends well on any machine, and the mean of the weights of the last
steps is kept. Interrupted, it goes on from RUN. ``--install`` writes the weights into the package,
with figures on the photos that were held out and on Set5, which was never trained on.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Iterator
from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import garim
from garim import files
from garim.evaluation.upscaling import evaluate_upscaler
from garim.formats.rows import Row
from garim.models.folder import WEIGHTS
from garim.models.networks.compact import Compact
from garim.models.upscaler import SHIPPED, Upscaler, UpscalerCard
from garim.pictures import Pixels, open_picture, to_array
from garim.resizing import imresize

SOURCES = ("clothing5", "fruit_boxes", "ccp_street5/photos")
"""Folders of the benchmark data whose licences allow this: CC0, MIT, Apache-2.0."""

PATCH, STEP = 96, 72
"""Side of a high-resolution patch, and the distance between two."""

FLAT = 3.0
"""Least mean step between neighbouring grey values of a patch, 0 to 255."""

HELD_OUT = 20
"""Every so many-th photo is held out."""

OPTIONS: dict[str, Any] = {"width": 32, "depth": 8}

RATE, BATCH = 1e-3, 12

SHARE_BF16 = 0.8
"""How much of the training runs in bfloat16; the end, where it would show, does not."""

DECAY = 0.999
"""How much of the averaged weights a step keeps."""


def shrunk(path: Path) -> Pixels:
    """Open a photo at half its size or less, both sides even, the longer at most 700 pixels."""
    pixels = to_array(open_picture(path).image)
    by = max(2.0, max(pixels.shape) / 700)
    width, height = (2 * int(side / by / 2) for side in (pixels.shape[1], pixels.shape[0]))
    return imresize(pixels, (width, height))


def cut(path: Path) -> Iterator[tuple[Pixels, Pixels]]:
    """Cut a photo into pairs of patches, low and high resolution."""
    high = shrunk(path)
    height, width = high.shape[:2]
    low = imresize(high, (width // 2, height // 2))
    for top in range(0, height - PATCH + 1, STEP):
        for left in range(0, width - PATCH + 1, STEP):
            patch = high[top : top + PATCH, left : left + PATCH]
            grey = patch.mean(axis=2)
            if np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean() > FLAT:
                half, side = (top // 2, left // 2), PATCH // 2
                yield low[half[0] : half[0] + side, half[1] : half[1] + side], patch


def patches(data: Path, held_out: bool) -> tuple[Tensor, Tensor]:
    """Read all pairs to train on, or those that are held out."""
    pairs: list[tuple[Pixels, Pixels]] = []
    for source in SOURCES:
        found = (data / source).rglob("*")
        photos = sorted(p for p in found if p.suffix.lower() in {".jpg", ".jpeg", ".png"})
        for number, photo in enumerate(photos):
            if (number % HELD_OUT == 0) == held_out:
                pairs += cut(photo)
    low, high = (np.stack(part).transpose(0, 3, 1, 2) for part in zip(*pairs, strict=True))
    return torch.from_numpy(low), torch.from_numpy(high)


def batch(low: Tensor, high: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draw a batch, each pair turned and mirrored together."""
    chosen = torch.from_numpy(rng.integers(0, len(low), BATCH))
    turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
    parts = []
    for part in (low[chosen], high[chosen]):
        turned = torch.rot90(part.flip(3) if mirrored else part, turns, (2, 3))
        parts.append((turned.float() / 255).contiguous(memory_format=torch.channels_last))
    return parts[0], parts[1]


@torch.inference_mode()
def psnr(network: Compact, low: Tensor, high: Tensor) -> float:
    """Mean PSNR of held-out patches on luminance, border of 2."""
    luma = torch.tensor([65.481, 128.553, 24.966])[:, None, None] / 255
    found = []
    for some in torch.arange(0, len(low), max(1, len(low) // 300)).split(32):  # type: ignore[no-untyped-call]
        out = network(low[some].float() / 255).mul(255).round().clamp(0, 255)
        wrong = ((out - high[some]) * luma).sum(dim=1)[:, 2:-2, 2:-2]
        found.append(10 * torch.log10(255**2 / wrong.square().mean(dim=(1, 2))))
    return float(torch.cat(found).clamp(max=60).mean())


class Run:
    """A training that can be left and continued: network, averaged weights, optimizer, time."""

    def __init__(self, folder: Path, minutes: float) -> None:
        self.folder = folder
        self.seconds = 60 * minutes
        self.network = Compact(learning=True, **OPTIONS).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=RATE)
        self.step = 0
        spent = self._continued()
        self.began = time.monotonic() - spent

    def _continued(self) -> float:
        """Take up what is there, and give the seconds that were spent on it."""
        if not (self.folder / "last.pt").exists():
            return 0.0
        state = torch.load(self.folder / "last.pt", weights_only=True)
        for name in ("network", "average", "optimizer"):
            getattr(self, name).load_state_dict(state[name])
        self.step = int(state["step"])
        return float(state["spent"])

    @property
    def progress(self) -> float:
        """How much of the time is used up, from 0 to 1."""
        return (time.monotonic() - self.began) / self.seconds

    def learn(self, small: Tensor, wanted: Tensor) -> float:
        """Take one step and give its loss."""
        progress = self.progress
        rate = RATE * min(1.0, (self.step + 1) / 200) * (0.01 + 0.99 * (1 + cos(pi * progress)) / 2)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16, enabled=progress < SHARE_BF16):
            given = self.network(small)
        loss = (given.float() - wanted).abs().mean()
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 0.5)
        self.optimizer.step()
        self._update_average()
        self.step += 1
        return float(loss.item())

    @torch.no_grad()
    def _update_average(self) -> None:
        weight = 1 - min(DECAY, (1 + self.step) / (10 + self.step))
        pairs = zip(self.average.parameters(), self.network.parameters(), strict=True)
        for kept, new in pairs:
            kept.lerp_(new, weight)

    def merged(self) -> Compact:
        """Give the averaged network as it is shipped."""
        return copy.deepcopy(self.average).merge()

    def save(self) -> None:
        """Write what is needed to continue, and the averaged weights."""
        everything = {name: getattr(self, name).state_dict()
                      for name in ("network", "average", "optimizer")}  # fmt: skip
        state = {**everything, "step": self.step, "spent": time.monotonic() - self.began}
        _save(state, self.folder / "last.pt")
        _save(self.merged().state_dict(), self.folder / "average.pt")


def _save(state: Any, path: Path) -> None:
    with files.replacing(path) as temporary:
        torch.save(state, temporary)


def train(data: Path, out: Path, minutes: float) -> None:
    """Train until the time is up; the averaged weights are in ``RUN/average.pt``."""
    torch.manual_seed(0)
    out.mkdir(parents=True, exist_ok=True)
    low, high = patches(data, held_out=False)
    checks = patches(data, held_out=True)
    run = Run(out, minutes)
    rng = np.random.default_rng(run.step)
    print(f"{len(low)} pairs, {len(checks[0])} held out, from step {run.step}", flush=True)
    saved, losses = time.monotonic(), []
    while (progress := run.progress) < 1:
        losses.append(run.learn(*batch(low, high, rng)))
        if time.monotonic() - saved > 120:
            saved = time.monotonic()
            run.save()
            print(f"{progress:.1%} step {run.step} loss {np.mean(losses):.5f} "
                  f"held out {psnr(run.merged(), *checks):.3f} dB", flush=True)  # fmt: skip
            losses = []
    run.save()
    print(f"{run.step} steps, held out {psnr(run.merged(), *checks):.3f} dB")


def install(data: Path, run: Path) -> None:
    """Write the weights of a run into the package, with their figures and their model card."""
    network = Compact(**OPTIONS)
    network.load_state_dict(torch.load(run / "average.pt", weights_only=True))
    state = torch.load(run / "last.pt", weights_only=True)
    metrics = {"held_out_psnr": round(psnr(network, *patches(data, held_out=True)), 3)}
    trained = {"steps": state["step"], "minutes": round(state["spent"] / 60), "batch": BATCH,
               "patch": PATCH, "loss": "l1", "learning_rate": RATE}  # fmt: skip
    card = UpscalerCard(
        architecture="compact", options=OPTIONS, licence="Apache-2.0",
        dataset="clothing5 (CC0), fruit_boxes (MIT), ccp_street5 (Apache-2.0)",
        trained=trained, metrics=metrics,
    )  # fmt: skip
    judged = evaluate_upscaler(Upscaler(network, card), set5(data)).to_dict()
    metrics |= {f"set5_{name}": judged[name] for name in ("psnr", "ssim")}
    target = Path(garim.__file__).parent / "models" / "shipped" / SHIPPED
    Upscaler(network, card).save(target)
    (target / WEIGHTS).chmod(0o644)  # whoever installs the package may not be who made it
    parameters = sum(p.numel() for p in network.parameters())
    text = CARD.format(**trained, **metrics, **OPTIONS, parameters=parameters)
    files.write_text(target / "README.md", text)
    print(f"{target}: {parameters:,} parameters, {metrics}")


def set5(data: Path) -> garim.Dataset:
    """Give the five large pictures of Set5."""
    root = data / "sr_set5" / "Set5" / "image_SRF_2"
    rows = tuple(Row(file_name=path.name) for path in sorted(root.glob("*_HR.png")))
    return garim.Dataset(root=root, rows=rows, classes=(), origin=root)


CARD = """# compact ×2

Enlarges RGB pictures to twice their sides. These weights come with Garim and are used by
`garim upscale` where no other model is named.

- **Network**: `compact`, {depth} convolutions of {width} channels between the first and the last,
  {parameters:,} parameters; all at low resolution, added to a bicubic enlargement, then pixels are
  shuffled into place. Trained as sums of linear blocks, which were merged.
- **Trained on** photos that may be used so: `clothing5` (the clothing dataset, small; CC0),
  `fruit_boxes` (fruit images for object detection; MIT) and `ccp_street5` (clothing co-parsing;
  Apache-2.0). Each was shrunk at least to half first, which takes out what JPEG did to it. Nothing
  of Set5 or another benchmark was among them.
- **How**: pairs of {patch} and half as many pixels a side, the small one by MATLAB's bicubic;
  {loss} loss, Adam from {learning_rate} along a cosine, {steps:,} steps of {batch} pairs,
  {minutes} minutes on one core of a CPU; the running mean of the weights. `tools/train_upscaler.py`
  does it again.
- **Figures**: Set5 ×2, luminance, border 2: {set5_psnr:.2f} dB, SSIM {set5_ssim:.4f} (bicubic:
  33.67, .9303). On photos that were held out: {held_out_psnr:.2f} dB.
- **Licence**: Apache-2.0, as Garim.
- **Good for** pictures that are small, not those that are blurred or badly compressed: a known blur
  is for `--method zero-shot`, and what JPEG left behind is sharpened like everything else.
"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=88)
    parser.add_argument("--install", action="store_true")
    given = parser.parse_args()
    if given.install:
        install(given.data, given.out)
    else:
        train(given.data, given.out, given.minutes)
