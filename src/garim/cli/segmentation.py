"""Segmenters: every pixel gets a class, or every object a mask."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import garim
from garim.cli.options import Flat, Out, Part
from garim.cli.show import Output, finish, table
from garim.dataset import Selection
from garim.evaluation import InstanceReport, SegmentationReport
from garim.extraction import MaskSettings
from garim.models.classifier import load as load_classifier
from garim.report import instance_report, masks_sheet, segmentation_report, training_report
from garim.training import InstanceTrainSettings, SegmentTrainSettings


def train_segment(
    data: Path,
    *,
    out: Path,
    settings: Annotated[SegmentTrainSettings, Flat] = SegmentTrainSettings(),
    part: Part = Selection(),
    output: Out = Output(),
) -> int:
    """Train a segmenter on pictures with masks (train --task segment).

    Parameters
    ----------
    data
        Dataset with masks; the test split is never looked at.
    out
        Folder for the model. A training that was interrupted there goes on.
    """
    dataset = garim.read(data, part)
    trained = garim.train_segmenter(dataset, settings, out)
    page = training_report(trained, dataset, out)
    figures = [f"{name}: {value}" for name, value in trained.model.card.metrics.items()]
    result = {**trained.to_dict(), "report": str(page)}
    lines = [*trained.notes, *figures, f"Model: {out} ({trained.seconds:.0f} s)", f"Report: {page}"]
    return finish(output, result, *lines)


def train_instances(
    data: Path,
    *,
    out: Path,
    settings: Annotated[InstanceTrainSettings, Flat] = InstanceTrainSettings(),
    part: Part = Selection(),
    output: Out = Output(),
) -> int:
    """Train Mask R-CNN on objects with masks of their own (train --task instances).

    Parameters
    ----------
    data
        Dataset with a mask per object; the test split is never looked at.
    out
        Folder for the model. A training that was interrupted there goes on.
    """
    dataset = garim.read(data, part)
    trained = garim.train_instances(dataset, settings, out)
    page = training_report(trained, dataset, out)
    figures = [f"{name}: {value}" for name, value in trained.model.card.metrics.items()]
    result = {**trained.to_dict(), "report": str(page)}
    lines = [*figures, f"Model: {out} ({trained.seconds:.0f} s)", f"Report: {page}"]
    return finish(output, result, *lines)


def masks(
    data: Path,
    model: Path,
    *,
    to: Path,
    settings: Annotated[MaskSettings, Flat] = MaskSettings(),
    part: Part = Selection(),
    output: Out = Output(),
) -> int:
    """Make masks from labels alone, for train --task segment to learn from.

    Parameters
    ----------
    data
        Dataset with labels, with boxes too or not; no masks are made for its test split.
    model
        Folder of a classifier that knows the labels.
    to
        New or empty folder for the pictures with their masks. A run that was interrupted goes on.
    """
    found = garim.make_masks(garim.read(data, part), load_classifier(model), to, settings)
    sheet = to / "masks.png"
    garim.pictures.save(masks_sheet(found), sheet)
    shares = [(name, share) for name, share in found.shares().items()]
    kept = f", {found.kept} kept from before" if found.kept else ""
    line = f"{len(found.pictures)} masks{kept} ({found.seconds:.1f} s): {to}"
    result = {**found.to_dict(), "sheet": str(sheet)}
    return finish(output, result, table(("class", "share"), shares), line, f"Some of them: {sheet}")


def show_segmentation(
    judged: SegmentationReport, dataset: garim.Dataset, out: Path, output: Output
) -> int:
    """Show how good masks are."""
    page = segmentation_report(judged, dataset, out)
    rows = [
        (name, *("–" if value is None else value for value in row.values()))
        for name, row in judged.per_class().items()
    ]
    lines = (
        table(("class", "IoU", "accuracy", "boundary F", "pixels"), rows),
        f"mean IoU {judged.miou:.4f}, pixel accuracy {judged.pixel_accuracy:.4f}, "
        f"{len(judged.judged)} pictures",
        f"Report: {page}",
    )
    return finish(output, {**judged.to_dict(), "report": str(page)}, *lines)


def show_instances(
    judged: InstanceReport, dataset: garim.Dataset, out: Path, output: Output
) -> int:
    """Show how good masks of single objects are."""
    page = instance_report(judged, dataset, out)
    rows = [
        (name, *("–" if value is None else value for value in row.values()))
        for name, row in judged.per_class.items()
    ]
    line = (
        f"mask AP {judged.ap:.4f}, AP50 {judged.ap50:.4f}, AP75 {judged.ap75:.4f}, "
        f"{judged.objects} objects in {judged.pictures} pictures"
    )
    lines = (table(("class", "AP", "AP50"), rows), line, f"Report: {page}")
    return finish(output, {**judged.to_dict(), "report": str(page)}, *lines)
