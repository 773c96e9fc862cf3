"""Carry a plan out: into a new dataset, or in place with a way back.

An edit is made only if the picture still has the content that the edit was proposed for. Both
ways can be killed at any moment and run again: what is done is not done twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence, Sized
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from garim import dataset as datasets
from garim import files, remote
from garim.boxes import Box
from garim.dataset import Dataset, Selection
from garim.errors import DatasetError, Failure, PictureError, PlanError, SettingsError
from garim.formats import labels
from garim.formats.rows import SPLITS, Row
from garim.growing import check_outside, check_target, errors_named
from garim.plan import in_place
from garim.plan.edits import Edit, Plan, check
from garim.plan.enlarging import Enlarger, SmallCrops, small_crops
from garim.plan.in_place import Key
from garim.plan.journal import CHANGED, journals, locked
from garim.plan.new_dataset import Edited, write_edited
from garim.streaming import track


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplySettings:
    """How a plan is carried out."""

    as_boxes: bool = False
    """Keep the pictures whole and write the proposed boxes as annotations, instead of cropping.
    They take the place of the boxes that a picture has of the same label."""
    only_accepted: bool = False
    """Apply only edits that were accepted in review; by default all that were not rejected."""
    enlarge_below: int = 0
    """Enlarge crops whose shorter side has fewer pixels than this to twice their sides, with the
    weights that come with Garim; 0 leaves all as they are."""


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
            "to": remote.told(self.to),
            "failed": [failure.to_dict() for failure in self.failures],
        }


def apply(
    plan: Plan,
    *,
    to: Path | str | None = None,
    in_place: bool = False,
    data: Dataset | Path | str | None = None,
    settings: ApplySettings | None = None,
    enlarger: Enlarger | None = None,
) -> Applied:
    """Carry out a plan.

    Args:
        plan: the edits; rejected ones are left out.
        to: folder of the new dataset; it must be new or empty.
        in_place: change the dataset itself and keep what is replaced, for ``undo``.
        data: where the dataset is now, if it has moved since the plan was made; or the dataset
            that it was made for, if that was changed after it was read, as by `garim.split`.
        settings: crops or boxes, all or accepted edits only, small crops enlarged or not.
        enlarger: enlarges small crops: ``garim.enlarger()``.

    Raises:
        SettingsError: neither or both of ``to`` and ``in_place``, boxes or enlarged crops in
            place, or nothing that enlarges.
        DatasetError: the dataset is gone, in use, the target is not empty, or the disk refuses.
        PlanError: an edit that does not say what to do, or cannot be made in place.
    """
    chosen = settings or ApplySettings()
    if (to is None) == (not in_place):
        raise SettingsError(["give either a folder for the new dataset (--to) or --in-place"])
    if in_place and (chosen.as_boxes or chosen.enlarge_below):
        what = "boxes" if chosen.as_boxes else "enlarged crops"
        raise SettingsError([f"{what} are written into a new dataset only: use --to"])
    small = small_crops(chosen.enlarge_below, enlarger)
    edits = _wanted(plan, chosen)
    if to is None:
        place = data.origin if isinstance(data, Dataset) else Path(data or plan.dataset)
        return _apply_in_place(plan, place.expanduser(), edits)
    target = Path(to).expanduser()
    if remote.address_of(target) is None:
        return _apply_to(target.resolve(), plan, dataset_of(plan, data), edits, chosen, small)
    check_target(target)
    with remote.sending(target) as local:
        applied = _apply_to(local, plan, dataset_of(plan, data), edits, chosen, small)
    return replace(applied, to=target)


def dataset_of(plan: Plan, data: Dataset | Path | str | None = None) -> Dataset:
    """Read the part of the dataset that a plan was made for.

    Args:
        plan: names the dataset and the part of it.
        data: where the dataset is now, if it has moved since; or the dataset itself.
    """
    if isinstance(data, Dataset):
        return data
    return datasets.read(data or plan.dataset, Selection(**_selection(plan)))


def undo(data: Path | str) -> Applied:
    """Take back the last apply in place, byte for byte.

    A picture that has changed since is left as it is and listed; move it away and undo again to
    have its original back.

    Raises:
        DatasetError: there is nothing to undo, the dataset is in use, or the disk refuses.
    """
    root = Path(data).expanduser()
    remote.refuse(root, "undoing")
    with errors_named(root, _UNDO_AGAIN), locked(root, "being undone"):
        known = journals(root)
        if not known:
            raise DatasetError(f"{root}: nothing to undo; no plan was applied in place here")
        journal = known[-1]
        before = set(journal.undone)
        steps = list(track(journal.undo(), "Undoing", len(journal.steps)))
        failures = [Failure(step.file, refused) for step, refused in steps if refused]
        count = sum(not refused and step.file not in before for step, refused in steps)
        if failures:
            journal.write({"settled": True})
        else:
            journal.remove()
    return Applied(
        to=root,
        pictures=len(in_place.rows_in(root)),
        edits={"undone": count},
        failures=tuple(failures),
    )


def _selection(plan: Plan) -> dict[str, Any]:
    given = {name: plan.selection[name] for name in _SELECTED if name in plan.selection}
    for name, fits in _SELECTED.items():
        if name in given and not fits(given[name]):
            raise PlanError(f"the plan's selection has {name} {given[name]!r:.80}, which cannot be")
    return {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}


def _are_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)


_SELECTED: dict[str, Callable[[Any], bool]] = {
    "split": _are_texts,
    "classes": _are_texts,
    "labels": lambda value: value in ("folder", "all"),
    "format": lambda value: value is None or isinstance(value, str),
}


def _wanted(plan: Plan, settings: ApplySettings) -> dict[Key, list[Edit]]:
    states = {"accepted"} if settings.only_accepted else {"accepted", "proposed"}
    wanted: dict[Key, list[Edit]] = defaultdict(list)
    for edit in plan.edits:
        if settings.as_boxes and edit.edit == "keep":
            edit = _whole_as_crop(edit)  # noqa: PLW2901 - the whole picture is its box
        check(edit)
        if edit.edit != "keep" and edit.state in states and edit.error is None:
            wanted[edit.picture, edit.label].append(edit)
    return wanted


def _whole_as_crop(edit: Edit) -> Edit:
    """A picture that is kept because it shows its label best as a whole has a box: all of it."""
    if edit.size is None or edit.score_after is None:
        return edit
    return replace(edit, edit="crop", box=Box.whole(*edit.size))


def _matched(
    wanted: dict[Key, list[Edit]], rows: Iterable[Key]
) -> tuple[dict[Key, list[Edit]], list[Failure]]:
    """Find the row of each edit, its name in whichever Unicode form; list those without one."""
    known = dict.fromkeys(rows)
    composed = {_composed(key): key for key in known}
    found: dict[Key, list[Edit]] = defaultdict(list)
    failures = []
    for key, chosen in wanted.items():
        row = key if key in known else composed.get(_composed(key))
        if row is None:
            reason = f"is not in the dataset with the label {key[1]!r}; the edit was left out"
            failures.append(Failure(key[0], reason))
        else:
            found[row] += chosen
    return found, failures


def _check_matched(wanted: Sized, found: Sized, root: Path) -> None:
    """Refuse a plan of another dataset, before anything is written.

    Raises:
        PlanError: no edit is of a picture that is there.
    """
    if wanted and not found:
        raise PlanError(
            f"none of the {len(wanted)} pictures to edit is in {root}; give the dataset that the "
            "plan was made for with --data"
        )


def _composed(key: Key) -> Key:
    return files.nfc(key[0]), labels.clean(key[1])


def unchanged_since(path: Path, edits: Sequence[Edit]) -> str | None:
    """Give the reason why edits must not be made to a file, or None if they may."""
    wanted = {edit.digest for edit in edits if edit.digest}
    try:
        found = files.digest(path)
    except OSError as error:
        return error.strerror or str(error)
    if wanted - {found}:
        return CHANGED
    return None


def _apply_in_place(plan: Plan, root: Path, wanted: dict[Key, list[Edit]]) -> Applied:
    remote.refuse(root, "applying a plan in place")
    before, digest = in_place.read(root), plan.digest()
    in_place.check(before, wanted)
    if digest not in {journal.plan for journal in journals(root)}:
        rows = [(row.file_name, row.label) for row in before.rows]
        _check_matched(wanted, _matched(wanted, rows)[0], root)
    made: Counter[str] = Counter()
    with errors_named(root, _APPLY_AGAIN), locked(root, "being changed by a plan"):
        journal = in_place.open_journal(root, digest)
        in_place.go_on(journal)
        source = in_place.read(root)
        edits, failures = _matched(wanted, in_place.rows_before(source, journal))
        for (name, _), chosen in track(edits.items(), "Applying", len(edits)):
            try:
                made.update(in_place.change(journal, source, name, chosen))
            except PictureError as error:
                failures.append(Failure(name, error.reason))
        journal.finish()
    return Applied(
        to=root,
        pictures=len(in_place.rows_in(root)),
        edits=dict(made),
        failures=tuple(failures),
    )


_APPLY_AGAIN = "what is done is kept: apply the plan again to go on, or `garim undo`"
_UNDO_AGAIN = "nothing is lost: run `garim undo` again when the disk is well"


def _apply_to(
    target: Path,
    plan: Plan,
    source: Dataset,
    wanted: dict[Key, list[Edit]],
    settings: ApplySettings,
    small: SmallCrops | None,
) -> Applied:
    edited: list[Edited] = []
    edits, strangers = _matched(wanted, [(row.file_name, row.label) for row in source.rows])
    _check_matched(wanted, edits, source.origin)
    check_outside(target, source.origin)
    failures = [*source.failures, *strangers]
    refused_ones: set[str] = set()
    for row in source.rows:
        chosen = edits.get((row.file_name, row.label), [])
        refused = unchanged_since(source.path(row), chosen) if chosen else None
        if refused:
            failures.append(Failure(row.file_name, refused))
            refused_ones.add(row.file_name)
            chosen = []
        edited += _edited(row, chosen, settings.as_boxes)
    name = files.digest_of([plan.digest(), *asdict(settings).values()])
    written, broken = write_edited(
        edited, source, target, name, as_boxes=settings.as_boxes, small=small
    )
    failed = refused_ones | {failure.picture for failure in broken}
    made = Counter[str](
        edit.edit for (name, _), some in edits.items() if name not in failed for edit in some
    )
    return Applied(to=target, pictures=written, edits=dict(made), failures=(*failures, *broken))


def _edited(row: Row, edits: Sequence[Edit], as_boxes: bool) -> list[Edited]:
    """Give the new rows and the crops to make; none if the picture is dropped."""
    if any(edit.edit == "drop" for edit in edits):
        return []
    for edit in edits:
        if edit.edit == "relabel":
            note = f"relabel from {row.label}"
            row = replace(row, label=labels.clean(edit.to), edits=(*row.edits, note))
        elif edit.edit == "move":
            split = SPLITS[(edit.to or "").lower()]
            row = replace(row, split=split, edits=(*row.edits, f"move from {row.split}"))
    crops = tuple(edit for edit in edits if edit.edit == "crop")
    return [(row, (crop,)) for crop in crops] if crops and not as_boxes else [(row, crops)]
