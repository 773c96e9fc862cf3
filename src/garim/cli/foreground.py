"""What of a picture is its object: cut out, and outlined."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import garim
from garim.cli.options import Flat, Out
from garim.cli.show import Output, finish
from garim.foreground import (
    CutoutSettings,
    ForegroundSettings,
    OutlineSettings,
    outlines,
    save_outlines,
)
from garim.report import outlines_sheet, thresholds_sheet


def cutout(
    *given: Path,
    out: Path,
    settings: Annotated[CutoutSettings, Flat] = CutoutSettings(),
    how: Annotated[ForegroundSettings, Flat] = ForegroundSettings(),
    output: Out = Output(),
) -> int:
    """Cut the objects of pictures out: without a background, or with another one.

    Parameters
    ----------
    given
        Pictures, or folders of them.
    out
        Folder for the cutouts. A run that was interrupted goes on.
    """
    done = garim.cutout(given, out, settings, how)
    kept = f", {done.kept} kept from before" if done.kept else ""
    line = f"{len(done.written)} cut out{kept} ({done.seconds:.1f} s): {out}"
    return finish(output, done.to_dict(), line)


def contours(
    picture: Path,
    *,
    out: Path = Path("contours"),
    thresholds: Annotated[bool, Parameter(negative="")] = False,
    settings: Annotated[OutlineSettings, Flat] = OutlineSettings(),
    how: Annotated[ForegroundSettings, Flat] = ForegroundSettings(),
    output: Out = Output(),
) -> int:
    """Draw the outlines in a picture by grey value and by its foreground, and export both.

    Parameters
    ----------
    picture
        Picture to outline.
    out
        Folder for contours.png, contours.json, grey.svg and foreground.svg.
    thresholds
        Also draw thresholds.png: the picture under a global, Otsu's, local and adaptive threshold.
    """
    pixels = garim.pictures.to_array(garim.pictures.open_picture(picture).image)
    found = outlines(pixels, settings, how)
    paths = save_outlines(found, out)
    sheets = {"contours.png": outlines_sheet(pixels, found)}
    if thresholds:
        sheets["thresholds.png"] = thresholds_sheet(pixels)
    for name, image in sheets.items():
        garim.pictures.save(image, out / name)
    result = {"picture": str(picture), "grey": len(found.grey), "foreground": len(found.foreground),
              "files": [*map(str, paths), *(str(out / name) for name in sheets)]}  # fmt: skip
    line = f"{len(found.grey)} outlines by grey value, {len(found.foreground)} by foreground: {out}"
    return finish(output, result, line)
