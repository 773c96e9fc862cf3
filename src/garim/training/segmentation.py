"""Train a segmenter: read the recipe from top to bottom.

1. check the settings            3. hold pictures out           5. train, keep the best weights
2. list pictures and masks       4. build the network           6. save the folder
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from garim.copies import copy_groups
from garim.dataset import Dataset
from garim.errors import DatasetError, Failure
from garim.models.classifier import normalised
from garim.models.folder import triple
from garim.models.networks import OURS
from garim.models.networks.segmentation import check_segmenter, create_segmenter
from garim.models.segmenter import Segmenter, SegmenterCard
from garim.models.weights import load_starting
from garim.training.batches import loader
from garim.training.data import Examples, hold_out
from garim.training.loop import fit
from garim.training.masks import (
    VOID,
    Cropping,
    Masked,
    MaskedCrops,
    MaskRule,
    look_at_masks,
    palette_of,
    rule_of,
    usable,
)
from garim.training.run_folder import keep, mark, name_of, run_folder, to_train_on
from garim.training.segment_settings import SegmentTrainSettings
from garim.training.settings import options_of
from garim.training.trained import TrainedModel

MOST_WEIGHT = 5.0
"""Most that a rare class counts for, against one of the usual size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedSegmenter(TrainedModel[Segmenter, SegmentTrainSettings]):
    """A trained segmenter and how it went."""

    task: str = "segment"


def train_segmenter(
    dataset: Dataset, settings: SegmentTrainSettings | None = None, out: Path | str | None = None
) -> TrainedSegmenter:
    """Train a network that gives every pixel a class, on pictures with masks.

    Only the ``train`` split is used when there are splits, and ``validation`` to choose the best
    epoch; ``test`` is never looked at. Run again after an interruption, it goes on where it was.

    Args:
        dataset: pictures with masks; those that have none, or a wrong one, are left out and listed.
        settings: network, crops, epochs.
        out: folder for the model; None to keep it in memory only.

    Raises:
        SettingsError: settings that cannot work.
        DatasetError: no picture with a mask, or only one class.
        ModelError: unknown network, no weights to be had, or ``out`` holds another model.
    """
    started = time.perf_counter()
    chosen = settings or SegmentTrainSettings()
    chosen.check()
    name = name_of(asdict(chosen), dataset)
    with run_folder(out, name) as folder:
        fitting, validation, rule, failures = _pictures(dataset, chosen)
        torch.manual_seed(chosen.seed)
        network, licence = _build(chosen, len(rule.classes))
        card = _card(chosen, dataset, fitting, rule, licence)
        if out is not None:  # not before: what fails until here leaves nothing behind
            mark(folder, name)
        metrics = _fit(network, card, chosen, rule, fitting, validation, folder)
        card.metrics.update({name: round(value, 6) for name, value in metrics.items()})
        segmenter = Segmenter(network, card)
        if out is not None:
            keep(segmenter, folder)
    return TrainedSegmenter(
        model=segmenter,
        folder=None if out is None else folder,
        settings=chosen,
        seconds=time.perf_counter() - started,
        pictures=len(fitting),
        failures=tuple(failures),
        notes=tuple(_notes(fitting, rule)),
    )


def _pictures(
    dataset: Dataset, settings: SegmentTrainSettings
) -> tuple[Sequence[Masked], Sequence[Masked], MaskRule, list[Failure]]:
    train = to_train_on(dataset)
    seen, failures = look_at_masks(train)
    if not seen:
        first = f"; first: {failures[0].picture} {failures[0].error}" if failures else ""
        raise DatasetError(
            f"{dataset.origin}: has no picture with a mask to train on{first}. Put index masks "
            "into masks/ beside images/, or name them in metadata.jsonl (mask_file_name)."
        )
    rule = rule_of(train, seen, settings.mask_classes, settings.void)
    fitting = usable(seen, rule, failures)
    total = sum((rule.counts(one) for one in fitting), np.zeros(len(rule.classes), np.int64))
    if np.count_nonzero(total) < 2:
        raise DatasetError(
            f"{dataset.origin}: the masks show fewer than two classes of {', '.join(rule.classes)}"
        )
    if "validation" in dataset.splits:
        held, more = look_at_masks(dataset.where(split=["validation"]))
        return fitting, usable(held, rule, failures), rule, [*failures, *more]
    mine = _held_out(fitting, settings)
    inside = [one for one, out in zip(fitting, mine, strict=True) if not out]
    return inside, [one for one, out in zip(fitting, mine, strict=True) if out], rule, failures


def _held_out(masked: Sequence[Masked], settings: SegmentTrainSettings) -> list[bool]:
    paths = tuple(one.path for one in masked)
    examples = Examples(
        paths=paths,
        targets=np.zeros(len(paths), np.int64),
        digests=tuple(one.digest for one in masked),
        groups=np.array(copy_groups(paths), np.int64),
    )
    return [bool(v) for v in hold_out(examples, settings.validation, settings.seed)]


def _build(settings: SegmentTrainSettings, classes: int) -> tuple[nn.Module, str]:
    check_segmenter(settings.network)
    options = options_of(settings.network_options)
    network = create_segmenter(settings.network, settings.backbone, classes, options)
    encoder: nn.Module = network.encoder  # type: ignore[assignment]
    licence = load_starting(
        encoder, settings.backbone, _weights(settings), settings.weights_licence,
        settings.accept_non_commercial,
    )  # fmt: skip
    return network, licence


def _weights(settings: SegmentTrainSettings) -> str:
    return settings.weights or ("none" if settings.backbone in OURS else "pretrained")


def _card(
    settings: SegmentTrainSettings,
    dataset: Dataset,
    fitting: Sequence[Masked],
    rule: MaskRule,
    licence: str,
) -> SegmenterCard:
    known = timm.get_pretrained_cfg(settings.backbone)
    mean, std = (known.mean, known.std) if known else ((0.5,) * 3, (0.5,) * 3)
    return SegmenterCard(
        network=settings.network,
        backbone=settings.backbone,
        options=options_of(settings.network_options),
        classes=rule.classes,
        palette=palette_of(fitting, len(rule.classes)),
        size=settings.size,
        longest=settings.size if settings.longest is None else settings.longest,
        mean=triple(mean if settings.mean is None else (settings.mean,) * 3),
        std=triple(std if settings.std is None else (settings.std,) * 3),
        void=rule.void,
        weights_licence=licence,
        dataset=dataset.fingerprint(),
        trained=asdict(settings),
    )


class _Body(nn.Module):
    """A network on raw crops; the batch norm of starting weights keeps its statistics."""

    def __init__(self, network: nn.Module, card: SegmenterCard, started: bool) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.card, self.started = card, started

    def train(self, mode: bool = True) -> _Body:
        """Switch the mode."""
        super().train(mode)
        if self.started:
            for module in self.network.encoder.modules():  # type: ignore[union-attr]
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def forward(self, batch: Tensor) -> Tensor:
        """Score the pixels of crops, uint8 ``(n, size, size, 3)``."""
        scores: Tensor = self.network(normalised(batch, self.card.mean, self.card.std))
        return scores


class Segmentation:
    """Cross-entropy of pixels, and how well the classes overlap; void is left out.

    Args:
        weights: of the classes, shape ``(classes,)``; None for all the same.
    """

    def __init__(self, weights: Tensor | None = None) -> None:
        self.weights = weights

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Give the mean cross-entropy of the pixels that are judged."""
        return self._loss(model(batch[0]).float(), batch[1])

    def _loss(self, scores: Tensor, targets: Tensor) -> Tensor:
        weights = None if self.weights is None else self.weights.to(scores.device)
        each = functional.cross_entropy(
            scores, targets, weight=weights, ignore_index=VOID, reduction="none"
        )
        return each.sum() / (targets != VOID).sum().clamp(min=1)

    def figures(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """Give the loss, the pixel accuracy, and the batch's mean IoU over the classes in it."""
        inputs, targets = batch
        scores = model(inputs).float()
        matrix = confusion(scores.argmax(dim=1), targets, scores.shape[1])
        right, union = matrix.diag(), matrix.sum(0) + matrix.sum(1) - matrix.diag()
        seen = union > 0
        return {
            "loss": self._loss(scores, targets),
            "pixel_accuracy": right.sum() / matrix.sum().clamp(min=1),
            "miou": (right / union.clamp(min=1))[seen].mean() if seen.any() else right.sum(),
        }


def confusion(predicted: Tensor, targets: Tensor, classes: int) -> Tensor:
    """Count pixels by true (rows) and predicted class (columns), without void: float matrix."""
    judged = targets != VOID
    pairs = targets[judged] * classes + predicted[judged]
    return torch.bincount(pairs, minlength=classes**2).reshape(classes, classes).float()


def _fit(
    network: nn.Module, card: SegmenterCard, settings: SegmentTrainSettings, rule: MaskRule,
    fitting: Sequence[Masked], validation: Sequence[Masked], folder: Path,
) -> dict[str, float]:  # fmt: skip
    drawn = Cropping(size=card.size, longest=card.longest, mean=card.mean, jitter=settings.jitter,
                     flip=settings.flip, light=settings.light)  # fmt: skip
    plain = Cropping(size=card.size, longest=card.longest, mean=card.mean, jitter=1.0,
                     flip=False, light=False)  # fmt: skip
    weights = None
    if settings.class_weights == "balanced":
        weights = _balanced(fitting, rule)
    crops = MaskedCrops(fitting, rule, drawn, settings.seed)
    held = MaskedCrops(validation, rule, plain, settings.seed) if validation else None
    fitted = fit(
        _Body(network, card, _weights(settings) != "none"),
        loader(crops, settings.batch, settings.seed, decodes=not crops.in_memory),
        None if held is None else
        loader(held, settings.batch, None, decodes=not held.in_memory),
        settings, folder, Segmentation(weights), seed=settings.seed,
    )  # fmt: skip
    return fitted.metrics


def _balanced(fitting: Sequence[Masked], rule: MaskRule) -> Tensor:
    total = sum((rule.counts(one) for one in fitting), np.zeros(len(rule.classes), np.int64))
    share = torch.from_numpy(total / max(1, total.sum())).float()
    usual = 1 / len(rule.classes)
    return (usual / share.clamp(min=1e-6)).sqrt().clamp(max=MOST_WEIGHT)


def _notes(fitting: Sequence[Masked], rule: MaskRule) -> list[str]:
    total = sum((rule.counts(one) for one in fitting), np.zeros(len(rule.classes), np.int64))
    absent = [name for name, n in zip(rule.classes, total, strict=True) if not n]
    notes = [f"classes that no training mask shows: {', '.join(absent)}"] if absent else []
    if rule.white:
        notes.append("the masks are black and white: 255 is taken for class 1, not for void")
    return notes
