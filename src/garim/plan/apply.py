"""Carry a plan out: into a new dataset, or in place with a way back.

An edit is made only if the picture still has the content that the edit was proposed for. Both
ways can be killed at any moment and run again: what is done is not done twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from garim import dataset as datasets
from garim import files
from garim.boxes import Box
from garim.dataset import Dataset, Selection
from garim.errors import DatasetError, Failure, PictureError, PlanError, SettingsError
from garim.formats.rows import Row
from garim.plan import in_place
from garim.plan.edits import Edit, Plan
from garim.plan.journal import journals, locked
from garim.plan.new_dataset import write_edited
from garim.streaming import track


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplySettings:
    """How a plan is carried out."""

    as_boxes: bool = False
    """Keep the pictures whole and write the proposed boxes as annotations, instead of cropping."""
    only_accepted: bool = False
    """Apply only edits that were accepted in review; by default all that were not rejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What an apply or undo did."""

    to: Path
    pictures: int
    """Pictures in the dataset afterwards."""
    edits: dict[str, int]
    """Edits made, by kind."""
    failures: tuple[Failure, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Give the result as it stands in ``--json``."""
        return {
            "pictures": self.pictures,
            "edits": self.edits,
            "to": str(self.to),
            "failed": [failure.to_dict() for failure in self.failures],
        }


Key = tuple[str, str | None]


def apply(
    plan: Plan,
    *,
    to: Path | str | None = None,
    in_place: bool = False,
    data: Path | str | None = None,
    settings: ApplySettings | None = None,
) -> Applied:
    """Carry out a plan.

    Args:
        plan: the edits; rejected ones are left out.
        to: folder of the new dataset; it must be new or empty.
        in_place: change the dataset itself and keep what is replaced, for ``undo``.
        data: where the dataset is now, if it has moved since the plan was made.
        settings: crops or boxes, all or accepted edits only.

    Raises:
        SettingsError: neither or both of ``to`` and ``in_place``.
        DatasetError: the dataset is gone, in use, or the target is not empty.
    """
    chosen = settings or ApplySettings()
    if (to is None) == (not in_place):
        raise SettingsError(["give either a folder for the new dataset (--to) or --in-place"])
    if in_place and chosen.as_boxes:
        raise SettingsError(["boxes are written into a new dataset only: use --to"])
    source = dataset_of(plan, data)
    edits = _wanted(plan, chosen)
    if to is None:
        return _apply_in_place(plan, source, edits)
    return _apply_to(Path(to), plan, source, edits, chosen)


def dataset_of(plan: Plan, data: Path | str | None = None) -> Dataset:
    """Read the part of the dataset that a plan was made for.

    Args:
        plan: names the dataset and the part of it.
        data: where the dataset is now, if it has moved since.
    """
    return datasets.read(data or plan.dataset, Selection(**_selection(plan)))


def undo(data: Path | str) -> Applied:
    """Take back the last apply in place, byte for byte.

    Raises:
        DatasetError: there is nothing to undo.
    """
    root = Path(data)
    with locked(root):
        known = journals(root)
        if not known:
            raise DatasetError(f"{root}: nothing to undo; no plan was applied in place here")
        journal = known[-1]
        failures = []
        for step in track(reversed(journal.steps), "Undoing", len(journal.steps)):
            refused = journal.undo(step)
            if refused:
                failures.append(Failure(step.file, refused))
        count = len(journal.steps) - len(failures)
        if not failures:
            journal.remove()
    return Applied(
        to=root,
        pictures=len(datasets.read(root)),
        edits={"undone": count},
        failures=tuple(failures),
    )


def _selection(plan: Plan) -> dict[str, Any]:
    known = {"split", "classes", "labels", "format"}
    try:
        given = {name: value for name, value in plan.selection.items() if name in known}
        return {n: tuple(v) if isinstance(v, list) else v for n, v in given.items()}
    except AttributeError as error:
        raise PlanError("the plan's selection must be an object {…}") from error


def _wanted(plan: Plan, settings: ApplySettings) -> dict[Key, list[Edit]]:
    states = {"accepted"} if settings.only_accepted else {"accepted", "proposed"}
    wanted: dict[Key, list[Edit]] = defaultdict(list)
    for edit in plan.edits:
        if settings.as_boxes and edit.edit == "keep":
            edit = _whole_as_crop(edit)  # noqa: PLW2901 - the whole picture is its box
        if edit.edit != "keep" and edit.state in states and edit.error is None:
            wanted[edit.picture, edit.label].append(edit)
    return wanted


def _whole_as_crop(edit: Edit) -> Edit:
    """A picture that is kept because it shows its label best as a whole has a box: all of it."""
    if edit.size is None or edit.score_after is None:
        return edit
    return replace(edit, edit="crop", box=Box.whole(*edit.size))


def _strangers(edits: dict[Key, list[Edit]], rows: Iterable[Row]) -> list[Failure]:
    known = {(row.file_name, row.label) for row in rows}
    return [
        Failure(name, f"is not in the dataset with the label {label!r}; the edit was left out")
        for name, label in edits
        if (name, label) not in known
    ]


def unchanged_since(path: Path, edits: Sequence[Edit]) -> str | None:
    """Give the reason why edits must not be made to a file, or None if they may."""
    wanted = {edit.digest for edit in edits if edit.digest}
    try:
        found = files.digest(path)
    except OSError as error:
        return error.strerror or str(error)
    if wanted - {found}:
        return "has changed since the plan was made; make a new plan for it"
    return None


def _apply_in_place(plan: Plan, source: Dataset, edits: dict[Key, list[Edit]]) -> Applied:
    in_place.check(source, edits)
    with locked(source.root):
        journal = in_place.open_journal(source.root, plan.digest())
        failures = _strangers(edits, source.rows) if not journal.steps else []
        made: Counter[str] = Counter()
        for (name, _), chosen in track(edits.items(), "Applying", len(edits)):
            try:
                made.update(in_place.change(journal, source, name, chosen))
            except PictureError as error:
                failures.append(Failure(name, error.reason))
        journal.finish()
    return Applied(
        to=source.root,
        pictures=len(datasets.read(source.root)),
        edits=dict(made),
        failures=tuple(failures),
    )


def _apply_to(
    target: Path,
    plan: Plan,
    source: Dataset,
    edits: dict[Key, list[Edit]],
    settings: ApplySettings,
) -> Applied:
    made: Counter[str] = Counter()
    rows: list[tuple[Row, Edit | None]] = []
    failures = [*source.failures, *_strangers(edits, source.rows)]
    for row in source.rows:
        chosen = edits.get((row.file_name, row.label), [])
        refused = unchanged_since(source.path(row), chosen) if chosen else None
        if refused:
            failures.append(Failure(row.file_name, refused))
            chosen = []
        made.update(edit.edit for edit in chosen)
        edited = _edited(row, chosen)
        if edited is not None:
            rows.append(edited)
    name = files.digest_of([plan.digest(), settings.as_boxes, settings.only_accepted])
    written, broken = write_edited(rows, source, target, name, as_boxes=settings.as_boxes)
    return Applied(to=target, pictures=written, edits=dict(made), failures=(*failures, *broken))


def _edited(row: Row, edits: Sequence[Edit]) -> tuple[Row, Edit | None] | None:
    """Give the new row and the crop to make, or None if the picture is dropped."""
    crop = None
    for edit in edits:
        if edit.edit == "drop":
            return None
        if edit.edit == "relabel":
            row = replace(row, label=edit.to, edits=(*row.edits, f"relabel from {edit.label}"))
        elif edit.edit == "move":
            row = replace(row, split=edit.to, edits=(*row.edits, f"move from {edit.split}"))
        elif edit.edit == "crop":
            crop = edit
    return row, crop
