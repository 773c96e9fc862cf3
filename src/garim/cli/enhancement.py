"""Upscalers: pictures get larger."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from rich.table import Table

import garim
from garim.cli.options import Execution, Flat, Out, Part
from garim.cli.show import Output, finish, table
from garim.dataset import Selection
from garim.enhancement import Recognised, UpscaleSettings, recognise
from garim.evaluation import UpscalingReport
from garim.execution import ExecutionSettings
from garim.report import training_report, upscaling_report
from garim.training import UpscaleTrainSettings

LISTED = 20
"""Pictures that are listed one by one; ``--json`` has all."""


def upscale(
    *pictures: Path,
    out: Path,
    then: Path | None = None,
    settings: Annotated[UpscaleSettings, Flat] = UpscaleSettings(),
    execution: Execution = ExecutionSettings(),
    output: Out = Output(),
) -> int:
    """Enlarge pictures, animations and videos; format, transparency, profile, timing are kept.

    Parameters
    ----------
    pictures
        Pictures, videos (with ffmpeg), or folders of them.
    out
        Folder for the results, under the same names. A run that was interrupted there goes on.
    then
        Folder of a classifier, to say what is in the pictures before and after.
    """
    found = garim.upscale(pictures, out, settings, execution)
    said = [] if then is None else recognise(found, then)
    done = f"{len(found.rows)} enlarged ×{found.scale} into {out} ({found.seconds:.1f} s)"
    again = [f"{found.reused} of them were there already"] if found.reused else []
    result = {**found.to_dict(), "recognised": [one.to_dict() for one in said]}
    return finish(output, result, *(_as_table(said) if said else ()), done, *again)


def _as_table(said: list[Recognised]) -> tuple[Table]:
    rows = [
        (one.picture, one.before.label, one.before.confidence, one.after.label,
         one.after.confidence)
        for one in said[:LISTED]
    ]  # fmt: skip
    return (table(("picture", "before", "confidence", "after", "confidence "), rows),)


def train_upscale(
    data: Path,
    *,
    out: Path,
    settings: Annotated[UpscaleTrainSettings, Flat] = UpscaleTrainSettings(),
    part: Part = Selection(),
    output: Out = Output(),
) -> int:
    """Train an upscaler on any sharp pictures; they are their own truth (train --task upscale).

    Parameters
    ----------
    data
        Dataset or folder of pictures; the test split is never looked at.
    out
        Folder for the model. A training that was interrupted there goes on.
    """
    dataset = garim.read(data, part)
    trained = garim.train_upscaler(dataset, settings, out)
    page = training_report(trained, dataset, out)
    result = {**trained.to_dict(), "report": str(page)}
    figures = [f"{name}: {value}" for name, value in trained.upscaler.card.metrics.items()]
    made = f"{trained.pairs} pairs of {trained.pictures} pictures"
    lines = [made, *figures, f"Model: {out} ({trained.seconds:.0f} s)", f"Report: {page}"]
    return finish(output, result, *lines)


def show_upscaling(
    judged: UpscalingReport, dataset: garim.Dataset, out: Path, output: Output
) -> int:
    """Show how near to the originals an upscaler comes."""
    page = upscaling_report(judged, dataset, out)
    rows = [
        ("bicubic", judged.mean("bicubic_psnr"), judged.mean("bicubic_ssim")),
        ("model", judged.mean("psnr"), judged.mean("ssim")),
    ]
    lines = (
        table(("", "PSNR (dB)", "SSIM"), rows),
        f"×{judged.scale}, luminance, {len(judged.pictures)} pictures",
        f"Report: {page}",
    )
    return finish(output, {**judged.to_dict(), "report": str(page)}, *lines)
