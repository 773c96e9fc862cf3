"""Train a detector on boxes: those of a dataset, or those that a plan proposes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import timm
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset as TorchDataset

from garim import files, pictures
from garim.augmentation.moves import followed, warped
from garim.augmentation.policies import POLICIES, Policy
from garim.boxes import Box
from garim.dataset import Dataset, related
from garim.errors import DatasetError, Failure, PictureError, PlanError
from garim.formats.rows import Object
from garim.models.detector import NETWORKS, Detector, DetectorCard, create_detector
from garim.models.folder import triple
from garim.models.rtdetr import RTDetr, options_in
from garim.models.segmenter import at_working_size, filling
from garim.models.weights import check_licence, load_starting
from garim.pictures import Pixels
from garim.plan import Plan
from garim.streaming import stream, track
from garim.training.batches import loader
from garim.training.data import Examples, hold_out
from garim.training.detect_settings import DetectTrainSettings
from garim.training.instance_segmentation import Body, InstanceObjective
from garim.training.loop import fit
from garim.training.run_folder import keep, mark, name_of, run_folder, to_train_on
from garim.training.settings import options_of
from garim.training.trained import TrainedModel

VISIBLE = 0.4
"""Boxes of which a random change leaves less than this share in the picture are not learned."""

Batch = tuple[list[Tensor], list[dict[str, Tensor]]]
"""Pictures, float ``(3, size, size)`` from 0 to 1, and the boxes and class numbers in each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedDetector(TrainedModel[Detector, DetectTrainSettings]):
    """A trained detector and how it went."""

    task: str = "detect"


@dataclass(frozen=True, slots=True)
class Boxed:
    """A picture at working size, with its objects there."""

    pixels: Pixels
    objects: tuple[Object, ...]
    digest: str


def train_detector(
    dataset: Dataset,
    settings: DetectTrainSettings | None = None,
    out: Path | str | None = None,
    boxes: Plan | None = None,
) -> TrainedDetector:
    """Train a detector on pictures with boxes.

    Splits are used as in `garim.train`. Run again after an interruption, it goes on. Pictures are
    held in memory at working size (0.3 MB each at 320 pixels).

    Args:
        dataset: pictures with boxes.
        settings: network, backbone, size, epochs.
        out: folder for the model; None to keep it in memory only.
        boxes: a plan for this dataset, whose boxes are learned in place of the dataset's own.

    Raises:
        SettingsError: settings that cannot work.
        DatasetError: no picture with boxes.
        PlanError: the plan has no box for any of the pictures.
        ModelError: unknown backbone, no weights to be had, or ``out`` holds another model.
    """
    started = time.perf_counter()
    chosen = settings or DetectTrainSettings()
    chosen.check()
    boxed = dataset if boxes is None else with_boxes(dataset, boxes)
    name = name_of({**asdict(chosen), "boxes": boxes.digest() if boxes else None}, dataset)
    with run_folder(out, name) as folder:
        classes = _classes(boxed)
        fitting, validation, failures = _pictures(boxed, chosen)
        torch.manual_seed(chosen.seed)
        network, card = _started(_card(chosen, dataset, classes), chosen)
        if out is not None:  # not before: what fails until here leaves nothing behind
            mark(folder, name)
        metrics = _fit(network, card, chosen, fitting, validation, folder)
        card.metrics.update({name: round(value, 6) for name, value in metrics.items()})
        model = Detector(network, card)
        if out is not None:
            keep(model, folder)
    return TrainedDetector(
        model=model, folder=None if out is None else folder, settings=chosen,
        seconds=time.perf_counter() - started, pictures=len(fitting), failures=tuple(failures),
    )  # fmt: skip


def with_boxes(dataset: Dataset, plan: Plan) -> Dataset:
    """Give a dataset the boxes that a plan proposes or keeps, in place of its own.

    Pictures that the plan has no box for, or only rejected ones, are left out.

    Raises:
        PlanError: it has a box for none of the pictures.
    """
    found: dict[tuple[str, str | None], list[Box]] = defaultdict(list)
    for edit in plan.edits:
        box = edit.box
        if edit.edit == "keep" and box is None and edit.score_after is not None and edit.size:
            box = Box.whole(*edit.size)  # the whole picture shows its label best
        if box and edit.edit in {"crop", "keep"} and edit.state != "rejected" and not edit.error:
            found[files.nfc(edit.picture), edit.label].append(box)
    rows = []
    for row in dataset.rows:
        boxes = found.get((files.nfc(row.file_name), row.label))
        if boxes and row.label:
            objects = tuple(Object(row.label, box) for box in boxes)
            rows.append(replace(row, objects=objects))
    if not rows:
        raise PlanError(f"the plan has no box for any picture of {dataset.origin}")
    return replace(dataset, rows=tuple(rows))


def _classes(dataset: Dataset) -> tuple[str, ...]:
    found = {one.label for row in to_train_on(dataset).rows for one in row.objects}
    if not found:
        raise DatasetError(
            f"{dataset.origin}: has no boxes to train on. Give COCO, YOLO, VOC or metadata.jsonl "
            "with boxes, or a plan of `garim extract` with --boxes."
        )
    ordered = [name for name in dataset.classes if name in found]
    return (*ordered, *sorted(found - set(ordered)))


def _pictures(
    dataset: Dataset, settings: DetectTrainSettings
) -> tuple[list[Boxed], list[Boxed], list[Failure]]:
    fitting, failures = _opened(to_train_on(dataset), settings)
    if not fitting:
        first = f"; first: {failures[0].picture} {failures[0].error}" if failures else ""
        raise DatasetError(f"{dataset.origin}: no picture with boxes can be opened{first}")
    if "validation" in dataset.splits:
        held, more = _opened(dataset.where(split=["validation"]), settings)
        return [one for one, _ in fitting], [one for one, _ in held], [*failures, *more]
    paths = tuple(path for _, path in fitting)
    groups = related(dataset, [path.relative_to(dataset.root).as_posix() for path in paths])
    examples = Examples(
        paths=paths, targets=np.zeros(len(paths), np.int64),
        digests=tuple(one.digest for one, _ in fitting), groups=np.array(groups, np.int64),
    )  # fmt: skip
    mine = list(zip(fitting, hold_out(examples, settings.validation, settings.seed), strict=True))
    return (
        [one for (one, _), out in mine if not out],
        [one for (one, _), out in mine if out],
        failures,
    )


def _opened(
    dataset: Dataset, settings: DetectTrainSettings
) -> tuple[list[tuple[Boxed, Path]], list[Failure]]:
    """Open the pictures that have boxes, each once with all of them."""
    objects: dict[str, dict[Object, None]] = defaultdict(dict)
    for row in dataset.rows:
        if row.objects or settings.background:
            objects[row.file_name] |= dict.fromkeys(row.objects)

    def opened(name: str) -> Boxed:
        path = dataset.root / name
        found = pictures.open_picture(path, at_least=settings.size)
        small = at_working_size(pictures.to_array(found.image), settings.size)
        scale = small.shape[1] / found.size[0], small.shape[0] / found.size[1]
        moved = [Object(o.label, o.box.clip(*found.size).scale(*scale)) for o in objects[name]]
        good = tuple(one for one in moved if not one.box.is_degenerate)
        return Boxed(small, good, files.digest(path))

    good: list[tuple[Boxed, Path]] = []
    failures = []
    for name, one in track(stream(opened, list(objects)), "Decoding", len(objects)):
        if isinstance(one, PictureError):
            failures.append(Failure(name, one.reason))
        elif one.objects or settings.background:
            good.append((one, dataset.root / name))
        else:
            failures.append(Failure(name, "its boxes have no area inside the picture"))
    return good, failures


def _started(card: DetectorCard, settings: DetectTrainSettings) -> tuple[nn.Module, DetectorCard]:
    """Build the network with its starting weights, and note what they are."""
    licence, accepted = settings.weights_licence, settings.accept_non_commercial
    if NETWORKS[card.network].own_backbone and settings.weights != "none":
        start = Path(settings.weights).expanduser()
        check_licence(licence, accepted)
        card = replace(card, options={**options_in(start), **card.options})
        whole = cast(RTDetr, create_detector(card))
        whole.start(start)
        return whole, replace(card, weights_licence=licence)
    network = create_detector(card)
    if not NETWORKS[card.network].own_backbone:
        encoder = cast(nn.Module, network.backbone.encoder)  # type: ignore[union-attr]
        licence = load_starting(encoder, settings.backbone, settings.weights, licence, accepted)
    return network, replace(card, weights_licence=licence)


def _card(
    settings: DetectTrainSettings, dataset: Dataset, classes: tuple[str, ...]
) -> DetectorCard:
    whole = NETWORKS[settings.network].own_backbone
    known = timm.get_pretrained_cfg(settings.backbone)
    mean, std = (known.mean, known.std) if known else ((0.5,) * 3, (0.5,) * 3)
    if whole:  # RT-DETR takes values 0 to 1 as they are
        mean, std = (0.0,) * 3, (1.0,) * 3
    return DetectorCard(
        network=settings.network,
        backbone="" if whole else settings.backbone,
        options=options_of(settings.network_options),
        classes=classes,
        size=settings.size,
        mean=triple(mean if settings.mean is None else (settings.mean,) * 3),
        std=triple(std if settings.std is None else (settings.std,) * 3),
        dataset=dataset.fingerprint(),
        trained=asdict(settings),
    )


class BoxedSquares(TorchDataset[tuple[Tensor, dict[str, Tensor]]]):
    """Pictures on squares, randomly changed, with their boxes.

    The change depends on the seed, the picture's content and the epoch only.
    """

    def __init__(
        self, boxed: Sequence[Boxed], card: DetectorCard, policy: Policy, seed: int
    ) -> None:
        self.boxed, self.card, self.policy, self.seed = boxed, card, policy, seed
        first = NETWORKS[card.network].first
        self.number = {name: index + first for index, name in enumerate(card.classes)}

    def __len__(self) -> int:
        return len(self.boxed)

    def __getitem__(self, number: int) -> tuple[Tensor, dict[str, Tensor]]:
        epoch, index = divmod(number, len(self))
        one, size = self.boxed[index], self.card.size
        rng = np.random.default_rng([self.seed, int(one.digest, 16), epoch])
        matrix = self.policy.move(rng).matrix(size, size)
        height, width = one.pixels.shape[:2]
        red, green, blue = filling(self.card.mean).tolist()
        beside = (red, green, blue)
        left, top = (size - width) // 2, (size - height) // 2
        square = cv2.copyMakeBorder(
            one.pixels, top, size - height - top, left, size - width - left,
            cv2.BORDER_CONSTANT, value=beside,
        ).astype(np.uint8)  # fmt: skip
        changed = self.policy.coloured(warped(square, matrix, fill=beside), rng)
        pixels = torch.from_numpy(changed.copy()).permute(2, 0, 1).float().div(255)
        return pixels, self._targets(one, left, top, matrix)

    def _targets(self, one: Boxed, left: int, top: int, matrix: Any) -> dict[str, Tensor]:
        size, boxes, numbers = self.card.size, [], []
        for each in one.objects:
            box, visible = followed(each.box.shift(left, top), matrix, size, size)
            if visible >= VISIBLE and min(box.width, box.height) >= 1:
                boxes.append(box.xyxy())
                numbers.append(self.number[each.label])
        return {"boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
                "labels": torch.tensor(numbers, dtype=torch.int64)}  # fmt: skip


def _fit(
    network: nn.Module, card: DetectorCard, settings: DetectTrainSettings,
    fitting: Sequence[Boxed], validation: Sequence[Boxed], folder: Path,
) -> dict[str, float]:  # fmt: skip
    _freeze(network, settings)
    train = BoxedSquares(fitting, card, POLICIES[settings.augment], settings.seed)
    known = [one for one in validation if {o.label for o in one.objects} <= set(card.classes)]
    held = BoxedSquares(known, card, POLICIES["none"], settings.seed) if known else None
    fitted = fit(
        Body(network, settings.weights != "none"),
        loader(train, settings.batch, settings.seed, together=_listed),
        None if held is None else loader(held, settings.batch, None, together=_listed), settings,
        folder,
        InstanceObjective(), seed=settings.seed,
    )  # fmt: skip
    network.requires_grad_(True)
    return fitted.metrics


def _freeze(network: nn.Module, settings: DetectTrainSettings) -> None:
    """Leave the first stages of starting weights as they are: edges are edges."""
    if settings.weights == "none" or NETWORKS[settings.network].own_backbone:
        return
    stages = [m for name, m in network.backbone.encoder.named_children()]  # type: ignore[union-attr]
    flat = [inner for one in stages for inner in (one if isinstance(one, nn.Sequential) else [one])]
    for module in flat[: settings.frozen]:
        module.requires_grad_(False)


def _listed(batch: list[tuple[Tensor, dict[str, Tensor]]]) -> Batch:
    return [pixels for pixels, _ in batch], [targets for _, targets in batch]
