"""Larger pictures."""

from __future__ import annotations

from typing import Any

from benchmark_sections.tables import Figures, row

SET5 = """
## Larger pictures

```sh
python benchmarks/upscaling_set5.py --seconds {seconds:g} --json docs/benchmarks/upscaling_set5.json
python benchmarks/upscaling_dogs.py --epochs 12 --json docs/benchmarks/upscaling_dogs.json
```

Set5, ×2, luminance, without a border of 2; the small pictures are those that MATLAB's bicubic made.
The weights that come with Garim have 78,348 parameters. The literature: SRCNN 36.66, FSRCNN 37.00,
CARN-M 37.53, IMDN 38.00 dB. Below, the pictures were blurred by a Gaussian of σ before they were
shrunk; `zero-shot` learned {seconds:g} seconds from each small picture alone.

| pictures | method | PSNR | SSIM |
|---|---|---:|---:|
"""

DOGS = """
`dogs_32`, 16 × 16 to 32 × 32 pixels as in the document, a tenth held out; all networks learned from
the same pairs, as often, in the same batches. Luminance, border 2, and PSNR over all values.

| method | parameters | PSNR | SSIM | PSNR, RGB |
|---|---:|---:|---:|---:|
"""

SPEED = """
Seconds per megapixel of result on the CPU, {threads} thread of a busy machine, best of three
(`benchmarks/upscaling_speed.py`):

| method | s |
|---|---:|
"""

RECOGNITION = """
A classifier (MobileNetV2, frozen) trained on `clothing5`; its test pictures at 16 pixels a side, as
they are and enlarged ×4 (`benchmarks/upscaling_recognition.py`). The weights that enlarge have seen
pictures of this collection, though no labels, and the small pictures are made as those that they
learned from were: a best case.

| pictures | accuracy | interval |
|---|---:|---:|
"""

CROPS = """
Crops that Self Extraction cut out of `clothing5` at 64 pixels, as they are and enlarged to twice
their sides as they are cut (`benchmarks/upscaling_crops.py`); a head on frozen features, trained
and judged on crops of the same kind:

| crops | median shorter side | accuracy | interval | macro F1 |
|---|---:|---:|---:|---:|
"""


def section(found: Figures) -> str:
    """Give the section; each table is left out until it has been measured."""
    text = ""
    if set5 := found.get("upscaling_set5"):
        text += SET5.format(seconds=set5["seconds"]) + _set5_lines(set5)
    if dogs := found.get("upscaling_dogs"):
        text += DOGS + "".join(map(_dogs_line, dogs))
    if speed := found.get("upscaling_speed"):
        text += SPEED.format(**speed["machine"])
        text += "".join(row(r["name"], r["seconds"]) for r in speed["rows"])
    if recognition := found.get("upscaling_recognition"):
        text += RECOGNITION + "".join(
            row(r["name"], r["accuracy"], "{:.3f} to {:.3f}".format(*r["interval"]))
            for r in recognition
        )
    if crops := found.get("upscaling_crops"):
        text += CROPS + "".join(
            row(r["name"], f"{r['median_side']:.0f}", r["accuracy"],
                f"{r['low']:.3f} to {r['high']:.3f}", r["macro_f1"])
            for r in crops
        )  # fmt: skip
    return text


def _set5_lines(found: dict[str, Any]) -> str:
    lines = [("Set5", r["name"], r) for r in found["plain"]]
    lines += [(f"blurred, σ = {r['blur']:g}", r["way"], r) for r in found["blurred"]]
    return "".join(row(of, method, *_judged(r)) for of, method, r in lines)


def _dogs_line(found: dict[str, Any]) -> str:
    parameters = f"{found['parameters']:,}" if "parameters" in found else ""
    return row(found["name"], parameters, *_judged(found), f"{found['rgb_psnr']:.2f}")


def _judged(found: dict[str, Any]) -> tuple[str, str]:
    return f"{found['psnr']:.2f}", f"{found['ssim']:.4f}"
