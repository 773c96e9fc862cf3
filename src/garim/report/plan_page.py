"""The page of a plan, whatever made it: what is proposed, why, and what is decided so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from garim.dataset import Dataset
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
from garim.report.parts import SHOWN, evenly, failed, is_scored, shown


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


def plan_report(plan: Plan, dataset: Dataset, path: Path) -> Path:
    """Write the page of a plan: how many, how sure, and what is proposed, as pictures."""
    scored = is_scored(plan)
    sections = [Section("What is proposed", tuple(_overview(plan)))]
    for outcome in _OUTCOMES:
        fitting = list(filter(outcome.fits, plan))
        chosen = evenly(fitting, SHOWN)
        if scored:
            chosen = _spread(sorted(fitting, key=_certainty), SHOWN)
        if chosen:
            tiles = tuple(_tile(edit, dataset, scored=scored) for edit in chosen)
            lead = (None if scored else outcome.without_a_model) or outcome.lead
            note = f"{lead} {len(tiles)} of {len(fitting)} shown."
            sections.append(Section(outcome.name, (Gallery(tiles),), note))
    sections += failed(plan.failures)
    made = f"Method {plan.method}" if plan.method else "Made by hand"
    lead = f"{made}, for {dataset.origin.name}. Nothing is changed until it is applied."
    write_page(Page(f"Plan for {dataset.origin.name}", lead, tuple(sections)), path)
    return path


def _certainty(edit: Edit) -> float:
    return edit.score_after or edit.score_before or 0.0


def _spread(edits: Sequence[Edit], most: int) -> list[Edit]:
    """The first half of what is shown from the start, the rest evenly over the others."""
    if len(edits) <= most:
        return list(edits)
    first, rest = list(edits[: most // 2]), edits[most // 2 :]
    return first + evenly(rest, most - len(first))


def _overview(plan: Plan) -> list[Element]:
    counts = {one.name: sum(map(one.fits, plan)) for one in _OUTCOMES}
    found = tuple(one for one in _OUTCOMES if counts[one.name])
    figures = [Figure("Lines", len(plan), "one per picture and label that was looked at")]
    figures += [Figure(one.name, counts[one.name]) for one in found]
    if plan.failures:
        figures.append(Figure("Could not be opened", len(plan.failures)))
    states = plan.states()
    if len(plan) > states["proposed"]:
        figures += [Figure(state.capitalize(), states[state], "in the review")
                    for state in ("accepted", "rejected")]  # fmt: skip
    elements: list[Element] = [Figures(tuple(figures))]
    for name, value in (("Class", _label), ("Check", _check)):
        if any(map(value, plan)):
            elements.append(_counted(plan, name, value, found))
    return elements


def _label(edit: Edit) -> str:
    return edit.label or ""


def _check(edit: Edit) -> str:
    return edit.check or ""


def _counted(
    plan: Plan, name: str, value: Callable[[Edit], str], outcomes: Sequence[_Outcome]
) -> Table:
    every = Counter(map(value, plan))
    sums = {one.name: Counter(value(e) for e in plan if one.fits(e)) for one in outcomes}
    rows: list[tuple[Cell, ...]] = [
        (key or "(none)", every[key], *(counted[key] for counted in sums.values()))
        for key in sorted(every)
    ]
    return Table((name, "Lines", *sums), tuple(rows))


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
