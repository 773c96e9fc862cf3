"""Change a dataset of class folders where it lies, step by step, each step in the journal."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from garim import files, formats, pictures
from garim.dataset import Dataset
from garim.errors import DatasetError, PictureError, PlanError
from garim.formats import labels
from garim.formats.rows import SPLITS
from garim.formats.tree import folders_in, is_ignored, split_and_label
from garim.plan.edits import Edit
from garim.plan.journal import CHANGED, Journal, Step, has, journals, link_in, new_journal

_LONGEST_NAME = 255
"""Bytes of a file name that every usual disk allows."""

Key = tuple[str, str | None]
"""A picture's file name and the label of its row."""


def read(root: Path) -> Dataset:
    """Read a folder of class folders; unlike ``garim.read`` it may be empty by now.

    Raises:
        DatasetError: it is not there, or is in any other format.
    """
    if not root.exists():
        raise DatasetError(f"{root}: there is no such file or folder")
    if not root.is_dir():
        raise DatasetError(f"{root}: only a folder can be changed in place; use --to")
    found = formats.detect(root).name
    if found != "folder":
        raise DatasetError(
            f"{root}: is in the format {found}, whose labels, boxes or provenance beside the "
            "pictures a change in place would make wrong; use --to"
        )
    return rows_in(root)


def rows_in(root: Path) -> Dataset:
    """Read a folder as class folders, whatever else is in it."""
    _, contents = formats.read(root, "folder")
    return Dataset(root=root, rows=contents.rows, classes=contents.classes, origin=root)


def check(source: Dataset, edits: Mapping[Key, Sequence[Edit]]) -> None:
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
    several = {files.nfc(name): Counter[str]() for name, _ in edits}
    for (name, _), chosen in edits.items():
        several[files.nfc(name)].update(edit.edit for edit in chosen)
    for name, kinds in several.items():
        for kind in ("crop", "relabel", "move"):
            if kinds[kind] > 1:
                raise PlanError(f"{name}: has several {kind}s; write a new dataset with --to")
    for chosen in edits.values():
        for edit in chosen:
            check_new_name(edit)


def check_new_name(edit: Edit) -> None:
    """Refuse a new label or split that cannot be the name of a folder.

    Raises:
        PlanError: empty, a path, hidden, too long, or, for a label, one that means a split.
    """
    name = labels.clean(edit.to) or ""
    if edit.edit == "move" and name.lower() not in SPLITS:
        known = ", ".join(dict.fromkeys(SPLITS.values()))
        raise PlanError(f"{edit.picture}: cannot move to {edit.to!r}; the splits are {known}")
    if edit.edit == "relabel" and not _can_be_label(name):
        raise PlanError(
            f"{edit.picture}: cannot relabel to {edit.to!r}: no name for a folder of its own"
        )


def _can_be_label(name: str) -> bool:
    return (
        bool(name)
        and not is_ignored(name)
        and not any(c in name for c in "/\\\0")
        and len(name.encode()) <= _LONGEST_NAME
        and name.lower() not in SPLITS
    )


def rows_before(source: Dataset, journal: Journal) -> list[Key]:
    """List the rows as they were before the journal's first step."""
    moved = {step.to for step in journal.steps if step.to}
    gone = [step.file for step in journal.steps]
    names = {row.file_name for row in source.rows} - moved
    return [(name, split_and_label(name)[1]) for name in sorted({*names, *gone})]


def open_journal(root: Path, plan: str) -> Journal:
    """Go on with an interrupted apply of this plan, or start one.

    Raises:
        DatasetError: this plan is applied already, or another was interrupted.
    """
    for journal in journals(root):
        if journal.settled:
            continue
        if journal.undoing:
            raise DatasetError(f"{root}: an undo was interrupted; run `garim undo` again")
        if journal.plan == plan and not journal.done:
            return journal
        if journal.plan == plan:
            raise DatasetError(f"{root}: this plan is applied already; `garim undo` takes it back")
        if not journal.done:
            raise DatasetError(
                f"{root}: the apply of another plan was interrupted; run it again, or `garim undo`"
            )
    return new_journal(root, plan)


def go_on(journal: Journal) -> None:
    """Finish the step during which an earlier run was killed; the ones before it are done.

    If its files have changed since, the step is left, and the picture looked at anew.
    """
    if journal.steps and not _finish(journal, journal.steps[-1]):
        journal.leave(journal.steps[-1])


def change(journal: Journal, source: Dataset, name: str, edits: Sequence[Edit]) -> list[str]:
    """Make the edits of one picture; give the kinds that were made.

    Raises:
        PictureError: the picture has changed since the plan was made, or cannot be cut.
        OSError: the disk refuses.
    """
    if name not in journal.by_file:
        step = _prepare(journal, source, name, edits)
        if step.to is not None or step.after != step.before:
            journal.begin(step)
            if not _finish(journal, step):
                journal.leave(step)
                raise PictureError(name, CHANGED)
    return [edit.edit for edit in edits]


def _prepare(journal: Journal, source: Dataset, name: str, edits: Sequence[Edit]) -> Step:
    found = _checked_digest(source.root, name, edits)
    if any(edit.edit == "drop" for edit in edits):
        return Step(file=name, before=found, after=None)
    target = _free(source.root, _relocated(source.root, name, edits), name)
    link = link_in(source.root, target)
    if link:
        raise PictureError(name, f"would move through the link {link}; use --to")
    crop = next((edit for edit in edits if edit.edit == "crop"), None)
    return Step(
        file=name,
        before=found,
        after=found if crop is None else _cut(journal, source.root / name, name, crop),
        to=None if target == name else target,
        folders=_missing_folders(source.root, target),
    )


def _checked_digest(root: Path, name: str, edits: Sequence[Edit]) -> str:
    link = link_in(root, name)
    if link:
        raise PictureError(name, f"is reached through the link {link}; use --to")
    try:
        found = files.digest(root / name)
    except OSError as error:
        raise PictureError(name, error.strerror or str(error)) from error
    if {edit.digest for edit in edits if edit.digest} - {found}:
        raise PictureError(name, CHANGED)
    return found


def _cut(journal: Journal, path: Path, name: str, crop: Edit) -> str:
    """Write the crop to where it waits; give its digest."""
    made = journal.new(name)
    if crop.box is None:
        raise PictureError(name, "a crop needs a box")
    pictures.crop_file(path, crop.box, made)
    return files.digest(made)


def _finish(journal: Journal, step: Step) -> bool:
    """Bring the dataset to the state after the step, from before it or from the middle of it.

    Returns:
        False when nothing was done, because a file is not what the step found or made.
    """
    original = journal.root / step.file
    target = journal.root / (step.to or step.file)
    if not _may_finish(journal, step, original, target):
        return False
    made = journal.new(step.file)
    if step.after is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        if step.after != step.before and has(made, step.after):
            made.replace(target)
        elif step.after == step.before and original.exists() and not target.exists():
            original.replace(target)
        files.flush_folder(target.parent)
    gone = step.after is None or (step.to is not None and has(target, step.after))
    if gone and has(original, step.before):
        original.unlink()
    if original.parent.is_dir():
        files.flush_folder(original.parent)
    return True


def _may_finish(journal: Journal, step: Step, original: Path, target: Path) -> bool:
    """Tell whether a step's files are as it found them or left them.

    Somebody may have changed them since it was noted; what they made is not overwritten.
    """
    if step.after is None:
        return not original.exists() or has(original, step.before)
    if has(target, step.after):
        return True
    if step.after == step.before:
        done = not original.exists()
    else:
        done = not has(journal.new(step.file), step.after)
    free = original == target or not target.exists()
    return done or (has(original, step.before) and free)


def _relocated(root: Path, name: str, edits: Sequence[Edit]) -> PurePosixPath:
    """Give the new file name that the edits ask for, in folders spelled as on the disk."""
    path = PurePosixPath(name)
    folders = list(path.parts[:-1])
    label = split_and_label(name)[1]
    meaning: Callable[[object], str | None]
    split_at = next((i for i, part in enumerate(folders) if part.lower() in SPLITS), None)
    for edit in edits:
        if edit.edit == "move":
            index, meaning = split_at, _split
        elif edit.edit == "relabel":
            others = [i for i, part in enumerate(folders) if i != split_at]
            index, meaning = (others[-1] if label is not None else None), labels.clean
        else:
            continue
        if index is None:
            raise PictureError(name, f"has no folder that could become {edit.to!r}; use --to")
        folders[index] = _spelled(root.joinpath(*folders[:index]), edit.to, meaning)
    return PurePosixPath(*folders, path.name)


def _split(name: object) -> str | None:
    return SPLITS.get(str(name).lower())


def _spelled(folder: Path, wanted: str | None, meaning: Callable[[object], str | None]) -> str:
    """Give the folder that means the same already, or a name for a new one."""
    new = meaning(wanted) or ""
    same = [one.name for one in folders_in(folder) if meaning(one.name) == new]
    return new if new in same or not same else same[0]


def _free(root: Path, wanted: PurePosixPath, current: str) -> str:
    """Give a name that no other picture has, not even in other case or another Unicode form."""
    if str(wanted) == current:
        return current
    folder = root / wanted.parent
    taken = set(map(_key, os.listdir(folder))) if folder.is_dir() else set()  # noqa: PTH208 - fast
    candidate, number = wanted, 1
    while _key(candidate.name) in taken:
        number += 1
        candidate = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
    return str(candidate)


def _key(name: str) -> str:
    return files.nfc(files.nfc(name).casefold())


def _missing_folders(root: Path, name: str) -> tuple[str, ...]:
    parents = [str(one) for one in PurePosixPath(name).parents][:-1]
    return tuple(one for one in reversed(parents) if not (root / one).is_dir())
