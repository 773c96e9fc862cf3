"""``garim augment``: so many pictures per class, by changed copies of those that are there."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from PIL import Image

from garim import dataset as datasets
from garim import files, pictures
from garim.augmentation.moves import Matrix, followed, warped
from garim.augmentation.policies import POLICIES
from garim.augmentation.settings import AugmentSettings
from garim.dataset import Dataset
from garim.errors import DatasetError, Failure, PictureError
from garim.formats import huggingface
from garim.formats.rows import Contents, Object, Row
from garim.growing import growing
from garim.streaming import stream, track

MASKS = "masks"
"""Folder beside the growing dataset that masks of copies are made in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A changed copy that is to be made."""

    row: Row
    """Its row in the new dataset."""
    of: Row
    """The picture that it is made from."""
    number: int
    """Number of the copy of that picture, from 1; with the seed, it says what is changed."""
    size: tuple[int, int]
    """Width and height of the copy in pixels."""
    scale: float
    """Pixels of the copy per pixel of the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmented:
    """What came of an augmentation."""

    dataset: Dataset
    """The new dataset."""
    copies: dict[str, int]
    """Copies that were made, per class."""
    failures: tuple[Failure, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Give the result as it stands in ``--json``."""
        return {
            "pictures": len(self.dataset),
            "labels": self.dataset.counts(),
            "copies": self.copies,
            "to": str(self.dataset.origin),
            "failed": [failure.to_dict() for failure in self.failures],
        }


def augment(
    dataset: Dataset, settings: AugmentSettings | None = None, to: Path | str = "augmented"
) -> Augmented:
    """Write a dataset in which every class of the train split has so many pictures.

    Other splits, and classes that have enough, are copied as they are. Boxes and masks move with
    their pictures. Every copy names its ``source``, so that `garim.split` keeps them together.
    Pictures with boxes but without a label count as one class. Run again after an interruption,
    what is there is not made again.

    Args:
        dataset: pictures with labels or boxes.
        settings: how many, what is changed, seed.
        to: new or empty folder.

    Raises:
        SettingsError: settings that cannot work.
        DatasetError: no picture to copy, or ``to`` holds something.
    """
    chosen, target = settings or AugmentSettings(), Path(to).expanduser().resolve()
    chosen.check()
    by_class = _by_class(dataset)
    if not by_class:
        raise DatasetError(f"{dataset.origin}: has no picture with a label or boxes to train on")
    failures: list[Failure] = list(dataset.failures)
    name = files.digest_of([asdict(chosen), dataset.fingerprint(), str(dataset.root.resolve())])
    with growing(target, name) as folder:
        wanted = _copies(dataset, by_class, chosen, folder.parent / MASKS, failures)
        made = _write(dataset, wanted, chosen, folder, failures)
    return Augmented(dataset=datasets.read(target), copies=made, failures=tuple(failures))


def _by_class(dataset: Dataset) -> dict[str, list[Row]]:
    """List the pictures that may be copied, under their labels."""
    split = "train" if "train" in dataset.splits else None
    found: dict[str, list[Row]] = defaultdict(list)
    for row in dataset.rows:
        if row.split == split and (row.label is not None or row.objects):
            found[row.label or ""].append(row)
    return found


def _copies(
    dataset: Dataset,
    by_class: dict[str, list[Row]],
    settings: AugmentSettings,
    masks: Path,
    failures: list[Failure],
) -> dict[Row, Copy]:
    """Choose what is copied how often: each picture of a class in turn, in a random order."""
    rng = np.random.default_rng(settings.seed)
    sizes = _sizes(dataset, by_class, failures)
    wanted: dict[Row, Copy] = {}
    for label in sorted(by_class):
        rows = [row for row in by_class[label] if row in sizes]
        order = rng.permutation(len(rows))
        for index in range(settings.per_class - len(rows) if rows else 0):
            row = rows[order[index % len(rows)]]
            copy = _copy(row, index // len(rows) + 1, sizes[row], settings, masks)
            wanted[copy.row] = copy
    return wanted


def _sizes(
    dataset: Dataset, by_class: dict[str, list[Row]], failures: list[Failure]
) -> dict[Row, tuple[int, int]]:
    """Give the sizes of pictures and masks that can be opened; a header says nothing of pixels."""
    rows = [row for several in by_class.values() for row in several]

    def look(row: Row) -> tuple[int, int]:
        size = pictures.open_picture(dataset.path(row), at_least=32).size
        if row.mask_file_name:
            pictures.open_mask(dataset.root / row.mask_file_name)
        return size

    found: dict[Row, tuple[int, int]] = {}
    for row, size in track(stream(look, rows), "Reading", len(rows)):
        if not isinstance(size, PictureError):
            found[row] = size
        elif size.path != dataset.path(row):  # broken pictures are listed where they are written
            failures.append(Failure(row.mask_file_name or "", size.reason))
    return found


def _copy(
    row: Row, number: int, size: tuple[int, int], settings: AugmentSettings, masks: Path
) -> Copy:
    scale = min(1.0, settings.longest / max(size)) if settings.longest else 1.0
    width, height = (max(1, round(side * scale)) for side in size)
    name = PurePosixPath(row.file_name)
    suffix = name.suffix if name.suffix.lower() in {".jpg", ".jpeg"} else ".png"
    mask = masks / f"{files.digest_of(row.file_name)[:12]}-{number}.png"
    new = replace(
        row,
        file_name=str(name.with_name(f"{name.stem}_{settings.policy}{number}{suffix}")),
        size=(width, height),
        mask_file_name=str(mask) if row.mask_file_name else None,
        instance_mask_names=(),
        source=row.source or row.file_name,
        source_box=None,  # no part of the source any more, but a changed picture
        edits=(*row.edits, f"augment {settings.policy} {number}"),
    )
    copy = Copy(row=new, of=row, number=number, size=(width, height), scale=scale)
    return replace(copy, row=replace(new, objects=tuple(_objects(copy, settings))))


def _random(copy: Copy, settings: AugmentSettings) -> np.random.Generator:
    """Give the numbers that a copy is drawn with: of the seed, the picture and its number only."""
    name = int(files.digest_of(files.nfc(copy.of.file_name))[:16], 16)
    return np.random.default_rng([settings.seed, name, copy.number])


def _objects(copy: Copy, settings: AugmentSettings) -> Iterator[Object]:
    matrix = POLICIES[settings.policy].move(_random(copy, settings)).matrix(*copy.size)
    for one in copy.of.objects:
        box, visible = followed(one.box.scale(copy.scale, copy.scale), matrix, *copy.size)
        if visible >= settings.least_visible and not box.is_degenerate:
            yield Object(one.label, box)


def _write(
    dataset: Dataset, wanted: dict[Row, Copy], settings: AugmentSettings, folder: Path,
    failures: list[Failure],
) -> dict[str, int]:  # fmt: skip
    """Write the originals and the copies; give the number of copies per class."""
    originals = {replace(r, source=r.source or r.file_name): r for r in dataset.rows}
    made: Counter[str] = Counter()

    def put(row: Row, path: Path) -> bool:
        try:
            if row in wanted and not path.exists():
                _make(dataset, wanted[row], settings, path)
            elif not path.exists():
                pictures.open_picture(dataset.path(originals[row]), at_least=32)
                files.copy(dataset.path(originals[row]), path)
        except PictureError as error:
            source = wanted[row].of if row in wanted else row
            failures.append(Failure(source.file_name, error.reason))
            return False
        made[row.label or ""] += row in wanted
        return True

    contents = Contents(rows=(*originals, *wanted), classes=dataset.classes)
    huggingface.write(contents, dataset.root, folder, put)
    return {name: count for name, count in sorted(made.items()) if count}


def _make(dataset: Dataset, copy: Copy, settings: AugmentSettings, target: Path) -> None:
    """Write one copy: first its mask, if it has one, so that a picture means both."""
    rng, policy = _random(copy, settings), POLICIES[settings.policy]
    matrix = policy.move(rng).matrix(*copy.size)
    if copy.of.mask_file_name and copy.row.mask_file_name:
        _make_mask(dataset.root / copy.of.mask_file_name, copy, matrix)
    image = pictures.open_picture(dataset.path(copy.of), at_least=max(copy.size)).image
    resized = image if image.size == copy.size else image.resize(copy.size, Image.Resampling.BOX)
    moved = policy.coloured(warped(pictures.to_array(resized), matrix), rng)
    pictures.save(Image.fromarray(moved), target)


def _make_mask(source: Path, copy: Copy, matrix: Matrix) -> None:
    values, palette = pictures.open_mask(source)
    small = cv2.resize(values, copy.size, interpolation=cv2.INTER_NEAREST).astype(np.uint8)
    image = Image.fromarray(warped(small, matrix, smooth=False))
    if palette:
        image = image.convert("P")
        image.putdata(warped(small, matrix, smooth=False).ravel())
        image.putpalette(palette)
    pictures.save(image, Path(copy.row.mask_file_name or ""))
