"""The page of an upscaler: how near it comes to the originals."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from garim import files, pictures
from garim.dataset import Dataset
from garim.evaluation.upscaling import Example, UpscalingReport
from garim.report.page import (
    Figure,
    Figures,
    Flip,
    Gallery,
    Page,
    Picture,
    Section,
    Table,
    write_page,
)
from garim.report.parts import SHOWN, failed
from garim.report.sheet import compared_sheet

CELL = 256
"""Side of each picture on the sheet, in pixels."""

CLEAR = 95
"""WebP quality of pictures whose details are compared."""


def upscaling_report(report: UpscalingReport, dataset: Dataset, folder: Path) -> Path:
    """Write ``report.html``, ``report.json`` and ``upscaled.png``: all versions, and figures."""
    files.write_json(folder / "report.json", report.to_dict())
    gain = report.mean("psnr") - report.mean("bicubic_psnr")
    figures = Figures((
        Figure("PSNR", report.mean("psnr"), "dB on luminance; higher is nearer to the original"),
        Figure("Over bicubic", gain, "dB"),
        Figure("SSIM", report.mean("ssim"), "structure that is kept; 1 is all"),
        Figure("SSIM of bicubic", report.mean("bicubic_ssim")),
    ))  # fmt: skip
    pictures.save(upscaling_sheet(report), folder / "upscaled.png")
    flips = tuple(_flip(one) for one in report.examples)
    worst = sorted(report.pictures, key=lambda one: one.psnr - one.bicubic_psnr)[:SHOWN]
    rows = tuple((o.picture, o.psnr, o.bicubic_psnr, o.ssim, o.bicubic_ssim) for o in worst)
    columns = ("Picture", "PSNR", "PSNR of bicubic", "SSIM", "SSIM of bicubic")
    sections = (
        Section("How good", (figures,)),
        Section("See it", (Gallery(flips),),
                "Flip between what went in, two ways to enlarge it, and what it should be."),
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


def _flip(one: Example) -> Flip:
    size = one.target.shape[1], one.target.shape[0]
    names = ("input", "bicubic", "output", "target")
    versions = tuple(
        (name, Picture.of(image.resize(size, Image.Resampling.NEAREST), name, max(size), CLEAR))
        for name, (image, _) in zip(names, _versions(one)[0], strict=True)
    )
    of = one.figures
    return Flip(
        versions,
        caption=of.picture,
        badge=f"{of.psnr - of.bicubic_psnr:+.2f} dB",
        tone="good" if of.psnr > of.bicubic_psnr else "bad",
        details=(("PSNR", of.psnr), ("PSNR of bicubic", of.bicubic_psnr), ("SSIM", of.ssim),
                 ("SSIM of bicubic", of.bicubic_ssim)),
    )  # fmt: skip


def _versions(one: Example) -> tuple[list[tuple[Image.Image, str]], str]:
    of = one.figures
    marks = (
        (one.small, "input"),
        (one.bicubic, f"bicubic {of.bicubic_psnr:.2f} dB, {of.bicubic_ssim:.3f}"),
        (one.enlarged, f"output {of.psnr:.2f} dB, {of.ssim:.3f}"),
        (one.target, "target"),
    )
    return [(Image.fromarray(pixels), mark) for pixels, mark in marks], of.picture
