"""``garim evaluate``: a classifier against labels, or a plan against true boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any, overload

import numpy as np

from garim.boxes import Box
from garim.dataset import Dataset
from garim.errors import DatasetError, Failure, PictureError
from garim.evaluation.classification import ClassificationReport, classification_report
from garim.evaluation.localization import LocalizationReport, localization_report
from garim.files import nfc
from garim.formats.rows import SPLITS, Row
from garim.models.classifier import Classifier, Scores
from garim.pictures import Pixels, square
from garim.plan import Edit, Plan
from garim.streaming import chunks, stream, track

BATCH = 64
"""Pictures per batch."""


@overload
def evaluate(subject: Classifier, data: Dataset) -> ClassificationReport: ...
@overload
def evaluate(subject: Plan, data: Dataset) -> LocalizationReport: ...


def evaluate(
    subject: Classifier | Plan, data: Dataset
) -> ClassificationReport | LocalizationReport:
    """Say how good a classifier or a plan is.

    Args:
        subject: a classifier, judged on the labels of ``data``; or a plan, judged on its boxes.
        data: the truth.

    Raises:
        DatasetError: nothing in ``data`` can be judged.
    """
    report: ClassificationReport | LocalizationReport = JUDGES[type(subject)](subject, data)
    return report


def evaluate_classifier(classifier: Classifier, data: Dataset) -> ClassificationReport:
    """Judge a classifier on the labels of a dataset.

    Pictures that cannot be opened, or whose label the model does not know, are left out and
    listed.

    Raises:
        DatasetError: no picture can be judged.
    """
    number = {name: index for index, name in enumerate(classifier.classes)}
    known = [row for row in data.rows if row.label in number]
    failures = [
        Failure(row.file_name, f"its label {row.label!r} is not one of the model's classes")
        for row in data.rows
        if row.label not in number
    ]
    rows, scores = _score(classifier, data, known, failures)
    targets = np.array([number[row.label or ""] for row in rows], dtype=np.int64)
    names = [row.file_name for row in rows]
    return classification_report(targets, scores, classifier.classes, names, failures)


def _score(
    classifier: Classifier, data: Dataset, rows: list[Row], failures: list[Failure]
) -> tuple[list[Row], Scores]:
    size = classifier.card.size
    opened = stream(lambda row: square(data.path(row), size), rows)
    good: list[Row] = []
    parts = [np.zeros((0, len(classifier.classes)), np.float32)]
    for part in chunks(track(opened, "Evaluating", len(rows)), BATCH):
        batch: list[Pixels] = []
        for row, result in part:
            if isinstance(result, PictureError):
                failures.append(Failure(row.file_name, result.reason))
            else:
                good.append(row)
                batch.append(result)
        if batch:
            parts.append(classifier.scores(np.stack(batch)))
    return good, np.concatenate(parts)


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
}
"""What judges each kind of subject."""
