"""``garim extract``: one proposed box per picture and label, as a plan."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from garim import files, pictures
from garim.boxes import Box
from garim.dataset import Dataset
from garim.errors import Failure, ModelError, PictureError, PlanError
from garim.extraction.activation import by_activation
from garim.extraction.contour import contour
from garim.extraction.evidence import by_evidence
from garim.extraction.foreground import by_foreground
from garim.extraction.methods import Method, Proposal, Task
from garim.extraction.self_extraction import document, sliding_windows
from garim.extraction.settings import ExtractSettings
from garim.formats.rows import Row
from garim.models.classifier import Classifier, Scores
from garim.models.runtime import resolve
from garim.pictures import Decoded, Pixels
from garim.plan import Edit, Plan
from garim.plan.edits import parse_line, to_line
from garim.streaming import chunks, stream, track

METHODS: dict[str, Callable[[Classifier, ExtractSettings], Method]] = {
    "self": by_evidence,  # one look, a box around the evidence
    "activation": by_activation,  # the class activation map, as its authors box it
    "windows": sliding_windows,  # windows of each extent, each looked at once
    "document": document,  # as the document has it: both copies, whole pixels
}
"""Every extraction method that needs a model, by its name."""

WITHOUT_MODEL: dict[str, Callable[[Classifier | None, ExtractSettings], Method]] = {
    "contour": contour,  # a box around everything that has an outline
    "foreground": by_foreground,  # a box around the largest region of the foreground
}
"""Every extraction method that also works without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """A plan of boxes and how it went."""

    plan: Plan
    path: Path | None
    seconds: float

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Pictures that could not be looked at."""
        return self.plan.failures

    def to_dict(self) -> dict[str, Any]:
        """Give the result as it stands in ``--json``."""
        looked = [e for e in self.plan.edits if e.error is None]
        counts = Counter(e.edit for e in looked)
        no_box = sum(e.score_after is None for e in looked)
        return {
            "pictures": sum((e.instance or 1) == 1 for e in self.plan.edits),
            "proposed": counts["crop"],
            "unchanged": len(looked) - counts["crop"] - no_box,
            "no_box": no_box,
            "relabelled": counts["relabel"],
            "failed": [failure.to_dict() for failure in self.failures],
            "seconds": round(self.seconds, 2),
            "plan": str(self.path) if self.path else None,
        }


def extract(
    dataset: Dataset,
    classifier: Classifier | None = None,
    settings: ExtractSettings | None = None,
    out: Path | str | None = None,
) -> Extracted:
    """Find the labelled object in every picture and propose its box as a crop.

    Pictures stream through with bounded memory. With ``out`` the plan is written as it is made;
    run again after an interruption, the pictures that are done are not looked at again.

    Args:
        dataset: pictures with labels; list a picture once per label to have each extracted.
        classifier: scores crops; its folds judge the pictures that it was trained on. Methods in
            ``WITHOUT_MODEL`` do without.
        settings: method, grid, rounds.
        out: file of the plan.

    Raises:
        SettingsError: settings that cannot work, or a runtime that is not installed.
        ModelError: the model knows none of the dataset's classes, or the method needs one.
        PlanError: ``out`` holds the unfinished plan of another run.
    """
    started = time.perf_counter()
    chosen, judge = _ready(dataset, classifier, settings or ExtractSettings())
    header = _header(dataset, judge, chosen)
    path = None if out is None else Path(out)
    with _Lines(path, header) as lines:
        method = _method(judge, chosen)
        lines.resume(dataset.rows, method.pictures_at_once)
        todo = dataset.rows[len(lines.firsts()) :]
        for edits in _edits(dataset, todo, judge, method, chosen, header["model"]):
            lines.add(edits)
    seconds = time.perf_counter() - started
    plan = Plan(**{**header, "dataset": Path(header["dataset"])},
                edits=tuple(lines.edits), seconds=round(seconds, 2))  # fmt: skip
    if path is not None:
        plan.save(path)
        lines.remove()
    return Extracted(plan=plan, path=path, seconds=seconds)


def _ready(
    dataset: Dataset, classifier: Classifier | None, settings: ExtractSettings
) -> tuple[ExtractSettings, Classifier | None]:
    """Fill in what was left open, and refuse what cannot work."""
    if settings.method is None:
        plain = classifier is None or classifier.localizer is None
        settings = replace(settings, method="windows" if plain else "self")
    settings.check((*METHODS, *WITHOUT_MODEL))
    if classifier is None:
        if settings.method in METHODS:
            others = " or ".join(WITHOUT_MODEL)
            raise ModelError(
                f"the method {settings.method!r} needs a model that was trained on these labels; "
                f"give one, or use a method that does without: {others}"
            )
        return settings, None
    if not set(classifier.classes) & set(dataset.classes):
        raise ModelError(
            f"the model knows {', '.join(classifier.classes)}, but the dataset has "
            f"{', '.join(dataset.classes) or 'no labels'}; choose a model that was trained on them"
        )
    runtime = resolve(settings.runtime, classifier.device, len(dataset))
    return replace(settings, runtime=runtime), classifier.with_runtime(runtime)


def _method(classifier: Classifier | None, settings: ExtractSettings) -> Method:
    name = settings.method or ""
    if classifier is None or name in WITHOUT_MODEL:
        return WITHOUT_MODEL[name](classifier, settings)
    return METHODS[name](classifier, settings)


def _header(
    dataset: Dataset, classifier: Classifier | None, settings: ExtractSettings
) -> dict[str, Any]:
    noted = asdict(settings)
    weights = settings.foreground.weights
    noted["foreground"]["weights"] = None if weights is None else str(weights)
    return {
        "dataset": str(dataset.origin.resolve()),
        "selection": asdict(dataset.selection),
        "method": settings.method,
        "settings": noted,
        "model": None if classifier is None else classifier.digest(),
    }


@dataclass(frozen=True, slots=True)
class _Opened:
    picture: Decoded
    digest: str


def _edits(
    dataset: Dataset,
    rows: Sequence[Row],
    classifier: Classifier | None,
    method: Method,
    settings: ExtractSettings,
    model: str | None,
) -> Iterator[list[Edit]]:
    classes = dataset.classes if classifier is None else classifier.classes
    number = {name: index for index, name in enumerate(classes)}
    # A picture that was looked at under each of its labels has no one label to correct.
    relabels = dataset.selection.labels == "folder"

    def opened(row: Row) -> _Opened:
        if classifier is not None and row.label not in number:
            raise PictureError(row.file_name, _unknown(row.label))
        path = dataset.path(row)
        picture = pictures.open_picture(path, at_least=method.decodes_at_least)
        try:
            return _Opened(picture, files.digest(path))
        except OSError as error:
            raise PictureError(path, f"cannot be read: {error.strerror or error}") from error

    def task(row: Row, one: _Opened) -> Task:
        label = number.get(row.label or "", -1)
        if classifier is None:
            return Task(picture=one.picture, label=label, scorer=_no_scores)
        judge = classifier.unbiased(one.digest) if settings.out_of_fold else classifier
        return Task(picture=one.picture, label=label, scorer=judge.scores)

    streamed = track(stream(opened, rows), "Extracting", len(rows))
    for part in chunks(streamed, method.pictures_at_once):
        good = [(row, one) for row, one in part if isinstance(one, _Opened)]
        proposals = iter(method([task(row, one) for row, one in good]) if good else [])
        yield [
            edit
            for row, one in part
            for edit in (
                _edits_of(row, one, next(proposals), model, relabels=relabels)
                if isinstance(one, _Opened)
                else [_failed(row, one)]
            )
        ]


def _no_scores(crops: Pixels) -> Scores:
    raise ModelError("without a model nothing scores crops")


def _failed(row: Row, error: PictureError) -> Edit:
    return Edit(
        picture=row.file_name, edit="keep", label=row.label, split=row.split, error=error.reason
    )


def _unknown(label: str | None) -> str:
    if label is None:
        return "has no label"
    return f"its label {label!r} is not one of the model's classes"


def _edits_of(
    row: Row, opened: _Opened, proposal: Proposal, model: str | None, *, relabels: bool
) -> list[Edit]:
    """One edit for the row, or one for each of several objects."""
    size = opened.picture.size
    known = Edit(
        picture=row.file_name,
        edit="keep",
        label=row.label,
        split=row.split,
        digest=opened.digest,
        size=size,
        reason=proposal.reason,
        score_before=proposal.score_before,
        score_after=None if proposal.box is None else proposal.score_after,
        model=model,
    )
    if proposal.instead is not None and relabels:
        return [replace(known, edit="relabel", to=proposal.instead, history=proposal.history)]
    found = [proposal.box, *proposal.more] if proposal.changed else []
    boxes = [box for box in (_snapped(one, size) for one in found) if box and not box.is_degenerate]
    if not proposal.more:
        boxes = [box for box in boxes if box != Box.whole(*size)]
    first, *others = [replace(known, edit="crop", box=box) for box in boxes] or [known]
    edits = [replace(first, history=proposal.history), *others]
    if not others:
        return edits
    return [replace(edit, instance=number) for number, edit in enumerate(edits, start=1)]


def _snapped(box: Box | None, size: tuple[int, int]) -> Box | None:
    return None if box is None else box.rounded().clip(*size)


class _Lines:
    """The plan while it is made: lines are flushed as soon as they are known."""

    def __init__(self, out: Path | None, header: dict[str, Any]) -> None:
        self.path = None if out is None else out.with_name(out.name + ".partial")
        self.header = header
        self.edits: list[Edit] = []
        self._stream: IO[str] | None = None

    def __enter__(self) -> _Lines:
        if self.path is not None:
            if self.path.with_suffix("").is_dir():
                raise PlanError(f"{self.path.with_suffix('')}: is a folder; give a file with --out")
            self.edits = self._earlier(self.path) if self.path.exists() else []
        return self

    def _earlier(self, path: Path) -> list[Edit]:
        # Bytes: a killed run may end inside a letter, and JSON may hold Unicode's line separators.
        first, *rest = path.read_bytes().split(b"\n")
        expected = to_line(self.header).encode()
        if not rest and expected.startswith(first):
            return []
        if first + b"\n" != expected:
            raise self._another(path)
        return [parse_line(line.decode(), str(path)) for line in rest[:-1]]

    def _another(self, path: Path) -> PlanError:
        return PlanError(
            f"{path}: is the unfinished plan of another model, dataset or settings; "
            "finish that run, delete the file, or give another with --out"
        )

    def resume(self, rows: Sequence[Row], at_once: int) -> None:
        """Go on after the rows that are done, in whole batches so that scores stay the same."""
        if self.path is None:
            return
        starts = self.firsts()
        if starts and self.edits[-1].instance is not None:  # more of its row may have been to come
            del self.edits[starts.pop() :]
        if len(starts) < len(rows):
            ends = [*starts, len(self.edits)]
            del self.edits[ends[len(starts) // at_once * at_once] :]
        done = [(e.picture, e.label, e.split) for e in self.edits if (e.instance or 1) == 1]
        if done != [(r.file_name, r.label, r.split) for r in rows[: len(done)]]:
            raise self._another(self.path)
        lines = [self.header, *(edit.to_dict() for edit in self.edits)]
        files.write_text(self.path, "".join(map(to_line, lines)))
        self._stream = self.path.open("a", encoding="utf-8", newline="\n")

    def firsts(self) -> list[int]:
        """Where the lines of each row begin."""
        return [at for at, edit in enumerate(self.edits) if (edit.instance or 1) == 1]

    def add(self, edits: Sequence[Edit]) -> None:
        """Take more lines."""
        self.edits += edits
        if self._stream is not None:
            self._stream.write("".join(to_line(edit.to_dict()) for edit in edits))
            self._stream.flush()

    def __exit__(self, *exc: object) -> None:
        if self._stream is not None:
            with self._stream as stream:
                os.fsync(stream.fileno())

    def remove(self) -> None:
        """Remove the partial file: the whole one is saved."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
