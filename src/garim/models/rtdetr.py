"""RT-DETR (Zhao et al. 2024) of the transformers library, by torchvision's contract of detectors.

Its starting weights are a folder as transformers writes it: ``config.json`` and
``model.safetensors``. Nothing in it is executed, and nothing is ever fetched.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import box_convert

from garim.errors import ModelError, SettingsError

_OF_CLASSES = ("id2label", "label2id", "num_labels")
"""Parts of a config that other classes have other values of."""


class RTDetr(nn.Module):
    """RT-DETR that takes pictures and gives boxes as torchvision's detectors do.

    Args:
        options: arguments of transformers' ``RTDetrConfig``.
        classes: how many.
        most: boxes of one picture.
        transform: normalises pictures and makes batches.

    Raises:
        SettingsError: transformers is not installed.
        ModelError: no such network can be built.
    """

    def __init__(
        self, options: Mapping[str, Any], classes: int, most: int,
        transform: GeneralizedRCNNTransform,
    ) -> None:  # fmt: skip
        super().__init__()
        given = {"freeze_backbone_batch_norms": False, **options, "num_labels": classes}
        try:
            config = _library().RTDetrConfig.from_dict(given)
            self.network: nn.Module = _library().RTDetrForObjectDetection(config)
        except (
            TypeError,
            ValueError,
            KeyError,
            OverflowError,
            AttributeError,
            RuntimeError,
        ) as error:
            raise ModelError(f"rtdetr with {dict(options)}: cannot be built: {error}") from error
        self.most = most
        self.transform = transform

    def forward(
        self, pictures: Sequence[Tensor], targets: Sequence[dict[str, Tensor]] | None = None
    ) -> Any:
        """Give the losses in training, else the boxes, class numbers and scores of each picture.

        Args:
            pictures: float ``(3, height, width)``, values 0 to 1.
            targets: ``boxes`` as corners in pixels, and ``labels`` from 0.
        """
        tensors = self.transform(list(pictures))[0].tensors
        side = max(tensors.shape[-2:])  # it is trained on squares
        batch = functional.pad(tensors, (0, side - tensors.shape[-1], 0, side - tensors.shape[-2]))
        if self.training:
            labels = [
                {"class_labels": one["labels"],
                 "boxes": box_convert(one["boxes"], "xyxy", "cxcywh") / side}
                for one in targets or ()
            ]  # fmt: skip
            return {"loss": self.network(pixel_values=batch, labels=labels).loss}
        found = self.network(pixel_values=batch)
        return [
            self._found(logits.sigmoid(), boxes * side, picture.shape[-2:])
            for logits, boxes, picture in zip(
                found.logits, found.pred_boxes, pictures, strict=True
            )
        ]  # fmt: skip

    def _found(self, scores: Tensor, boxes: Tensor, size: Sequence[int]) -> dict[str, Tensor]:
        """Give the surest pairs of a query and a class, inside the picture."""
        best, place = scores.flatten().topk(min(self.most, scores.numel()))
        corners = box_convert(boxes[place // scores.shape[1]], "cxcywh", "xyxy")
        height, width = size
        most = torch.tensor([width, height, width, height], device=corners.device)
        corners = torch.minimum(corners.clamp(min=0), most)
        good = (corners[:, 2:] > corners[:, :2]).all(dim=1)
        return {"boxes": corners[good], "labels": (place % scores.shape[1])[good],
                "scores": best[good]}  # fmt: skip

    def start(self, folder: Path) -> None:
        """Load the starting weights of a folder, all but those that belong to its classes.

        Raises:
            ModelError: they are missing, broken, or of another network.
        """
        try:
            self.network = _library().RTDetrForObjectDetection.from_pretrained(
                folder, config=self.network.config, ignore_mismatched_sizes=True,
                local_files_only=True, use_safetensors=True,
            )  # fmt: skip
        except Exception as error:  # the library's errors have no common base
            raise ModelError(f"{folder}: cannot be read as weights of rtdetr: {error}") from error


def options_in(folder: Path) -> dict[str, Any]:
    """Read what the config of a folder says, besides its classes.

    Raises:
        SettingsError: transformers is not installed.
        ModelError: no folder of RT-DETR.
    """
    library = _library()
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{folder}: is no folder of rtdetr's weights; download one, such as "
            "PekingU/rtdetr_r18vd of Hugging Face, or train with --weights none"
        )
    try:
        config = library.RTDetrConfig.from_pretrained(folder, local_files_only=True)
        found: dict[str, Any] = config.to_dict()
    except Exception as error:  # the library's errors have no common base
        raise ModelError(f"{folder / 'config.json'}: cannot be read: {error}") from error
    if found.get("model_type") != library.RTDetrConfig.model_type:
        raise ModelError(f"{folder}: holds a {found.get('model_type')}, not an rt_detr")
    return {name: value for name, value in found.items() if name not in _OF_CLASSES}


def _library() -> Any:
    try:
        library = importlib.import_module("transformers")
    except ImportError as error:
        raise SettingsError(
            ["rtdetr needs transformers, which is not installed; pip install 'garim[transformers]'"]
        ) from error
    library.utils.logging.set_verbosity_error()
    library.utils.logging.disable_progress_bar()
    return library
