"""The table of checks: what each looks for, and what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from garim.audit import classes, duplicates, objects, outliers, pixels
from garim.audit.evidence import Evidence
from garim.audit.findings import Finding
from garim.audit.label_errors import label_errors
from garim.audit.networks import WITHOUT_FOLDS, WITHOUT_LOCALIZER

Need = Literal["pictures", "labels", "splits", "boxes", "features", "judgements", "presence"]

Find = Callable[[Evidence], Finding]


@dataclass(frozen=True, slots=True)
class Check:
    """One question about every picture."""

    find: Find
    title: str
    """What its issues are, for people."""
    needs: Need = "pictures"


CHECKS: dict[str, Check] = {
    "broken": Check(pixels.broken, "Cannot be opened"),
    "odd_size": Check(pixels.odd_size, "Far smaller or larger than most"),
    "odd_aspect": Check(pixels.odd_aspect, "Very wide or very tall"),
    "odd_mode": Check(pixels.odd_mode, "Rare colour mode"),
    "dark": Check(pixels.dark, "Dark"),
    "bright": Check(pixels.bright, "Bright"),
    "blurry": Check(pixels.blurry, "Blurry"),
    "low_information": Check(pixels.low_information, "Hardly anything to see"),
    "exact_duplicates": Check(duplicates.of_kind("exact"), "The same file"),
    "recompressed_duplicates": Check(duplicates.of_kind("recompressed"), "Saved again or resized"),
    "near_duplicates": Check(duplicates.of_kind("near"), "Copies with a change"),
    "flipped_duplicates": Check(duplicates.of_kind("flipped"), "Mirror images"),
    "rotated_duplicates": Check(duplicates.of_kind("rotated"), "Turned copies"),
    "cropped_duplicates": Check(duplicates.of_kind("cropped"), "One is a part of the other"),
    "across_splits": Check(duplicates.across_splits, "Copies on both sides of a split", "splits"),
    "across_classes": Check(duplicates.across_classes, "Copies with different labels", "labels"),
    "imbalance": Check(classes.imbalance, "In a class with few pictures", "labels"),
    "class_names": Check(classes.class_names, "Class name written in two ways", "labels"),
    "label_errors": Check(label_errors, "Probably a wrong label", "judgements"),
    "outliers": Check(outliers.outliers, "Unlike all other pictures", "features"),
    "several_classes": Check(outliers.several_classes, "Holds other classes too", "presence"),
    "tiny_boxes": Check(objects.tiny_boxes, "Box without area, or tiny", "boxes"),
    "boxes_outside": Check(objects.boxes_outside, "Box outside the picture", "boxes"),
}
"""Every check by its name. To add one, write a function from `Evidence` to `Finding` and a line."""

NETWORK: tuple[Need, ...] = ("features", "judgements", "presence")
"""Needs that a network meets."""


def lacking(need: Need, evidence: Evidence) -> str | None:
    """Say what a check would need and does not have; None if it can run."""
    rows, seen = evidence.dataset.rows, evidence.seen
    judged = seen is not None and (seen.classifier is None or seen.probabilities is not None)
    without_network = "needs a network: give --weights FILE, or --model RUN"
    reasons: Mapping[Need, tuple[bool, str]] = {
        "pictures": (True, ""),
        "labels": (any(row.label for row in rows), "the pictures have no labels"),
        "splits": (len(evidence.dataset.splits) > 1, "there is only one split"),
        "boxes": (any(row.objects for row in rows), "there are no boxes"),
        "features": (seen is not None, without_network),
        "judgements": (judged, without_network if seen is None else WITHOUT_FOLDS),
        "presence": (
            seen is not None and seen.presence is not None,
            "needs --model RUN with a localizer" if seen is None or seen.classifier is None
            else WITHOUT_LOCALIZER,
        ),
    }  # fmt: skip
    can, reason = reasons[need]
    return None if can else reason
