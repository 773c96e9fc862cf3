"""The table of pictures: read it, choose from it, split it, write it.

Reading never changes a file. A dataset is a value: every method gives a new one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from garim import files, formats, pictures, remote
from garim.copies import Copy, copy_groups, groups_of
from garim.errors import DatasetError, Failure, PictureError, SettingsError, seed_problems
from garim.formats.rows import SPLITS, Contents, Row
from garim.growing import check_outside, check_target, growing
from garim.streaming import stream, track

NO_SPLIT = "all"
"""Name under which rows without a split are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which part of a dataset to work on."""

    split: tuple[str, ...] = ()
    """Only these splits (train, validation, test); all by default."""
    classes: tuple[str, ...] = ()
    """Only these classes; all by default."""
    labels: Literal["folder", "all"] = "folder"
    """`folder`: the label of the folder or row. `all`: once per label that the picture holds."""
    format: str | None = None
    """Format of the dataset; found out by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Pictures with labels: one row per picture, or per label of a picture that holds several."""

    root: Path
    """Folder that the rows' file names are relative to."""
    rows: tuple[Row, ...]
    classes: tuple[str, ...]
    """Class names in the order of the scores of a model trained on this dataset."""
    failures: tuple[Failure, ...] = ()
    """What could not be read, and why."""
    strays: tuple[str, ...] = ()
    """Files that are no pictures."""
    empty: tuple[str, ...] = ()
    """Folders in which there is nothing: classes without pictures."""
    origin: Path
    """What the user named: a folder, a file, a ``.zip``, or an address (`garim.remote`)."""
    selection: Selection = Selection()
    """Which part of ``origin`` this is, so that a plan can find its rows again."""

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def path(self, row: Row) -> Path:
        """Give the file of a row."""
        return self.root / row.file_name

    @property
    def place(self) -> str:
        """What a plan names the dataset by: its address, or its whole path."""
        return remote.address_of(self.origin) or str(self.origin.resolve())

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits that have rows: train, validation, test first, others after them."""
        found = {row.split for row in self.rows if row.split is not None}
        order = {name: place for place, name in enumerate(("train", "validation", "test"))}
        return tuple(sorted(found, key=lambda name: (order.get(name, len(order)), name)))

    def counts(self) -> dict[str, dict[str, int]]:
        """Count rows per split and label: ``{split: {label: rows}}``, every class listed."""
        counted: dict[str, Counter[str]] = defaultdict(Counter)
        for row in self.rows:
            if row.label is not None:
                counted[row.split or NO_SPLIT][row.label] += 1
        order = (*self.splits, NO_SPLIT)
        return {s: {c: counted[s][c] for c in self.classes} for s in order if s in counted}

    def where(
        self,
        *,
        split: Collection[str] | str | None = None,
        classes: Collection[str] | str | None = None,
    ) -> Dataset:
        """Keep the rows of some splits and classes, each a name or several.

        Raises:
            SettingsError: a split or class that the dataset does not have.
        """
        wanted = {SPLITS.get(name.lower(), name) for name in _names(split)}
        kept_classes = {files.nfc(name) for name in _names(classes)}
        problems = [_absent("split", name, self.splits) for name in wanted - set(self.splits)]
        unknown = kept_classes - set(self.classes)
        problems += [_absent("class", name, self.classes) for name in unknown]
        if problems:
            raise SettingsError(sorted(problems))
        rows = tuple(
            row
            for row in self.rows
            if (not wanted or row.split in wanted)
            and (not kept_classes or row.label in kept_classes)
        )
        names = tuple(c for c in self.classes if not kept_classes or c in kept_classes)
        selection = replace(
            self.selection,
            split=tuple(sorted(wanted)) or self.selection.split,
            classes=tuple(sorted(kept_classes)) or self.selection.classes,
        )
        return replace(self, rows=rows, classes=names, selection=selection)

    def one_row_per_label(self) -> Dataset:
        """List a picture once for each label that its objects have; others stay as they are."""
        rows: list[Row] = []
        seen: set[tuple[str, str | None]] = set()
        for row in self.rows:
            labels: dict[str | None, None] = dict.fromkeys(o.label for o in row.objects)
            for label in labels or (row.label,):
                if (row.file_name, label) not in seen:
                    seen.add((row.file_name, label))
                    rows.append(replace(row, label=label))
        return replace(self, rows=tuple(rows))

    def select(self, selection: Selection) -> Dataset:
        """Apply a selection of splits, classes and labels.

        Raises:
            SettingsError: it names what the dataset does not have, or labels that cannot be.
        """
        if selection.labels not in ("folder", "all"):
            raise SettingsError([f"labels must be folder or all, not {selection.labels!r}"])
        whole = self.one_row_per_label() if selection.labels == "all" else self
        return whole.where(split=selection.split, classes=selection.classes)

    def labelled(self) -> Dataset:
        """Keep the rows that have a label."""
        return replace(self, rows=tuple(row for row in self.rows if row.label is not None))

    def _repr_html_(self) -> str:
        """Show the dataset in Jupyter: pictures per class and split."""
        counts = self.counts()
        table = [(name, *(of[name] for of in counts.values())) for name in self.classes]
        pictures = len({row.file_name for row in self.rows})
        title = f"{self.origin}: {pictures} pictures, {len(self.classes)} classes"
        return files.html_table(title, ("class", *counts), table)

    def class_index(self) -> dict[str, int]:
        """Give the position of each class in ``classes``."""
        return {name: index for index, name in enumerate(self.classes)}

    def fingerprint(self) -> str:
        """Name the dataset by its file names, labels and splits; equal datasets, equal names."""
        listed = sorted((files.nfc(r.file_name), r.label or "", r.split or "") for r in self.rows)
        return files.digest_of([listed, self.classes])

    def table(self) -> pl.DataFrame:
        """Give the rows as a Polars table: file_name, split, label, objects (label and box)."""
        return pl.DataFrame(
            {
                "file_name": [row.file_name for row in self.rows],
                "split": [row.split for row in self.rows],
                "label": [row.label for row in self.rows],
                "objects": [
                    [{"label": o.label, "bbox": [float(v) for v in o.box.xywh()]}
                     for o in row.objects]
                    for row in self.rows
                ],
            },
            schema_overrides={
                "file_name": pl.String,
                "split": pl.String,
                "label": pl.String,
                "objects": pl.List(pl.Struct({"label": pl.String, "bbox": pl.List(pl.Float64)})),
            },
        )  # fmt: skip

    def contents(self) -> Contents:
        """Give what a format writes."""
        return Contents(rows=self.rows, classes=self.classes)


def _names(given: Collection[str] | str | None) -> Collection[str]:
    return (given,) if isinstance(given, str) else given or ()


def _absent(kind: str, name: str, known: Sequence[str]) -> str:
    listed = ", ".join(known) or "none"
    return f"the dataset has no {kind} {name!r}; it has: {listed}"


def read(path: Path | str, selection: Selection | None = None) -> Dataset:
    """Read a dataset: class folders, a ``.zip`` of them, or any format of `garim.formats`.

    Raises:
        DatasetError: nothing there, no picture in it, or a file of its format is broken.
        SettingsError: the selection names a split or class that the dataset does not have.
    """
    chosen = selection or Selection()
    if not isinstance(chosen, Selection):
        raise SettingsError([f"expected garim.Selection(format=…) or the like, not {chosen!r}"])
    origin = Path(path).expanduser()
    if not formats.is_there(origin):
        on_web = str(origin).startswith(("http:/", "https:/"))
        raise DatasetError(f"{origin}: {_ON_WEB if on_web else 'there is no such file or folder'}")
    if remote.address_of(origin) is None:  # stay there when this process goes elsewhere
        origin = origin.absolute()
    root, contents = formats.read(origin, chosen.format)
    if not contents.rows:
        raise DatasetError(_nothing_in(origin, contents))
    found = Dataset(
        root=root,
        rows=contents.rows,
        classes=contents.classes,
        failures=contents.failures,
        strays=contents.strays,
        empty=contents.empty,
        origin=origin,
        selection=chosen,
    )
    return found.select(chosen)


_ON_WEB = "is an address of the web; `garim collect` brings pictures from there into a folder"


def _nothing_in(origin: Path, contents: Contents) -> str:
    message = f"{origin}: holds no picture"
    if contents.failures:
        first = contents.failures[0]
        message += f"; {len(contents.failures)} entries failed, first {first.picture}: "
        return message + first.error
    if contents.strays:
        message += f", only {len(contents.strays)} other files such as {contents.strays[0]}"
    return message + ". Give a folder with one folder of pictures per class."


def write(dataset: Dataset, target: Path | str, format: str = "huggingface") -> Dataset:
    """Write a dataset in another format; pictures are copied, the originals stay as they are.

    Nothing is at the target before it is whole. Run again after an interruption, pictures that were
    copied are not copied again. Pictures that cannot be opened are left out, and are among the
    ``failures`` of what is given back.

    Raises:
        DatasetError: there is nothing to write, the target already holds something or lies inside
            the dataset, or the format cannot be written.
        FormatError: there is no such format.
    """
    folder = Path(target).expanduser()
    formats.check_name(format)
    if not dataset.rows:
        raise DatasetError(f"{remote.told(folder)}: there is no picture to write")
    if folder.suffix.lower() == ".zip":
        raise DatasetError(f"{remote.told(folder)}: a dataset is written as a folder; name one")
    if remote.address_of(folder) is not None:  # a folder of this machine is looked at as it grows
        check_target(folder)
    check_outside(folder, dataset.origin)
    rows, failures = _readable(dataset)
    listed = [repr(row) for row in rows]
    name = files.digest_of([format, str(dataset.root.resolve()), listed, dataset.classes])
    with remote.sending(folder) as local, growing(local, name) as place:
        formats.write(Contents(rows=rows, classes=dataset.classes), dataset.root, place, format)
    found = read(folder, Selection(format=format))
    return replace(found, failures=(*failures, *found.failures))


def _readable(dataset: Dataset) -> tuple[tuple[Row, ...], list[Failure]]:
    """Give the rows whose pictures can be opened, and the other pictures."""
    names = list(dict.fromkeys(row.file_name for row in dataset.rows))
    heads = stream(lambda name: pictures.header(dataset.root / name), names)
    failures = [
        Failure(name, head.reason)
        for name, head in track(heads, "Checking", len(names))
        if isinstance(head, PictureError)
    ]
    lost = {failure.picture for failure in failures}
    if len(lost) == len(names):
        first = failures[0]
        raise DatasetError(f"no picture can be read, first {first.picture}: {first.error}")
    return tuple(row for row in dataset.rows if row.file_name not in lost), failures


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSettings:
    """How a dataset is divided."""

    test: float = 0.2
    """Share of each class for the test split."""
    validation: float = 0.1
    """Share of each class for the validation split."""
    seed: int = 0
    """Same seed, same split."""
    keep_copies_together: bool = True
    """Put near copies of a picture on one side, so that the test set is not leaked."""

    def check(self) -> None:
        """Report every share, and a seed, that cannot work."""
        problems = [
            f"{name} must be at least 0 and below 1, not {share}"
            for name, share in (("test", self.test), ("validation", self.validation))
            if not 0 <= share < 1
        ]
        if not problems and self.test + self.validation >= 1:
            problems.append("test and validation together leave nothing to train on")
        problems += seed_problems(self.seed)
        if problems:
            raise SettingsError(problems)


def split(dataset: Dataset, settings: SplitSettings | None = None) -> Dataset:
    """Divide a dataset into train, validation and test, class by class, with a seed.

    Splits that the dataset has already are dropped. A class with few pictures keeps at least one
    in train. The splits are known to this dataset only until it is written (`garim.write`); a plan
    that is made of it is carried out with `garim.apply(plan, data=dataset, …)`.
    """
    chosen = settings or SplitSettings()
    chosen.check()
    files_of = list(dict.fromkeys(row.file_name for row in dataset.rows))
    groups = _groups(dataset, files_of, chosen.keep_copies_together)
    label_of = {row.file_name: row.label or "" for row in reversed(dataset.rows)}
    assigned = assign_splits(
        [label_of[group[0]] for group in groups],
        [len(group) for group in groups],
        {"test": chosen.test, "validation": chosen.validation},
        chosen.seed,
    )
    split_of = {name: s for group, s in zip(groups, assigned, strict=True) for name in group}
    rows = tuple(replace(row, split=split_of[row.file_name]) for row in dataset.rows)
    return replace(dataset, rows=rows)


def _groups(dataset: Dataset, names: Sequence[str], near: bool) -> list[list[str]]:
    numbers = related(dataset, names) if near else range(len(names))
    grouped: dict[int, list[str]] = defaultdict(list)
    for name, number in zip(names, numbers, strict=True):
        grouped[number].append(name)
    return list(grouped.values())


def related(dataset: Dataset, names: Sequence[str]) -> list[int]:
    """Number the pictures that must stay together: near copies, and those of one source.

    Parts, and augmented copies, name the picture that they were made from as their ``source``.
    """
    numbers = copy_groups([dataset.root / name for name in names])
    joined = [Copy(group, index, "near", 1.0) for index, group in enumerate(numbers)]
    changed = {row.source for row in dataset.rows if row.edits or row.source_box}
    place = {name: index for index, name in enumerate(names)}
    first: dict[str, int] = {}
    for row in dataset.rows:
        origin = row.source or row.file_name
        if origin in changed and row.file_name in place:
            one = first.setdefault(origin, place[row.file_name])
            joined.append(Copy(one, place[row.file_name], "near", 1.0))
    return groups_of(len(names), joined)


def assign_splits(
    labels: Sequence[str], sizes: Sequence[int], shares: dict[str, float], seed: int
) -> list[str]:
    """Assign groups of pictures to splits, class by class, as near to the shares as they allow.

    Args:
        labels: label of each group.
        sizes: pictures in each group.
        shares: share of each split besides train, 0 to 1.
        seed: same seed, same answer.

    Returns:
        A split name per group; what no share claims is ``train``.
    """
    rng = np.random.default_rng(seed)
    result = ["train"] * len(labels)
    for label in sorted(set(labels)):
        members = [i for i, one in enumerate(labels) if one == label]
        rng.shuffle(members)
        total = sum(sizes[i] for i in members)
        for name, share in shares.items():
            wanted, taken = round(share * total), 0
            while members[1:] and taken + sizes[members[0]] / 2 <= wanted and taken < wanted:
                chosen = members.pop(0)
                result[chosen] = name
                taken += sizes[chosen]
    return result
