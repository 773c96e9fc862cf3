"""The pages of upscalers: how they were trained, and how near they come to the originals."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from PIL import Image

from garim import pictures
from garim.dataset import Dataset
from garim.evaluation.upscaling import Example, UpscalingReport
from garim.report.page import (
    Figure,
    Figures,
    Page,
    Picture,
    Section,
    Table,
    WidePicture,
    write_page,
)
from garim.report.parts import SHOWN, failed
from garim.report.reports import curves
from garim.report.sheet import compared_sheet
from garim.training.upscaling import TrainedUpscaler

CELL = 256
"""Side of each picture on the sheet, in pixels."""


def upscaling_report(report: UpscalingReport, dataset: Dataset, folder: Path) -> Path:
    """Write ``report.html`` and ``upscaled.png``: input, bicubic, output, target, figures."""
    gain = report.mean("psnr") - report.mean("bicubic_psnr")
    figures = Figures((
        Figure("PSNR", report.mean("psnr"), "dB on luminance; higher is nearer to the original"),
        Figure("Over bicubic", gain, "dB"),
        Figure("SSIM", report.mean("ssim"), "structure that is kept; 1 is all"),
        Figure("SSIM of bicubic", report.mean("bicubic_ssim")),
    ))  # fmt: skip
    sheet = upscaling_sheet(report)
    pictures.save(sheet, folder / "upscaled.png")
    worst = sorted(report.pictures, key=lambda one: one.psnr - one.bicubic_psnr)[:SHOWN]
    rows = tuple((o.picture, o.psnr, o.bicubic_psnr, o.ssim, o.bicubic_ssim) for o in worst)
    columns = ("Picture", "PSNR", "PSNR of bicubic", "SSIM", "SSIM of bicubic")
    sections = (
        Section("How good", (figures,)),
        Section("See it", (WidePicture(Picture.of(sheet, "Pictures compared", max(sheet.size))),),
                "What went in, two ways to enlarge it, and what it should be."),
        Section("Picture by picture", (Table(columns, rows),),
                f"Least gained first; {len(rows)} of {len(report.pictures)}."),
        *failed(report.failures),
    )  # fmt: skip
    lead = (
        f"{len(report.pictures)} pictures of {dataset.origin.name}, shrunk and enlarged "
        f"×{report.scale}."
    )
    write_page(Page("Evaluation of an upscaler", lead, sections), folder / "report.html")
    return folder / "report.html"


def upscaling_sheet(report: UpscalingReport) -> Image.Image:
    """Draw the examples: input, bicubic, output, target, with PSNR and SSIM."""
    return compared_sheet(map(_versions, report.examples), cell=CELL)


def _versions(one: Example) -> tuple[list[tuple[Image.Image, str]], str]:
    of = one.figures
    marks = (
        (one.small, "input"),
        (one.bicubic, f"bicubic {of.bicubic_psnr:.2f} dB, {of.bicubic_ssim:.3f}"),
        (one.enlarged, f"output {of.psnr:.2f} dB, {of.ssim:.3f}"),
        (one.target, "target"),
    )
    return [(Image.fromarray(pixels), mark) for pixels, mark in marks], of.picture


def upscaler_training_report(trained: TrainedUpscaler, dataset: Dataset, folder: Path) -> Path:
    """Write the page of a training: what was trained, on what, and its curves."""
    metrics = trained.upscaler.card.metrics
    figures = [Figure(name.replace("_", " ").capitalize(), v) for name, v in metrics.items()]
    figures += [Figure("Pairs", trained.pairs, "trained on"),
                Figure("Pictures", trained.pictures, "that they were cut from")]  # fmt: skip
    settings = tuple((name, str(value)) for name, value in asdict(trained.recipe).items())
    sections = (
        Section("What came of it", (Figures(tuple(figures)),)),
        *curves(folder / "curves" / "metrics.csv"),
        Section("Settings", (Table(("Setting", "Value"), settings),)),
        *failed(trained.failures),
    )
    card = trained.upscaler.card
    lead = (
        f"{card.architecture} ×{card.scale}, {dataset.origin.name}, {trained.seconds:.0f} seconds."
    )
    write_page(Page("Training of an upscaler", lead, sections), folder / "report.html")
    return folder / "report.html"
