"""Change a dataset of class folders where it lies, step by step, each step in the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from garim import files, pictures
from garim.dataset import Dataset
from garim.errors import DatasetError, PictureError, PlanError
from garim.formats.rows import SPLITS
from garim.plan.edits import Edit
from garim.plan.journal import Journal, Step, journals, new_journal


def check(source: Dataset, edits: Mapping[tuple[str, str | None], Sequence[Edit]]) -> None:
    """Refuse what cannot be done in place, before anything is touched.

    Raises:
        DatasetError: the dataset is no folder of class folders, or has boxes of its own.
        PlanError: one picture has several crops, or a new label cannot be a folder.
    """
    if not source.origin.is_dir() or source.root != source.origin:
        raise DatasetError(f"{source.origin}: only a folder can be changed in place; use --to")
    if any(row.objects or row.source for row in source.rows):
        raise DatasetError(
            f"{source.origin}: has boxes or provenance beside its pictures, which a change in "
            "place would make wrong; use --to"
        )
    crops = Counter(name for (name, _), chosen in edits.items() for e in chosen if e.edit == "crop")
    several = [name for name, count in crops.items() if count > 1]
    if several:
        raise PlanError(f"{several[0]}: has several crops; write them to a new dataset with --to")
    for chosen in edits.values():
        for edit in chosen:
            check_new_name(edit)


def check_new_name(edit: Edit) -> None:
    """Refuse a new label or split that cannot be the name of a folder.

    Raises:
        PlanError: empty, a path, or hidden.
    """
    if edit.edit in {"relabel", "move"}:
        name = edit.to or ""
        if not name.strip() or name.startswith(".") or any(c in name for c in "/\\\0"):
            raise PlanError(f"{edit.picture}: cannot {edit.edit} to {name!r}: no name for a folder")


def open_journal(root: Path, plan: str) -> Journal:
    """Go on with an interrupted apply of this plan, or start one.

    Raises:
        DatasetError: this plan is applied already, or another was interrupted.
    """
    for journal in journals(root):
        if journal.plan == plan and not journal.done:
            return journal
        if journal.plan == plan:
            raise DatasetError(f"{root}: this plan is applied already; `garim undo` takes it back")
        if not journal.done:
            raise DatasetError(
                f"{root}: the apply of another plan was interrupted; run it again, or `garim undo`"
            )
    return new_journal(root, plan)


def change(journal: Journal, source: Dataset, name: str, edits: Sequence[Edit]) -> list[str]:
    """Make the edits of one picture; give the kinds that were made.

    Raises:
        PictureError: the picture has changed since the plan was made, or cannot be cut.
    """
    before = next((edit.digest for edit in edits if edit.digest), None)
    step = next((one for one in journal.steps if one.file == name), None)
    if step is None:
        step = _prepare(journal, source, name, edits, before)
        journal.begin(step)
    _finish(journal, step)
    return [edit.edit for edit in edits]


def _prepare(
    journal: Journal, source: Dataset, name: str, edits: Sequence[Edit], before: str | None
) -> Step:
    path = source.root / name
    try:
        found = files.digest(path)
    except OSError as error:
        raise PictureError(path, error.strerror or str(error)) from error
    if before is not None and found != before:
        raise PictureError(path, "has changed since the plan was made; make a new plan for it")
    if any(edit.edit == "drop" for edit in edits):
        return Step(file=name, before=found, after=None)
    crop = next((edit for edit in edits if edit.edit == "crop" and edit.box), None)
    after = found
    if crop is not None and crop.box is not None:
        made = journal.folder / "new" / name
        pictures.crop_file(path, crop.box, made)
        after = files.digest(made)
    target = _free(source.root, _relocated(name, edits), name)
    return Step(file=name, before=found, after=after, to=None if target == name else target)


def _finish(journal: Journal, step: Step) -> None:
    """Bring the dataset to the state after the step, from before it or from the middle of it."""
    original = journal.root / step.file
    target = journal.root / (step.to or step.file)
    made = journal.folder / "new" / step.file
    if step.after is None:
        original.unlink(missing_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if made.exists():
        made.replace(target)
    elif step.to is not None and original.exists():
        original.replace(target)
    if step.to is not None:
        original.unlink(missing_ok=True)
    files.flush_folder(target.parent)


def _relocated(name: str, edits: Sequence[Edit]) -> str:
    path = PurePosixPath(name)
    folders = list(path.parts[:-1])
    for edit in edits:
        if edit.edit == "relabel":
            _replace_last(folders, lambda part: files.nfc(part) == edits[0].label, edit, name)
        elif edit.edit == "move":
            _replace_last(folders, lambda part: part.lower() in SPLITS, edit, name)
    return str(PurePosixPath(*folders, path.name))


def _replace_last(
    folders: list[str], matches: Callable[[str], bool], edit: Edit, name: str
) -> None:
    for index in reversed(range(len(folders))):
        if matches(folders[index]):
            folders[index] = edit.to or folders[index]
            return
    raise PictureError(name, f"has no folder that could become {edit.to!r}; use --to")


def _free(root: Path, wanted: str, current: str) -> str:
    """Give a name that no other picture has."""
    if wanted == current:
        return wanted
    path, number = PurePosixPath(wanted), 1
    candidate = path
    while (root / candidate).exists():
        number += 1
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return str(candidate)
