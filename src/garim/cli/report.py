"""A page to look at: of a trained run, a plan or a dataset."""

from __future__ import annotations

from pathlib import Path

import garim
from garim.cli.options import Out
from garim.cli.show import Output, finish


def report(
    subject: Path, *, out: Path | None = None, data: Path | None = None, output: Out = Output()
) -> int:
    """Write one self-contained page: of a trained run, of a plan, or of a dataset.

    Parameters
    ----------
    subject
        Folder of a model, file of a plan, or dataset.
    out
        File of the page. Default: report.html in the model's folder, beside the plan, or the
        dataset's name with .html here.
    data
        Where the dataset of a plan is now, if it was moved.
    """
    made = garim.report(subject, out, data=data)
    return finish(output, made.to_dict(), f"Report of a {made.about}: {made.page}")
