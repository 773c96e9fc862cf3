"""Train instance segmentation: Mask R-CNN on pictures whose objects have masks of their own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from garim.copies import copy_groups
from garim.dataset import Dataset
from garim.errors import DatasetError, Failure, SettingsError
from garim.models.folder import triple
from garim.models.instance_segmenter import InstanceCard, InstanceSegmenter, create_instances
from garim.models.weights import load_starting
from garim.training.backbone_settings import BackboneTrainSettings
from garim.training.batches import loader
from garim.training.data import Examples, hold_out
from garim.training.instance_masks import ObjectCrops, Outlined, look_at_outlines
from garim.training.loop import fit
from garim.training.masks import Cropping
from garim.training.run_folder import keep, mark, name_of, run_folder, to_train_on
from garim.training.settings import options_of
from garim.training.trained import TrainedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceTrainSettings(BackboneTrainSettings):
    """Settings of the training of instance segmentation."""

    backbone: str = "mobilenetv2_100"
    """Any timm network with feature maps at strides 4, 8, 16 and 32."""
    weights: str = "pretrained"
    """Starting weights of the backbone: a file, `pretrained` (timm's own) or `none`."""
    size: int = 256
    """Side in pixels of the square crops that are trained on."""
    longest: int = 512
    """Longest side in pixels that pictures are brought to; 0 leaves them as they are."""
    jitter: float = 1.5
    """Crops are enlarged or shrunk by up to this factor, at random; 1 for not at all."""
    epochs: int = 40
    """Passes over the training pictures."""
    batch: int = 4
    """Crops per step, on all devices together."""
    learning_rate: float = 0.0005
    """Largest step size of AdamW, one-cycle."""
    patience: int = 0
    """Stop after so many epochs without a better validation loss; 0 never."""
    validation: float = 0.15
    """Share of the training pictures held out, where the data has no validation split."""

    def check(self) -> None:
        """Raise a SettingsError with everything that cannot work."""
        problems = self.shared_problems({"size": 64, "jitter": 1, "patience": 0, "longest": 0})
        if problems:
            raise SettingsError(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedInstances(TrainedModel[InstanceSegmenter, InstanceTrainSettings]):
    """A trained instance segmenter and how it went."""

    task: str = "instances"


def train_instances(
    dataset: Dataset, settings: InstanceTrainSettings | None = None, out: Path | str | None = None
) -> TrainedInstances:
    """Train Mask R-CNN on pictures whose objects have masks of their own.

    Splits are used as in `garim.train`. Run again after an interruption, it goes on.

    Args:
        dataset: a folder with one mask file per object, or COCO with polygons or run lengths.
        settings: backbone, crops, epochs.
        out: folder for the model; None to keep it in memory only.

    Raises:
        SettingsError: settings that cannot work.
        DatasetError: no picture with masks of single objects.
        ModelError: unknown backbone, no weights to be had, or ``out`` holds another model.
    """
    started = time.perf_counter()
    chosen = settings or InstanceTrainSettings()
    chosen.check()
    name = name_of(asdict(chosen), dataset)
    with run_folder(out, name) as folder:
        fitting, validation, failures = _pictures(dataset, chosen)
        card = _card(chosen, dataset, fitting)
        torch.manual_seed(chosen.seed)
        network = create_instances(
            card.backbone, len(card.classes), card.options, card.mean, card.std
        )
        encoder: nn.Module = network.backbone.encoder
        licence = load_starting(encoder, chosen.backbone, chosen.weights, chosen.weights_licence,
                                chosen.accept_non_commercial)  # fmt: skip
        card = replace(card, weights_licence=licence)
        if out is not None:  # not before: what fails until here leaves nothing behind
            mark(folder, name)
        metrics = _fit(network, card, chosen, fitting, validation, folder)
        card.metrics.update({name: round(value, 6) for name, value in metrics.items()})
        model = InstanceSegmenter(network, card)
        if out is not None:
            keep(model, folder)
    return TrainedInstances(
        model=model, folder=None if out is None else folder, settings=chosen,
        seconds=time.perf_counter() - started, pictures=len(fitting), failures=tuple(failures),
    )  # fmt: skip


def _pictures(
    dataset: Dataset, settings: InstanceTrainSettings
) -> tuple[Sequence[Outlined], Sequence[Outlined], list[Failure]]:
    fitting, failures = look_at_outlines(to_train_on(dataset))
    if not fitting:
        first = f"; first: {failures[0].picture} {failures[0].error}" if failures else ""
        raise DatasetError(
            f"{dataset.origin}: has no picture with masks of single objects{first}. Give COCO with "
            "polygons or run lengths, or folders with one picture in images/ and a file per object "
            "in masks/."
        )
    if "validation" in dataset.splits:
        held, more = look_at_outlines(dataset.where(split=["validation"]))
        return fitting, held, [*failures, *more]
    paths = tuple(one.path for one in fitting)
    examples = Examples(
        paths=paths, targets=np.zeros(len(paths), np.int64),
        digests=tuple(one.digest for one in fitting), groups=np.array(copy_groups(paths), np.int64),
    )  # fmt: skip
    mine = list(zip(fitting, hold_out(examples, settings.validation, settings.seed), strict=True))
    return [one for one, out in mine if not out], [one for one, out in mine if out], failures


def _card(
    settings: InstanceTrainSettings, dataset: Dataset, fitting: Sequence[Outlined]
) -> InstanceCard:
    known = timm.get_pretrained_cfg(settings.backbone)
    mean, std = (known.mean, known.std) if known else ((0.5,) * 3, (0.5,) * 3)
    found = {label for one in fitting for label in one.labels}
    ordered = [name for name in dataset.classes if name in found]
    return InstanceCard(
        backbone=settings.backbone,
        options=options_of(settings.network_options),
        classes=(*ordered, *sorted(found - set(ordered))),
        longest=settings.longest,
        mean=triple(mean if settings.mean is None else (settings.mean,) * 3),
        std=triple(std if settings.std is None else (settings.std,) * 3),
        dataset=dataset.fingerprint(),
        trained=asdict(settings),
    )


class Body(nn.Module):
    """A detector of torchvision's; the batch norm of starting weights keeps its statistics."""

    def __init__(self, network: nn.Module, started: bool) -> None:
        super().__init__()
        self.network, self.started = network, started

    def train(self, mode: bool = True) -> Body:
        """Switch the mode."""
        super().train(mode)
        for module in self.modules() if self.started else ():
            if isinstance(module, _BatchNorm):
                module.eval()
        return self


class InstanceObjective:
    """The sum of Mask R-CNN's five losses."""

    def loss(self, model: nn.Module, batch: tuple[list[Tensor], list[Any]]) -> Tensor:
        """Give the loss of a training batch."""
        losses: dict[str, Tensor] = model.network(*batch)  # type: ignore[operator]
        return torch.stack(list(losses.values())).sum()

    def figures(self, model: nn.Module, batch: tuple[list[Tensor], list[Any]]) -> dict[str, Tensor]:
        """Give the loss of a validation batch; torchvision computes it in training mode only."""
        model.train()
        for module in model.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        with torch.random.fork_rng(devices=[]):  # it draws regions, alike in every epoch
            torch.manual_seed(0)
            loss = self.loss(model, batch)
        model.eval()
        return {"loss": loss}


def _fit(
    network: nn.Module, card: InstanceCard, settings: InstanceTrainSettings,
    fitting: Sequence[Outlined], validation: Sequence[Outlined], folder: Path,
) -> dict[str, float]:  # fmt: skip
    drawn = Cropping(size=settings.size, longest=card.longest, mean=card.mean,
                     jitter=settings.jitter, flip=True, light=True)  # fmt: skip
    plain = replace(drawn, jitter=1.0, flip=False, light=False)
    known = [one for one in validation if set(one.labels) <= set(card.classes)]
    held = ObjectCrops(known, card.classes, plain, settings.seed) if known else None
    train = ObjectCrops(fitting, card.classes, drawn, settings.seed)
    fitted = fit(
        Body(network, settings.weights != "none"), loader(train, settings.batch, settings.seed),
        None if held is None else loader(held, settings.batch, None), settings,
        folder,
        InstanceObjective(), seed=settings.seed,
    )  # fmt: skip
    return fitted.metrics
