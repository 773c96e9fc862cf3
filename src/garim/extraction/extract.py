"""``garim extract``: one proposed box per picture and label, as a plan."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from garim import files, pictures
from garim.boxes import Box
from garim.dataset import Dataset
from garim.errors import Failure, ModelError, PictureError, PlanError
from garim.execution import ExecutionSettings, Record, Results, Work, executed
from garim.execution.shards import ERROR
from garim.extraction.activation import by_activation
from garim.extraction.contour import contour
from garim.extraction.evidence import by_evidence
from garim.extraction.foreground import by_foreground
from garim.extraction.methods import Method, Proposal, Scorer, Task, task
from garim.extraction.self_extraction import document, sliding_windows
from garim.extraction.settings import ExtractSettings
from garim.formats.rows import Row
from garim.models.classifier import Classifier, Scores
from garim.models.runtime import resolve
from garim.pictures import Pixels
from garim.plan import Edit, Plan
from garim.plan.reading import check_undecided, proposals
from garim.streaming import chunks, stream

METHODS: dict[str, Callable[[Classifier, ExtractSettings], Method[Any]]] = {
    "self": by_evidence,  # one look, a box around the evidence
    "activation": by_activation,  # the class activation map, as its authors box it
    "windows": sliding_windows,  # windows of each extent, each looked at once
    "document": document,  # as the document has it: both copies, whole pixels
}
"""Every extraction method that needs a model, by its name."""

WITHOUT_MODEL: dict[str, Callable[[Classifier | None, ExtractSettings], Method[Any]]] = {
    "contour": contour,  # a box around everything that has an outline
    "foreground": by_foreground,  # a box around the largest region of the foreground
}
"""Every extraction method that also works without one."""


@dataclass(frozen=True, kw_only=True)
class Extracted:
    """A plan of boxes and how it went."""

    path: Path | None
    seconds: float
    counts: Mapping[str, int]
    """Pictures (under one label each), and how many of them came out how."""
    failures: tuple[Failure, ...]
    """Pictures that could not be looked at."""
    made: Plan | None = None
    """The plan, where it was not written."""

    @cached_property
    def plan(self) -> Plan:
        """The plan; read from its file, where there is one, when it is first asked for."""
        if self.path is not None:
            return proposals(self.path).plan
        if self.made is None:
            raise PlanError("the plan was neither written nor kept")
        return self.made

    def to_dict(self) -> dict[str, Any]:
        """Give the result as it stands in ``--json``."""
        return {
            **self.counts,
            "failed": [failure.to_dict() for failure in self.failures],
            "seconds": round(self.seconds, 2),
            "plan": str(self.path) if self.path else None,
        }


def extract(
    dataset: Dataset,
    classifier: Classifier | None = None,
    settings: ExtractSettings | None = None,
    out: Path | str | None = None,
    execution: ExecutionSettings | None = None,
) -> Extracted:
    """Find the labelled object in every picture and propose its box as a crop.

    Pictures stream through with bounded memory, and with ``out`` so do the edits. Run again after
    an interruption, the shards that are done are not looked at again.

    Args:
        dataset: pictures with labels; list a picture once per label to have each extracted.
        classifier: scores crops; its folds judge the pictures that it was trained on. Methods in
            ``WITHOUT_MODEL`` do without.
        settings: method, grid, rounds.
        out: file of the plan.
        execution: where it runs.

    Raises:
        SettingsError: settings that cannot work, or a runtime that is not installed.
        ModelError: the model knows none of the dataset's classes, or the method needs one.
        PlanError: ``out`` is a folder, or a plan in which somebody has decided.
        ExecutionError: unfinished work of another run is in the way.
    """
    started = time.perf_counter()
    chosen, judge = _ready(dataset, classifier, settings or ExtractSettings())
    path = None if out is None else Path(out)
    if path is not None and path.is_dir():
        raise PlanError(f"{path}: is a folder; give a file with --out")
    if path is not None:
        check_undecided(path)
    header = _header(dataset, judge, chosen)
    stage = Extraction(
        root=dataset.root.absolute(), classes=dataset.classes, classifier=judge, settings=chosen,
        # A picture that was looked at under each of its labels has no one label to correct.
        relabels=dataset.selection.labels == "folder", model=header["model"],
    )  # fmt: skip
    with executed(stage, dataset.rows, execution, about=header, beside=path,
                  description="Extracting") as found:  # fmt: skip
        plan = Plan(**{**header, "dataset": Path(header["dataset"])}, edits=(),
                    seconds=round(time.perf_counter() - started, 2))  # fmt: skip
        return _extracted(plan, found, path, time.perf_counter() - started)


def _extracted(plan: Plan, found: Results[Row], path: Path | None, seconds: float) -> Extracted:
    """Write the plan as its lines pass; or keep it, where it has no file."""
    tally, made = Tally(), None
    lines = tally.counted(_lines(found))
    if path is not None:
        plan.save(path, lines)
    else:
        made = replace(plan, edits=tuple(map(Edit.from_dict, lines)))
    return Extracted(path=path, seconds=seconds, counts=tally.to_dict(),
                     failures=tuple(tally.failures), made=made)  # fmt: skip


@dataclass(slots=True)
class Tally:
    """What the lines of a plan say, counted as they pass."""

    pictures: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    no_box: int = 0
    failures: list[Failure] = field(default_factory=list)

    def counted(self, lines: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Pass lines on."""
        for line in lines:
            self.pictures += line.get("instance", 1) == 1
            if "error" in line:
                self.failures.append(Failure(line["picture"], line["error"]))
            else:
                self.kinds[line["edit"]] += 1
                self.no_box += "score_after" not in line
            yield line

    def to_dict(self) -> dict[str, int]:
        """Give the counts as they stand in ``--json``."""
        return {
            "pictures": self.pictures,
            "proposed": self.kinds["crop"],
            "unchanged": self.kinds.total() - self.kinds["crop"] - self.no_box,
            "no_box": self.no_box,
            "relabelled": self.kinds["relabel"],
        }


def _lines(found: Results[Row]) -> Iterator[dict[str, Any]]:
    """Give the lines of the plan, without its first."""
    for row, record in found:
        if record[ERROR] is not None:
            yield _failed(row, record[ERROR]).to_dict()
        else:
            yield from map(json.loads, record["edits"])


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


def _method(classifier: Classifier | None, settings: ExtractSettings) -> Method[Any]:
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
        "dataset": dataset.place,
        "selection": asdict(dataset.selection),
        "method": settings.method,
        "settings": noted,
        "model": None if classifier is None else classifier.digest(),
    }


@dataclass(frozen=True, slots=True)
class _Opened:
    task: Task[Any]
    digest: str


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """The stage: rows of a dataset to the edits of each."""

    root: Path
    classes: tuple[str, ...]
    """Those of the dataset."""
    classifier: Classifier | None
    settings: ExtractSettings
    relabels: bool
    """Whether another label may be proposed."""
    model: str | None
    """Digest of the classifier."""
    name: str = "extract"
    schema: ClassVar[dict[str, Any]] = {"edits": pl.List(pl.String)}
    """Edits as JSON."""

    def key(self, item: Row) -> str:
        """Name a row."""
        return json.dumps([item.file_name, item.label, item.split])

    def open(self) -> Work[Row]:
        """Make the method ready."""
        method = _method(self.classifier, self.settings)
        known = self.classes if self.classifier is None else self.classifier.classes
        return partial(self._work, method, {name: index for index, name in enumerate(known)})

    def _work(
        self, method: Method[Any], number: Mapping[str, int], rows: Sequence[Row]
    ) -> Iterator[Record | PictureError]:
        opened = partial(self._opened, method, number)
        for part in chunks(stream(opened, rows), method.pictures_at_once):
            tasks = [one.task for _, one in part if isinstance(one, _Opened)]
            proposals = iter(method(tasks) if tasks else [])
            for row, one in part:
                yield self._record(row, one, next(proposals)) if isinstance(one, _Opened) else one

    def _opened(self, method: Method[Any], number: Mapping[str, int], row: Row) -> _Opened:
        if self.classifier is not None and row.label not in number:
            raise PictureError(row.file_name, _unknown(row.label))
        path = self.root / row.file_name
        picture = pictures.open_picture(path, at_least=method.decodes_at_least)
        try:
            digest = files.digest(path)
        except OSError as error:
            raise PictureError(path, f"cannot be read: {error.strerror or error}") from error
        label = number.get(row.label or "", -1)
        return _Opened(task(method, picture, label, self._scorer(digest)), digest)

    def _scorer(self, digest: str) -> Scorer:
        if self.classifier is None:
            return _no_scores
        out_of_fold = self.settings.out_of_fold
        return (self.classifier.unbiased(digest) if out_of_fold else self.classifier).scores

    def _record(self, row: Row, one: _Opened, proposal: Proposal) -> Record:
        edits = _edits_of(row, one, proposal, self.model, relabels=self.relabels)
        return {"edits": [json.dumps(edit.to_dict(), ensure_ascii=False) for edit in edits]}


def _no_scores(crops: Pixels) -> Scores:
    raise ModelError("without a model nothing scores crops")


def _failed(row: Row, reason: str) -> Edit:
    return Edit(picture=row.file_name, edit="keep", label=row.label, split=row.split, error=reason)


def _unknown(label: str | None) -> str:
    if label is None:
        return "has no label"
    return f"its label {label!r} is not one of the model's classes"


def _edits_of(
    row: Row, opened: _Opened, proposal: Proposal, model: str | None, *, relabels: bool
) -> list[Edit]:
    """One edit for the row, or one for each of several objects."""
    size = opened.task.picture.size
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
