"""A trained detector: every object of a class gets a box.

torchvision's FCOS (Tian et al. 2019) or Faster R-CNN (Ren et al. 2015), on a feature pyramid (Lin
et al. 2017) over any timm network that gives feature maps; or transformers' RT-DETR. No weights are
ever fetched here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision.models.detection import FCOS, FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import FCOSHead
from torchvision.ops import MultiScaleRoIAlign

from garim.errors import ModelError
from garim.models import folder
from garim.models.computing import Computing
from garim.models.detections import LEAST, Detections
from garim.models.pyramid import (
    RATIOS,
    SIDES,
    STRIDES,
    WIDTH,
    AsTheyCome,
    Pyramid,
    encoder_of,
)
from garim.models.rtdetr import RTDetr
from garim.models.segmenter import at_working_size
from garim.pictures import Pixels

MOST = 300
"""Most objects that are found in one picture."""

CONVOLUTIONS = 2
"""Convolutions before what FCOS says of a cell; the paper has four."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorCard:
    """What a detector's folder says about it."""

    network: str
    """A line of ``NETWORKS``."""
    backbone: str
    options: dict[str, Any] = field(default_factory=dict)
    """More arguments of the backbone, or of a network that has one of its own."""
    classes: tuple[str, ...]
    size: int
    """Longest side that pictures are brought to, in pixels."""
    mean: tuple[float, float, float]
    """Subtracted per channel (RGB) from values 0 to 1."""
    std: tuple[float, float, float]
    """Divided by, per channel, after that."""
    weights_licence: str = "unknown"
    """Licence of the starting weights."""
    dataset: str = ""
    """Fingerprint of the dataset that it was trained on."""
    trained: dict[str, Any] = field(default_factory=dict)
    """Settings of the training."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Figures on the validation split."""


@dataclass(frozen=True, slots=True)
class Network:
    """A kind of detector."""

    create: Callable[[DetectorCard], nn.Module]
    """Builds it with random weights."""
    first: int
    """Number that the first class has in it."""
    own_backbone: bool = False
    """Whether it brings its own backbone, and starts from a folder of weights for the whole."""


def _fcos(card: DetectorCard) -> nn.Module:
    backbone = Pyramid(encoder_of(card.backbone, card.options, STRIDES[1:]), coarser=True)
    anchors = AnchorGenerator(((8,), (16,), (32,), (64,)), ((1.0,),) * 4)
    head = FCOSHead(WIDTH, 1, len(card.classes), num_convs=CONVOLUTIONS)
    network: nn.Module = FCOS(
        backbone, len(card.classes), anchor_generator=anchors, head=head,
        image_mean=list(card.mean), image_std=list(card.std), score_thresh=LEAST,
        detections_per_img=MOST,
    )  # fmt: skip
    return network


def _faster_rcnn(card: DetectorCard) -> nn.Module:
    network: nn.Module = FasterRCNN(
        Pyramid(encoder_of(card.backbone, card.options)),
        len(card.classes) + 1,
        rpn_anchor_generator=AnchorGenerator(tuple((s,) for s in SIDES), (RATIOS,) * len(SIDES)),
        box_roi_pool=MultiScaleRoIAlign(["0", "1", "2", "3"], 7, 2),
        image_mean=list(card.mean), image_std=list(card.std),
        rpn_pre_nms_top_n_train=1000, rpn_post_nms_top_n_train=500, box_batch_size_per_image=128,
        box_score_thresh=LEAST, box_detections_per_img=MOST,
    )  # fmt: skip
    return network


def _rtdetr(card: DetectorCard) -> nn.Module:
    return RTDetr(card.options, len(card.classes), MOST, _as_they_come(card))


def _as_they_come(card: DetectorCard) -> AsTheyCome:
    return AsTheyCome(card.size, card.size, list(card.mean), list(card.std))


NETWORKS: dict[str, Network] = {
    "fcos": Network(_fcos, 0),  # one stage, no anchors; the quicker
    "faster-rcnn": Network(_faster_rcnn, 1),  # two stages
    "rtdetr": Network(_rtdetr, 0, own_backbone=True),  # a transformer; needs transformers
}
"""Every kind of detector by its name."""


class Detector(Computing[DetectorCard]):
    """A network with its classes and its input, ready to find objects.

    Args:
        network: torchvision's contract of detectors.
        card: classes and input.
    """

    def __init__(self, network: nn.Module, card: DetectorCard) -> None:
        self.network = network.eval()
        self.card = card

    def detect(self, picture: Pixels, least: float = LEAST) -> Detections:
        """Find the objects of a picture.

        Args:
            picture: RGB, uint8 of shape ``(height, width, 3)``.
            least: least score, 0 to 1.
        """
        height, width = picture.shape[:2]
        small = at_working_size(picture, self.card.size)
        pixels = torch.from_numpy(small.copy()).permute(2, 0, 1).float().div(255)
        with torch.inference_mode():
            (found,) = self.network([pixels.to(self.device)])
        scale = np.array([width / small.shape[1], height / small.shape[0]] * 2)
        return Detections(
            boxes=found["boxes"].cpu().numpy() * scale,
            numbers=found["labels"].cpu().numpy() - NETWORKS[self.card.network].first,
            scores=found["scores"].cpu().numpy(),
        ).above(least)

    def save(self, target: Path | str) -> None:
        """Write the model's folder; whole files only."""
        described = asdict(self.card)
        self._write(target, described.pop("network"), "detect", **described)


def create_detector(card: DetectorCard) -> nn.Module:
    """Build a detector's network with random weights.

    Raises:
        ModelError: no such network or backbone, or it has no feature maps of the strides needed.
        SettingsError: a network of a library that is not installed.
    """
    if card.network not in NETWORKS:
        known = ", ".join(NETWORKS)
        raise ModelError(f"there is no network {card.network!r} for detection; known: {known}")
    network = NETWORKS[card.network].create(card)
    network.transform = _as_they_come(card)
    return network


def load(source: Path | str) -> Detector:
    """Open a detector's folder; nothing in it is executed.

    Raises:
        ModelError: no folder of a detector, or a part of it is broken.
    """
    source = Path(source)
    config = folder.read_config(source, "detect")
    try:
        ours = config["garim"]
        card = DetectorCard(
            network=str(config["architecture"]),
            backbone=str(ours["backbone"]),
            options=dict(ours.get("options") or {}),
            classes=folder.names(ours["classes"]),
            size=int(ours["size"]),
            mean=folder.triple(ours["mean"]),
            std=folder.triple(ours["std"]),
            weights_licence=str(ours.get("weights_licence", "unknown")),
            dataset=str(ours.get("dataset", "")),
            trained=ours.get("trained") or {},
            metrics=dict(ours.get("metrics") or {}),
        )
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        path = source / folder.CONFIG
        raise ModelError(f"{path}: does not describe a Garim detector: {error!r}") from error
    network = create_detector(card)
    folder.read_weights(source, network)
    return Detector(network, card)
