"""A trained model on new pictures, here or elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import garim
from garim.cli.options import Execution, Flat, Out
from garim.cli.show import Output, finish, table
from garim.execution import ExecutionSettings
from garim.prediction import PredictSettings

LISTED = 20
"""Predictions that are listed one by one; --out and --json have all."""

COLUMNS = 3
"""Columns of that list: the picture, its label, and the figure that comes first."""


def predict(
    model: Path,
    *pictures: Path,
    out: Path | None = None,
    to: Path | None = None,
    settings: Annotated[PredictSettings, Flat] = PredictSettings(),
    execution: Execution = ExecutionSettings(),
    output: Out = Output(),
) -> int:
    """Say what is in pictures: the likeliest labels of each, with calibrated confidence.

    Parameters
    ----------
    model
        Folder of a model.
    pictures
        Pictures, folders of them, or other datasets.
    out
        File for the predictions: .csv or .json.
    to
        New or empty folder, into which the pictures are copied, sorted by their labels; or where
        a segmenter's masks and overlays go.
    """
    opened = garim.load_model(model)
    found = garim.predict(opened, pictures, settings, out=out, to=to, execution=execution)
    listed = [one.cells() for one in found.rows[:LISTED]]
    head = tuple(listed[0])[:COLUMNS] if listed else ()
    rows = [tuple(one.values())[:COLUMNS] for one in listed]
    counts = ", ".join(f"{n} × {label}" for label, n in found.counts().items())
    more = f"… and {len(found.rows) - LISTED} more; " if len(found.rows) > LISTED else ""
    lines = [f"{more}{len(found.rows)} pictures: {counts or 'none'} ({found.seconds:.1f} s)"]
    lines += [f"Predictions: {out}"] if out else []
    lines += [f"Written to: {to}"] if to else []
    result = {**found.to_dict(), "out": out and str(out), "to": to and str(to)}
    return finish(output, result, table(head, rows), *lines)


def export(model: Path, *, to: Path, output: Out = Output()) -> int:
    """Write a model as one ONNX file: pictures in, probabilities out.

    Parameters
    ----------
    model
        Folder of a model.
    to
        File to write: .onnx.
    """
    done = garim.export(garim.load_model(model), to)
    line = f"Written to {to}; differs from PyTorch by at most {done.difference:.1g}"
    return finish(output, done.to_dict(), line)
