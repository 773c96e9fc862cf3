"""One page about a trained run, a plan or a dataset: what `garim report` makes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from garim import dataset as datasets
from garim.dataset import Dataset
from garim.errors import ModelError
from garim.models.folder import CONFIG, UNFINISHED, task_of
from garim.plan import Edit, Plan, dataset_of
from garim.plan.reading import opened
from garim.report.dataset_page import dataset_report
from garim.report.plan_page import plan_report
from garim.report.training_page import run_report


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A page that was written."""

    page: Path
    about: Literal["model", "plan", "dataset"]

    def to_dict(self) -> dict[str, Any]:
        """Give the result as it stands in ``--json``."""
        return {"report": str(self.page), "about": self.about, "failed": []}


def report(
    subject: Dataset | Plan | Path | str,
    out: Path | str | None = None,
    *,
    data: Path | str | None = None,
) -> Reported:
    """Write one self-contained page about a trained run, a plan or a dataset.

    Nothing but the page is written; it loads nothing from outside.

    Args:
        subject: a model's folder, a plan or its file, a dataset or what `garim.read` takes.
        out: file of the page. By default ``report.html`` in a model's folder, ``PLAN.html`` beside
            a plan, and the dataset's name with ``.html`` in the working folder.
        data: where the dataset of a plan is now, if it has moved since.

    Raises:
        DatasetError: the dataset, or that of the plan, is not there or cannot be read.
        PlanError: the plan cannot be read.
        ModelError: the model's folder was written by a newer Garim, or its training is not
            finished.
    """
    if isinstance(subject, Dataset):
        return _of_dataset(subject, out)
    if isinstance(subject, Plan):
        return _of_plan(subject, Path(out or "plan.html"), data)
    path = Path(subject)
    if _is_run(path):
        page = run_report(path, Path(out or path / "report.html"))
        return Reported(page=page, about="model")
    if _is_plan(path):
        kept = opened(path)
        return _of_plan(kept.plan, Path(out or path.with_suffix(".html")), data, kept)
    return _of_dataset(datasets.read(path), out)


def _of_dataset(dataset: Dataset, out: Path | str | None) -> Reported:
    page = Path(out or f"{dataset.origin.stem or 'dataset'}.html")
    return Reported(page=dataset_report(dataset, page), about="dataset")


def _of_plan(
    plan: Plan, page: Path, data: Path | str | None, edits: Iterable[Edit] | None = None
) -> Reported:
    return Reported(page=plan_report(plan, dataset_of(plan, data), page, edits), about="plan")


def _is_run(path: Path) -> bool:
    if (path / UNFINISHED).is_file():
        return bool(task_of(path))  # says that it is not finished
    if not (path / CONFIG).is_file():
        return False
    try:
        return bool(task_of(path))
    except ModelError:  # a dataset may hold a file of that name
        return (path / "model.safetensors").is_file()


def _is_plan(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        first = stream.readline(1 << 20)
    try:
        return bool("garim_plan" in json.loads(first))
    except (ValueError, TypeError):
        return False
