"""``garim masks``: masks for pictures that have labels only, so that a segmenter can learn.

For each picture, the evidence of its labels (`garim.models.localizer`) is weighed pixel by pixel
(`garim.extraction.competition`). What is not sure is void, which training leaves out.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from garim import files, pictures
from garim.boxes import Box
from garim.dataset import Dataset
from garim.errors import DatasetError, Failure, ModelError, PictureError, SettingsError
from garim.extraction.competition import VOID, decided, shares_of
from garim.extraction.mask_settings import MaskSettings
from garim.extraction.scoring import resized
from garim.foreground import Alpha, foreground
from garim.formats import placing
from garim.formats.labels import CLASSES_FILE
from garim.formats.rows import Row
from garim.growing import claimed
from garim.models.classifier import Classifier
from garim.models.palette import Mask, voc_palette
from garim.models.runtime import resolve
from garim.models.segmenter import at_working_size
from garim.pictures import Decoded, Pixels
from garim.prediction.segmentation import palette_png
from garim.streaming import chunks, stream, track

BACKGROUND = "background"
"""Name of class 0."""

RECORD = "masks.json"
"""File in the folder of masks that says how they were made."""

AT_ONCE = 8
"""Pictures that the network sees at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeMasks:
    """Masks that were made from labels."""

    to: Path
    classes: tuple[str, ...]
    """Names of the values in the masks."""
    pictures: tuple[Path, ...]
    """Copies of the pictures that have a mask, relative to ``to``."""
    kept: int
    """How many of the masks an earlier run has made."""
    pixels: Counter[str]
    """Pixels of each class, and of ``void``, in the masks of this run."""
    failures: tuple[Failure, ...]
    seconds: float

    def mask_of(self, picture: Path) -> Path:
        """Give the file of a picture's mask: ``masks/a.png`` beside ``images/a.jpg``."""
        return mask_beside(self.to / picture)

    def shares(self) -> dict[str, float]:
        """Give the share of each class, and of ``void``, in the masks of this run."""
        total = max(self.pixels.total(), 1)
        return {name: round(self.pixels[name] / total, 6) for name in (*self.classes, "void")}

    def to_dict(self) -> dict[str, Any]:
        """Give the result as it stands in ``--json``."""
        return {
            "pictures": len(self.pictures) + len(self.failures),
            "written": len(self.pictures) - self.kept,
            "kept": self.kept,
            "classes": list(self.classes),
            "shares": self.shares(),
            "to": str(self.to),
            "seconds": round(self.seconds, 2),
            "failed": [one.to_dict() for one in self.failures],
        }


def mask_beside(picture: Path) -> Path:
    """Give the file of the mask of a picture in a folder of masks."""
    return picture.parent.parent / "masks" / f"{picture.stem}.png"


def make_masks(
    dataset: Dataset,
    classifier: Classifier,
    to: Path | str,
    settings: MaskSettings | None = None,
) -> MadeMasks:
    """Make a mask for every picture from its labels, for `garim.train_segmenter` to learn from.

    Pictures are copied to ``images/`` and masks written to ``masks/``, in a folder per split; the
    test split is left out, as masks that were guessed are no truth. Run again after an
    interruption, the masks that are done are kept.

    Args:
        dataset: pictures with labels; all that a picture has (labels of its rows, or of its
            boxes) are looked for.
        classifier: has a localizer; knows every label.
        to: new or empty folder, or that of an earlier run with equal settings.
        settings: how sure is sure, and what bounds the evidence.

    Raises:
        SettingsError: settings that cannot work, a runtime that is not installed, or ``to`` was
            made with others.
        ModelError: no localizer, or the foreground's weights cannot be used.
        DatasetError: nothing to make masks for, or ``to`` holds something else.
    """
    started = time.perf_counter()
    chosen, target = settings or MaskSettings(), Path(to)
    chosen.check()
    jobs = _jobs(dataset)
    maker = _Maker.of(dataset, classifier, chosen, len(jobs))
    failures, counts = [], np.zeros(256, np.int64)
    with claimed(target, RECORD, _noted(maker, chosen)):
        todo = [job for job in jobs if not mask_beside(target / job.to).exists()]
        files.write_text(target / CLASSES_FILE, "".join(f"{name}\n" for name in maker.classes))
        for job, mask in maker.masks(todo):
            if isinstance(mask, PictureError):
                failures.append(Failure(job.row.file_name, mask.reason))
                continue
            _write(job, mask, dataset, target)
            counts += np.bincount(mask.ravel(), minlength=256)
    pixels = Counter({name: int(counts[k]) for k, name in enumerate(maker.classes)})
    pixels["void"] = int(counts[VOID])
    return MadeMasks(
        to=target, classes=maker.classes, kept=len(jobs) - len(todo), pixels=pixels,
        pictures=tuple(job.to for job in jobs if mask_beside(target / job.to).exists()),
        failures=tuple(failures), seconds=time.perf_counter() - started,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Job:
    row: Row
    """With the boxes of all rows of the picture."""
    labels: tuple[str, ...]
    to: Path


def _jobs(dataset: Dataset) -> list[_Job]:
    """Give each picture once, with all labels that it has, and where its copy goes."""
    rows = [row for row in dataset.rows if row.split != "test"]
    placing.check_splits(rows, "a folder of masks")
    merged = placing.pictures_of(rows)
    if not merged:
        raise DatasetError(
            f"{dataset.origin}: has no picture outside the test split, for which no masks are made"
        )
    names = placing.place([row for row, _ in merged], _target_of, by_stem=True)
    return [
        _Job(row, _labels(row, held, dataset.classes), Path(name))
        for (row, held), name in zip(merged, names, strict=True)
    ]


def _labels(row: Row, held: Sequence[str | None], chosen: Sequence[str]) -> tuple[str, ...]:
    """Give the labels of a picture's boxes, or of its rows where it has none."""
    found = dict.fromkeys(o.label for o in row.objects) or dict.fromkeys(one for one in held if one)
    return tuple(one for one in found if one in chosen)


def _target_of(row: Row) -> str:
    name = PurePosixPath(placing.file_part(row))
    return str(PurePosixPath(row.split or "", "images", name))


def _noted(maker: _Maker, settings: MaskSettings) -> dict[str, Any]:
    return {"classes": maker.classes, "model": maker.classifier.digest(),
            "settings": asdict(replace(settings, runtime=""))}  # fmt: skip


def _write(job: _Job, mask: Mask, dataset: Dataset, target: Path) -> None:
    """Copy a picture and write its mask: the mask last, which says that both are there."""
    placing.copy(dataset.root, job.row.file_name, target / job.to)
    files.write_bytes(mask_beside(target / job.to), palette_png(mask, voc_palette(256)))


@dataclass(frozen=True, slots=True)
class _Opened:
    picture: Decoded
    pixels: Pixels
    """At working size."""
    matte: Alpha | None


@dataclass(frozen=True, slots=True)
class _Maker:
    """Everything that makes masks, ready to work."""

    dataset: Dataset
    classifier: Classifier
    settings: MaskSettings
    classes: tuple[str, ...]
    side: int
    """Pixels a side of what the localizer sees."""

    @classmethod
    def of(
        cls, dataset: Dataset, classifier: Classifier, settings: MaskSettings, pictures: int
    ) -> _Maker:
        if classifier.localizer is None:
            raise ModelError("this model has no localizer; train a network that has feature maps")
        if BACKGROUND in dataset.classes:
            raise SettingsError([f"a class is named {BACKGROUND!r}, as class 0 is; rename it"])
        runtime = resolve(settings.runtime, classifier.device, pictures)
        classes = (BACKGROUND, *dataset.classes)
        side = classifier.localizer.size
        return cls(dataset, classifier.with_runtime(runtime), settings, classes, side)

    def masks(self, jobs: Sequence[_Job]) -> Iterator[tuple[_Job, Mask | PictureError]]:
        """Make the masks in order, with bounded memory."""
        opened = track(stream(self._opened, jobs), "Making masks", len(jobs))
        for part in chunks(opened, AT_ONCE):
            good = [one.picture for _, one in part if isinstance(one, _Opened)]
            seen = iter(self._evidence(good) if good else ())
            for job, one in part:
                if isinstance(one, _Opened):
                    yield job, self._mask(job, one, next(seen))
                else:
                    yield job, one

    def _opened(self, job: _Job) -> _Opened:
        unknown = [one for one in job.labels if one not in self.classifier.classes]
        if unknown or not job.labels:
            reason = f"the model does not know its label {unknown[0]!r}" if unknown else "no label"
            raise PictureError(job.row.file_name, reason)
        how, path = self.settings.foreground, self.dataset.path(job.row)
        picture = pictures.open_picture(path, at_least=max(how.longest, self.side))
        longest = min(how.longest, max(picture.image.size))
        pixels = at_working_size(pictures.to_array(picture.image), longest)
        return _Opened(picture, pixels, foreground(pixels, how) if self.settings.matte else None)

    def _evidence(self, several: Sequence[Decoded]) -> NDArray[np.float32]:
        """Give the scores of cells, shape ``(n, 1 + classes, grid, grid)``."""
        batch = np.stack([resized(one, None, self.side) for one in several])
        return self.classifier.localized(batch)[0]

    def _mask(self, job: _Job, one: _Opened, scores: NDArray[np.float32]) -> Mask:
        rows = [1 + self.classifier.classes.index(label) for label in job.labels]
        others = [n for n in range(1, len(scores)) if n not in rows] if self.settings.rivals else []
        evidence = scores[[0, *rows, *others]]
        width, height = one.picture.size
        scale = one.pixels.shape[1] / width, one.pixels.shape[0] / height
        boxes: list[list[Box]] = [
            [o.box.scale(*scale) for o in job.row.objects if o.label == label]
            if self.settings.boxes else []
            for label in job.labels
        ]  # fmt: skip
        shares = shares_of(evidence, one.pixels, one.matte, boxes, self.settings)
        numbers = [self.classes.index(label) for label in job.labels]
        return decided(shares, numbers, (width, height), self.settings)
