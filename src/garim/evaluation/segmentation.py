"""How good are masks? Pixel accuracy, IoU of the classes, and how well their boundaries lie.

The figures are those of Long et al. 2015, from one confusion matrix over all pictures: pixel
accuracy, mean accuracy, mean IoU, frequency-weighted IoU. A class that neither the truth nor the
prediction shows is left out of the means. The boundary F-score (Csurka et al. 2013) is that of
precision and recall of a class's boundary pixels, matched within a tolerance; the mean over the
pictures that show the class. Void pixels count nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from garim import pictures
from garim.dataset import Dataset
from garim.errors import DatasetError, Failure, PictureError
from garim.models.palette import Mask, Palette, voc_palette
from garim.models.segmenter import Segmenter, at_working_size
from garim.pictures import Pixels
from garim.streaming import stream, track
from garim.training.masks import VOID, Masked, MaskRule, look_at_masks, rule_of, usable

TOLERANCE = 0.0075
"""How far a boundary may be off, as a share of the picture's diagonal."""

SHOWN = 24
"""Worst pictures that are kept for the report."""

SIDE = 320
"""Longest side in pixels of the pictures that are kept."""

Predict = Callable[[Pixels], Mask]
"""Takes an RGB picture and gives its class numbers."""

Matrix = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedMask:
    """How good the mask of one picture is."""

    picture: str
    miou: float
    """Mean IoU over the classes that the truth or the prediction shows, 0 to 1."""
    pixel_accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownMask:
    """A picture with its true and its predicted mask, made small."""

    judged: JudgedMask
    pixels: Pixels
    truth: Mask
    predicted: Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentationReport:
    """How good masks are on a dataset."""

    classes: tuple[str, ...]
    palette: Palette
    matrix: Matrix
    """Pixels ``(classes, classes)``: rows are the truth, columns predictions."""
    boundary: dict[str, float]
    """Boundary F-score of each class that is shown, 0 to 1."""
    judged: tuple[JudgedMask, ...]
    """Every picture, the worst first."""
    worst: tuple[ShownMask, ...] = ()
    failures: tuple[Failure, ...] = field(default=())

    @property
    def ious(self) -> NDArray[np.float64]:
        """IoU of each class, 0 to 1; NaN for one that is nowhere."""
        return class_ious(self.matrix)

    @property
    def miou(self) -> float:
        """Mean IoU over the classes that are somewhere."""
        return float(np.nanmean(self.ious))

    @property
    def pixel_accuracy(self) -> float:
        """Share of the pixels that have the right class."""
        return float(np.trace(self.matrix) / max(1, self.matrix.sum()))

    @property
    def accuracies(self) -> NDArray[np.float64]:
        """Share of each class's pixels that are found; NaN for a class that the truth lacks."""
        with np.errstate(invalid="ignore"):
            return np.asarray(np.diag(self.matrix) / self.matrix.sum(axis=1))

    @property
    def frequency_weighted_iou(self) -> float:
        """Mean IoU, each class weighted by its true pixels."""
        share = self.matrix.sum(axis=1) / max(1, self.matrix.sum())
        return float(np.nansum(share * self.ious))

    def per_class(self) -> dict[str, dict[str, float | int | None]]:
        """Give the figures of each class; None where it is nowhere."""
        rows = zip(self.classes, self.ious, self.accuracies, self.matrix.sum(axis=1), strict=True)
        return {
            name: {"iou": _rounded(iou), "accuracy": _rounded(accuracy),
                   "boundary_f": _rounded(self.boundary.get(name)), "pixels": int(pixels)}
            for name, iou, accuracy, pixels in rows
        }  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Give the report as it stands in ``--json``."""
        largest = self.matrix.sum(axis=1).max() / max(1, self.matrix.sum())
        return {
            "pictures": len(self.judged),
            "pixel_accuracy": round(self.pixel_accuracy, 4),
            "miou": round(self.miou, 4),
            "mean_accuracy": _rounded(np.nanmean(self.accuracies)),
            "frequency_weighted_iou": round(self.frequency_weighted_iou, 4),
            "boundary_f": _rounded(np.mean(list(self.boundary.values()) or [np.nan])),
            "largest_class_baseline": round(float(largest), 4),
            "per_class": self.per_class(),
            "confusion_matrix": self.matrix.tolist(),
            "failed": [failure.to_dict() for failure in self.failures],
        }


def _rounded(value: float | np.floating[Any] | None) -> float | None:
    return None if value is None or np.isnan(value) else round(float(value), 4)


def class_ious(matrix: Matrix) -> NDArray[np.float64]:
    """Give each class's IoU of a confusion matrix; NaN for a class that is nowhere."""
    right = np.diag(matrix).astype(np.float64)
    union = matrix.sum(axis=0) + matrix.sum(axis=1) - right
    ious = np.full(len(right), np.nan)
    return np.asarray(np.divide(right, union, out=ious, where=union > 0))


def confusion(truth: Mask, predicted: Mask, classes: int) -> Matrix:
    """Count pixels by true (rows) and predicted class (columns), without void."""
    judged = truth != VOID
    pairs = truth[judged].astype(np.int64) * classes + predicted[judged]
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def boundary_f(truth: Mask, predicted: Mask, number: int) -> float | None:
    """Give the boundary F-score of one class, 0 to 1; None where neither shows it."""
    tolerance = max(1.0, TOLERANCE * float(np.hypot(*truth.shape)))
    judged = truth != VOID
    true_edge = _edge(truth == number) & judged
    own_edge = _edge((predicted == number) & judged) & judged
    if not true_edge.any() and not own_edge.any():
        return 0.0 if ((truth == number) ^ (predicted == number))[judged].any() else None
    if not true_edge.any() or not own_edge.any():
        return 0.0
    precision = float((_distance(true_edge)[own_edge] <= tolerance).mean())
    recall = float((_distance(own_edge)[true_edge] <= tolerance).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _edge(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the pixels of a region that touch what is outside; the picture's rim is no edge."""
    rim = cv2.copyMakeBorder(inside.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    kept = cv2.erode(rim, np.ones((3, 3), np.uint8))[1:-1, 1:-1]
    return np.asarray(inside & (kept == 0))


def _distance(edge: NDArray[np.bool_]) -> NDArray[np.float32]:
    found = cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(found, np.float32)


def evaluate_segmenter(segmenter: Segmenter, data: Dataset) -> SegmentationReport:
    """Judge a segmenter on the masks of a dataset, at the pictures' full size.

    Pictures that cannot be opened, or have no mask or one that does not fit, are left out and
    listed.

    Raises:
        DatasetError: no picture can be judged, or its classes are in another order.
    """
    card = segmenter.card
    return judge_masks(segmenter.predict, data, card.classes, card.void, card.palette)


def judge_masks(
    predict: Predict, data: Dataset, classes: Sequence[str], void: int = VOID,
    palette: Palette | None = None,
) -> SegmentationReport:  # fmt: skip
    """Judge anything that gives pixels a class.

    Args:
        predict: gives the class numbers of a picture.
        data: pictures with masks.
        classes: names of the numbers.
        void: value that is not judged in the files; −1 for none.
        palette: colours of the classes in the report.

    Raises:
        DatasetError: no picture can be judged, or its classes are in another order.
    """
    seen, failures = look_at_masks(data)
    named = rule_of(data, seen, (), void).classes
    if set(named) == set(classes) and named != tuple(classes):
        raise DatasetError(
            f"{data.origin}: its masks count {', '.join(named)}; the model {', '.join(classes)}"
        )
    rule = rule_of(data, seen, classes, void)
    judging = _Judging(predict, rule)
    good = usable(seen, rule, failures)
    opened = track(stream(lambda one: _open(one, rule), good), "Evaluating", len(good))
    for one, result in opened:
        if isinstance(result, PictureError):
            failures.append(Failure(one.name, result.reason))
        else:
            judging.add(one.name, *result)
    if not judging.judged:
        first = f"; first: {failures[0].picture}: {failures[0].error}" if failures else ""
        raise DatasetError(f"{data.origin}: has no picture with a mask to judge{first}")
    return SegmentationReport(
        classes=tuple(classes),
        palette=palette or voc_palette(len(classes)),
        matrix=judging.matrix,
        boundary={name: float(np.mean(v)) for name, v in judging.boundary.items() if v},
        judged=tuple(sorted(judging.judged, key=lambda one: one.miou)),
        worst=tuple(judging.worst),
        failures=tuple(failures),
    )


def _open(one: Masked, rule: MaskRule) -> tuple[Pixels, Mask]:
    return pictures.to_array(pictures.open_picture(one.path).image), rule.read(one.mask)


class _Judging:
    """What is known after some of the pictures."""

    def __init__(self, predict: Predict, rule: MaskRule) -> None:
        self.predict, self.classes = predict, rule.classes
        self.matrix: Matrix = np.zeros((len(rule.classes),) * 2, np.int64)
        self.boundary: dict[str, list[float]] = {name: [] for name in rule.classes}
        self.judged: list[JudgedMask] = []
        self.worst: list[ShownMask] = []

    def add(self, name: str, picture: Pixels, truth: Mask) -> None:
        """Predict one picture and compare."""
        predicted = self.predict(picture)
        own = confusion(truth, predicted, len(self.classes))
        if not own.any():
            return  # void everywhere
        self.matrix += own
        for number, label in enumerate(self.classes):
            score = boundary_f(truth, predicted, number)
            if score is not None:
                self.boundary[label].append(score)
        judged = JudgedMask(picture=name, miou=float(np.nanmean(class_ious(own))),
                            pixel_accuracy=float(np.trace(own) / own.sum()))  # fmt: skip
        self.judged.append(judged)
        if len(self.worst) < SHOWN or judged.miou < self.worst[-1].judged.miou:
            self.worst.append(_shown(judged, picture, truth, predicted))
            self.worst.sort(key=lambda one: one.judged.miou)
            del self.worst[SHOWN:]


def _shown(judged: JudgedMask, picture: Pixels, truth: Mask, predicted: Mask) -> ShownMask:
    small = at_working_size(picture, min(SIDE, max(picture.shape[:2])))
    size = small.shape[1], small.shape[0]
    nearest = cv2.INTER_NEAREST_EXACT
    return ShownMask(
        judged=judged,
        pixels=small,
        truth=cv2.resize(truth, size, interpolation=nearest).astype(np.uint8),
        predicted=cv2.resize(predicted, size, interpolation=nearest).astype(np.uint8),
    )
