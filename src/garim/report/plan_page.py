"""The page of a plan, whatever made it: what is proposed, why, and what is decided so far."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from garim.dataset import Dataset
from garim.errors import Failure
from garim.evaluation import LocalizationReport
from garim.evaluation.evaluate import proposed_box
from garim.plan import Edit, Plan
from garim.report.page import (
    Cell,
    Element,
    Figure,
    Figures,
    Gallery,
    Page,
    Section,
    Table,
    Tile,
    write_page,
)
from garim.report.parts import SHOWN, evenly, failed, shown


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A kind of lines of a plan."""

    name: str
    lead: str
    fits: Callable[[Edit], bool]
    without_a_model: str | None = None
    """What is said instead where no model gave scores."""


_OUTCOMES = (
    _Outcome("Proposed crops", "Least certain first: look at these.",
             lambda e: e.edit == "crop", "Found without a model, so without a score."),
    _Outcome("Labels to change", "The label → the label that is proposed.",
             lambda e: e.edit == "relabel"),
    _Outcome("To leave out", "Of two copies, the one to leave out = the one that stays.",
             lambda e: e.edit == "drop"),
    _Outcome("To put in another split", "The split → the split that is proposed.",
             lambda e: e.edit == "move"),
    _Outcome("Object not found",
             "Neither the picture nor a part of it is predicted as its label: wrong labels gather "
             "here.", lambda e: e.edit == "keep" and e.error is None and e.score_after is None,
             "Nothing stands out of its background; the details say why."),
    _Outcome("Left as they are", "No part shows the label better than the whole picture.",
             lambda e: e.edit == "keep" and e.score_after is not None),
)  # fmt: skip


@dataclass(slots=True)
class _Counted:
    """What the lines of a plan are, counted as they pass; little is kept of each."""

    lines: int = 0
    scored: bool = False
    states: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    certainties: dict[str, array[float]] = field(default_factory=lambda: defaultdict(_numbers))
    """Of the lines of each outcome, in their order."""
    values: dict[str, dict[str, Counter[str]]] = field(
        default_factory=lambda: {name: defaultdict(Counter) for name in _VALUES}
    )
    """Lines by a value that they have, in all and by outcome."""

    def add(self, edit: Edit) -> None:
        """Count a line."""
        self.lines += 1
        self.scored = self.scored or edit.score_before is not None
        self.states[edit.state] += 1
        if edit.error is not None:
            self.failures.append(Failure(edit.picture, edit.error))
        outcome = _outcome_of(edit)
        if outcome is not None:
            self.certainties[outcome.name].append(_certainty(edit))
        for name, value in _VALUES.items():
            for group in ("Lines", *([outcome.name] if outcome else ())):
                self.values[name][group][value(edit)] += 1


def plan_report(
    plan: Plan, dataset: Dataset, path: Path, edits: Iterable[Edit] | None = None
) -> Path:
    """Write the page of a plan: how many, how sure, and what is proposed, as pictures.

    Args:
        plan: what is shown.
        dataset: that it was made for.
        path: file of the page.
        edits: the plan's, where they are not in it; they are gone over twice, and not kept.
    """
    lines = plan if edits is None else edits
    counted = _Counted(scored=plan.model is not None)
    for edit in lines:
        counted.add(edit)
    sections = [Section("What is proposed", tuple(_overview(counted)))]
    for outcome, chosen in _examples(lines, counted).items():
        tiles = tuple(_tile(edit, dataset, scored=counted.scored) for edit in chosen)
        lead = (None if counted.scored else outcome.without_a_model) or outcome.lead
        note = f"{lead} {len(tiles)} of {len(counted.certainties[outcome.name])} shown."
        sections.append(Section(outcome.name, (Gallery(tiles),), note))
    sections += failed(counted.failures)
    made = f"Method {plan.method}" if plan.method else "Made by hand"
    lead = f"{made}, for {dataset.origin.name}. Nothing is changed until it is applied."
    write_page(Page(f"Plan for {dataset.origin.name}", lead, tuple(sections)), path)
    return path


def _examples(lines: Iterable[Edit], counted: _Counted) -> dict[_Outcome, list[Edit]]:
    """Choose the lines of each outcome that are shown."""
    wanted = {one: _chosen(counted.certainties[one.name], scored=counted.scored)
              for one in _OUTCOMES if counted.certainties[one.name]}  # fmt: skip
    found: dict[_Outcome, dict[int, Edit]] = {one: {} for one in wanted}
    places = {one: set(numbers) for one, numbers in wanted.items()}
    passed: Counter[_Outcome] = Counter()
    for edit in lines:
        outcome = _outcome_of(edit)
        if outcome is not None:
            if passed[outcome] in places[outcome]:
                found[outcome][passed[outcome]] = edit
            passed[outcome] += 1
    return {one: [found[one][number] for number in numbers] for one, numbers in wanted.items()}


def _chosen(certainties: Sequence[float], *, scored: bool) -> list[int]:
    """Choose evenly; with scores the half of the least certain, and evenly among the others."""
    if not scored:
        return evenly(range(len(certainties)), SHOWN)
    order: list[int] = np.argsort(certainties, kind="stable").tolist()
    half = SHOWN // 2 if len(order) > SHOWN else 0
    return order[:half] + evenly(order[half:], SHOWN - half)


def _outcome_of(edit: Edit) -> _Outcome | None:
    return next((one for one in _OUTCOMES if one.fits(edit)), None)


def _certainty(edit: Edit) -> float:
    return edit.score_after or edit.score_before or 0.0


def _overview(counted: _Counted) -> list[Element]:
    found = [one.name for one in _OUTCOMES if counted.certainties[one.name]]
    figures = [Figure("Lines", counted.lines, "one per picture and label that was looked at")]
    figures += [Figure(name, len(counted.certainties[name])) for name in found]
    if counted.failures:
        figures.append(Figure("Could not be opened", len(counted.failures)))
    if counted.lines > counted.states["proposed"]:
        figures += [Figure(state.capitalize(), counted.states[state], "in the review")
                    for state in ("accepted", "rejected")]  # fmt: skip
    elements: list[Element] = [Figures(tuple(figures))]
    for name, groups in counted.values.items():
        if any(groups["Lines"]):
            elements.append(_table(name, groups, found))
    return elements


def _table(name: str, groups: Mapping[str, Counter[str]], found: Sequence[str]) -> Table:
    columns = ("Lines", *found)
    rows: list[tuple[Cell, ...]] = [
        (key or "(none)", *(groups[one][key] for one in columns)) for key in sorted(groups["Lines"])
    ]
    return Table((name, *columns), tuple(rows))


def _label(edit: Edit) -> str:
    return edit.label or ""


def _check(edit: Edit) -> str:
    return edit.check or ""


_VALUES: dict[str, Callable[[Edit], str]] = {"Class": _label, "Check": _check}


def _numbers() -> array[float]:
    return array("d")


def _tile(edit: Edit, dataset: Dataset, *, scored: bool) -> Tile:
    path = dataset.root / edit.picture
    copy = edit.kept.picture if edit.kept and edit.edit == "drop" else None
    pictures = shown(path, edit.box, edit.label or "")
    if copy is not None:
        pictures = (pictures[0], shown(dataset.root / copy, None, "stays")[0])
    details: list[tuple[str, Cell]] = [
        ("Why", edit.reason),
        ("Check", edit.check),
        ("State", edit.state),
    ]
    details += [("File", edit.picture), ("Stays", copy)]
    details += [
        (f"Round {r.round}", f"seen as {r.predicted}, score {r.score:.3f}") for r in edit.history
    ]
    missing = edit.edit == "keep" and edit.score_after is None
    return Tile(
        pictures,
        caption=_caption(edit),
        badge="not found" if missing else _scores(edit) if scored else "",
        tone="bad" if missing else "good" if _gains(edit) else "plain",
        details=tuple((name, value) for name, value in details if value),
        between="→" if copy is None else "=",
    )


def _gains(edit: Edit) -> bool:
    return edit.edit == "crop" and (edit.score_after or 0) >= (edit.score_before or 0)


def _caption(edit: Edit) -> str:
    if edit.edit in {"relabel", "move"}:
        return f"{(edit.label if edit.edit == 'relabel' else edit.split) or '–'} → {edit.to}"
    return edit.label or ""


def _scores(edit: Edit) -> str:
    pair = (edit.score_before, edit.score_after if edit.edit in {"crop", "keep"} else None)
    return " → ".join(f"{score:.2f}" for score in pair if score is not None)


def localization_page(report: LocalizationReport, plan: Plan, dataset: Dataset, path: Path) -> Path:
    """Write the page of a plan's boxes against true boxes, the worst first."""
    figures = report.figures()
    quality = Figures((
        *(Figure(f"CorLoc at IoU {t}", v, "boxes that fit at least so well")
          for t, v in figures["corloc"].items()),
        Figure("Purity", report.purity, "of the objects inside the box, the labelled share"),
        Figure("Coverage", report.coverage, "of the labelled object, the share inside the box"),
    ))  # fmt: skip
    per_class = report.to_dict()["per_class"]
    rows = tuple(
        (c, v["boxes"], v["corloc"]["0.5"], v["purity"], v["coverage"])
        for c, v in per_class.items()
    )
    table = Table(("Class", "Boxes", "CorLoc at 0.5", "Purity", "Coverage"), rows)
    judged = {(one.picture, one.label): one.iou for one in report.located}
    edits = [e for e in plan.edits if (e.picture, e.label or "") in judged]
    edits.sort(key=lambda e: judged[e.picture, e.label or ""])
    tiles = tuple(_judged(e, judged[e.picture, e.label or ""], dataset) for e in edits[:SHOWN])
    sections = (
        Section("How well the boxes fit", (quality, table)),
        Section("The worst boxes", (Gallery(tiles),), f"{len(tiles)} of {len(edits)} shown."),
    )
    write_page(Page("Boxes against the truth", f"{report.boxes} boxes judged.", sections), path)
    return path


def _judged(edit: Edit, iou: float, dataset: Dataset) -> Tile:
    return Tile(
        shown(dataset.root / edit.picture, proposed_box(edit), edit.label or ""),
        caption=edit.label or "",
        badge=f"IoU {iou:.2f}",
        tone="good" if iou >= 0.5 else "bad",
    )
