"""Instance segmentation: every object of a class gets a mask of its own.

Mask R-CNN (He et al. 2017) of torchvision, on a feature pyramid (Lin et al. 2017) over any timm
network that gives feature maps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import MultiScaleRoIAlign

from garim.boxes import Box
from garim.errors import ModelError
from garim.models import folder
from garim.models.computing import Computing
from garim.models.pyramid import RATIOS, SIDES, AsTheyCome, Pyramid, encoder_of
from garim.models.segmenter import at_working_size
from garim.pictures import Pixels

MOST = 400
"""Most objects that are found in one picture."""

LEAST = 0.05
"""Least score, 0 to 1, of an object that is found at all; see `InstanceSegmenter.predict`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceCard:
    """What an instance segmenter's folder says about it."""

    backbone: str
    options: dict[str, Any] = field(default_factory=dict)
    """More arguments of the backbone."""
    classes: tuple[str, ...]
    longest: int
    """Longest side that pictures are brought to, in pixels; 0 leaves them as they are."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundObject:
    """One object in a picture."""

    label: str
    score: float
    """How sure the model is, 0 to 1."""
    box: Box
    """In pixels of the picture."""
    mask: NDArray[np.bool_]
    """Where it is, shape ``(height, width)`` of the picture."""


def create_instances(
    backbone: str, classes: int, options: Mapping[str, Any], mean: Any, std: Any
) -> MaskRCNN:
    """Build Mask R-CNN with random weights.

    Args:
        backbone: a timm name.
        classes: how many classes, besides the background.
        options: more arguments of the backbone.
        mean: subtracted per channel from values 0 to 1.
        std: divided by, per channel, after that.

    Raises:
        ModelError: no such backbone, or it has no feature maps at strides 4 to 32.
    """
    network = MaskRCNN(
        Pyramid(encoder_of(backbone, options)),
        classes + 1,
        rpn_anchor_generator=AnchorGenerator(tuple((s,) for s in SIDES), (RATIOS,) * len(SIDES)),
        box_roi_pool=MultiScaleRoIAlign(["0", "1", "2", "3"], 7, 2),
        mask_roi_pool=MultiScaleRoIAlign(["0", "1", "2", "3"], 14, 2),
        rpn_pre_nms_top_n_train=1000,
        rpn_post_nms_top_n_train=500,
        box_batch_size_per_image=128,
        box_score_thresh=LEAST,
        box_detections_per_img=MOST,
    )
    network.transform = AsTheyCome(0, 0, list(mean), list(std))
    return network


class InstanceSegmenter(Computing[InstanceCard]):
    """Mask R-CNN with its classes and its input, ready to find objects.

    Args:
        network: torchvision's contract.
        card: classes and input.
    """

    def __init__(self, network: nn.Module, card: InstanceCard) -> None:
        self.network = network.eval()
        self.card = card

    def predict(self, picture: Pixels, least: float = 0.5) -> list[FoundObject]:
        """Find the objects of a picture, the surest first.

        Args:
            picture: RGB, uint8 ``(height, width, 3)``.
            least: least score, 0 to 1.
        """
        height, width = picture.shape[:2]
        small = at_working_size(picture, self.card.longest)
        pixels = torch.from_numpy(small.copy()).permute(2, 0, 1).float().div(255)
        with torch.inference_mode():
            (found,) = self.network([pixels.to(self.device)])
        scale = width / small.shape[1], height / small.shape[0]
        kept = [i for i, score in enumerate(found["scores"].tolist()) if score >= least]
        return [self._object(found, i, scale, (height, width)) for i in kept]

    def _object(
        self, found: dict[str, Tensor], i: int, scale: tuple[float, float], size: tuple[int, int]
    ) -> FoundObject:
        mask = found["masks"][i : i + 1]
        if mask.shape[2:] != size:
            mask = nn.functional.interpolate(mask, size, mode="bilinear", align_corners=False)
        left, top, right, bottom = found["boxes"][i].tolist()
        return FoundObject(
            label=self.classes[int(found["labels"][i]) - 1],
            score=float(found["scores"][i]),
            box=Box(left, top, right, bottom).scale(*scale),
            mask=np.asarray((mask[0, 0] > 0.5).cpu().numpy()),
        )

    def save(self, target: Path | str) -> None:
        """Write the model's folder; whole files only."""
        self._write(target, "mask_rcnn", "instances", **asdict(self.card))


def load(source: Path | str) -> InstanceSegmenter:
    """Open a model's folder; nothing in it is executed.

    Raises:
        ModelError: no folder of an instance segmenter, or a part of it is broken.
    """
    source = Path(source)
    config = folder.read_config(source, "instances")
    try:
        ours = config["garim"]
        card = InstanceCard(
            backbone=str(ours["backbone"]),
            options=dict(ours.get("options") or {}),
            classes=folder.names(ours["classes"]),
            longest=int(ours["longest"]),
            mean=folder.triple(ours["mean"]),
            std=folder.triple(ours["std"]),
            weights_licence=str(ours.get("weights_licence", "unknown")),
            dataset=str(ours.get("dataset", "")),
            trained=ours.get("trained") or {},
            metrics=dict(ours.get("metrics") or {}),
        )
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        path = source / folder.CONFIG
        raise ModelError(f"{path}: does not describe instance segmentation: {error!r}") from error
    network = create_instances(card.backbone, len(card.classes), card.options, card.mean, card.std)
    folder.read_weights(source, network)
    return InstanceSegmenter(network, card)
