"""Where pictures come from, and how few become many."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import garim
from garim.augmentation import AugmentSettings
from garim.cli.options import Flat, Out, Part
from garim.cli.show import Output, finish, table
from garim.collection import CollectSettings
from garim.dataset import Selection
from garim.report import copies_sheet


def collect(
    source: Path,
    *,
    to: Path,
    settings: Annotated[CollectSettings, Flat] = CollectSettings(),
    output: Out = Output(),
) -> int:
    """Bring pictures from a list of addresses, or from a folder, into a dataset.

    Parameters
    ----------
    source
        A .csv with the columns url and label, a text file with an address per line, or a folder of
        downloads.
    to
        Folder for the dataset; run again, only what is missing is fetched.
    """
    found = garim.collect(source, to, settings)
    line = f"{found.pictures} pictures in {to} ({found.new} new, {found.copies} copies left out)"
    return finish(output, found.to_dict(), line)


def augment(
    data: Path,
    *,
    to: Path,
    sheet: Path | None = None,
    settings: Annotated[AugmentSettings, Flat] = AugmentSettings(),
    part: Part = Selection(),
    output: Out = Output(),
) -> int:
    """Write a dataset with so many pictures per class, by changed copies of the training pictures.

    Parameters
    ----------
    data
        Dataset with labels or boxes; splits other than train are copied as they are.
    to
        New or empty folder to write to.
    sheet
        Picture file for a look at the copies. Default: beside the folder.
    """
    found = garim.augment(garim.read(data, part), settings, to)
    preview = sheet or to.with_name(f"{to.name}-copies.png")
    garim.pictures.save(copies_sheet(found).image, preview)
    counts = found.dataset.counts()
    rows = [(name, *(of[name] for of in counts.values())) for name in found.dataset.classes]
    lines = (table(("class", *counts), rows), f"Written to {to}", f"Copies: {preview}")
    return finish(output, {**found.to_dict(), "sheet": str(preview)}, *lines)
