"""``garim evaluate``: a classifier against labels, or a plan against true boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any, overload

from garim.boxes import Box
from garim.dataset import Dataset
from garim.errors import DatasetError, SettingsError
from garim.evaluation.classification import ClassificationReport
from garim.evaluation.classifiers import compare_classifiers, evaluate_classifier
from garim.evaluation.comparison import ComparisonReport
from garim.evaluation.detection import DetectionReport, evaluate_detector
from garim.evaluation.instances import InstanceReport, evaluate_instances
from garim.evaluation.localization import LocalizationReport, localization_report
from garim.evaluation.segmentation import SegmentationReport, evaluate_segmenter
from garim.evaluation.upscaling import UpscalingReport, evaluate_upscaler
from garim.files import nfc
from garim.formats.rows import SPLITS
from garim.models.classifier import Classifier
from garim.models.detector import Detector
from garim.models.instance_segmenter import InstanceSegmenter
from garim.models.segmenter import Segmenter
from garim.models.upscaler import Upscaler
from garim.models.yolo_onnx import YoloOnnx
from garim.plan import Edit, Plan


@overload
def evaluate(subject: Classifier, data: Dataset) -> ClassificationReport: ...
@overload
def evaluate(subject: Classifier, data: Dataset, against: Classifier) -> ComparisonReport: ...
@overload
def evaluate(subject: Segmenter, data: Dataset) -> SegmentationReport: ...
@overload
def evaluate(subject: Upscaler, data: Dataset) -> UpscalingReport: ...
@overload
def evaluate(subject: InstanceSegmenter, data: Dataset) -> InstanceReport: ...
@overload
def evaluate(subject: Detector | YoloOnnx, data: Dataset) -> DetectionReport: ...
@overload
def evaluate(subject: Plan, data: Dataset) -> LocalizationReport: ...


def evaluate(subject: Any, data: Dataset, against: Any = None) -> Any:
    """Say how good a classifier or a plan is, or whether a classifier is better than another.

    Args:
        subject: a classifier, judged on the labels of ``data``; a plan, judged on its boxes; a
            segmenter, judged on its masks; or an upscaler, judged on the pictures themselves.
        data: the truth.
        against: another classifier of the same classes, judged on the same pictures.

    Raises:
        DatasetError: nothing in ``data`` can be judged.
        ModelError: two models that do not have the same classes.
        SettingsError: a subject that cannot be judged, or two that cannot be compared.
    """
    if type(subject) not in JUDGES:
        known = ", ".join(one.__name__ for one in JUDGES)
        raise SettingsError([f"a {type(subject).__name__} cannot be judged; what can: {known}"])
    if against is None:
        return JUDGES[type(subject)](subject, data)
    if type(subject) is not type(against) or type(subject) not in COMPARERS:
        kinds = f"{type(subject).__name__} and {type(against).__name__}"
        raise SettingsError([f"only two models of one kind can be compared, not {kinds}"])
    return COMPARERS[type(subject)](subject, against, data)


def proposed_box(edit: Edit) -> Box | None:
    """Give the box that an edit stands for: the whole picture when it is kept as it is."""
    if edit.edit == "keep" and edit.box is None and edit.score_after is not None and edit.size:
        return Box.whole(*edit.size)
    return edit.box


def evaluate_plan(plan: Plan, truth: Dataset) -> LocalizationReport:
    """Judge the boxes of a plan against a dataset with boxes of the same pictures.

    Pictures are matched by their names (relative to each root), or, when the roots differ, by the
    longest common end of their paths, where that end can mean one picture only.

    Raises:
        DatasetError: the truth has no boxes, or none of the plan's pictures.
    """
    if not any(row.objects for row in truth.rows):
        raise DatasetError(f"{truth.origin}: has no boxes to compare with")
    judged = [e for e in plan.edits if e.edit in {"crop", "keep"} and e.error is None]
    match = _matcher([r.file_name for r in truth.rows], [e.picture for e in judged],
                     {*truth.classes, *(e.label for e in judged if e.label), *SPLITS})  # fmt: skip
    proposed = [
        (match(edit.picture) or edit.picture, edit.label or "", proposed_box(edit))
        for edit in judged
    ]
    objects = [(nfc(row.file_name), one) for row in truth.rows for one in row.objects]
    report = localization_report(proposed, objects)
    if not report.boxes:
        raise DatasetError(f"{truth.origin}: has no box for any picture and label of the plan")
    return report


def _matcher(
    names: Sequence[str], pictures: Sequence[str], telling: Collection[str]
) -> Callable[[str], str | None]:
    """Give a function that finds a picture among ``names`` by the longest common path end.

    An end that several names, or several of the ``pictures`` that are looked for, share tells
    nothing. Nor are pictures the same whose folders above that end both have a telling name: that
    of a class or a split, such as ``cat/1.jpg`` and ``dog/1.jpg``.
    """
    known = {nfc(name) for name in names}
    shared = [_shared_ends(known), _shared_ends({nfc(picture) for picture in pictures})]
    by_end = {end: name for name in known for end in _ends(name) if end not in shared[0]}

    def match(picture: str) -> str | None:
        wanted = nfc(picture)
        if wanted in known:
            return wanted
        for end in _ends(wanted):
            name = by_end.get(end)
            if name is not None:
                above = {_folder_above(wanted, end), _folder_above(name, end)}
                return None if end in shared[1] or above <= set(telling) else name
        return None

    return match


def _shared_ends(names: Collection[str]) -> set[str]:
    counted = Counter(end for name in names for end in _ends(name))
    return {end for end, count in counted.items() if count > 1}


def _folder_above(name: str, end: str) -> str:
    return name.removesuffix(end).rstrip("/").rpartition("/")[2]


def _ends(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[i:]) for i in range(len(parts))]


JUDGES: dict[type, Callable[[Any, Dataset], Any]] = {
    Classifier: evaluate_classifier,
    Plan: evaluate_plan,
    Segmenter: evaluate_segmenter,
    InstanceSegmenter: evaluate_instances,
    Detector: evaluate_detector,
    YoloOnnx: evaluate_detector,
    Upscaler: evaluate_upscaler,
}
"""What judges each kind of subject."""

COMPARERS: dict[type, Callable[[Any, Any, Dataset], Any]] = {
    Classifier: compare_classifiers,
}
"""What compares two of a kind."""
