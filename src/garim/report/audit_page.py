"""The page of an audit: what is in the data, what is wrong, what is proposed, how to apply it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from garim import files, pictures
from garim.audit import CHECKS, Audit
from garim.audit.findings import Finding
from garim.errors import PictureError
from garim.report import charts
from garim.report.page import (
    Cell,
    Chart,
    Element,
    Figure,
    Figures,
    Gallery,
    Note,
    Page,
    Picture,
    Section,
    Table,
    Tile,
    WidePicture,
    write_page,
)
from garim.report.sheet import contact_sheet

SHOWN, PAIRS = 24, 18
"""Pictures, and pairs, that are shown of each check; ``report.json`` lists all."""

SIDE = 160
"""Longest side of a thumbnail in pixels."""

_EXAMPLES = 48
_EDITS = 200

_APPLY = (
    "Read the plan, set the state of what you do not want to \"rejected\", and then: "
    "garim apply {plan} --to CLEAN writes a new dataset. garim apply {plan} --in-place changes "
    "this one, and garim undo {data} takes it back."
)  # fmt: skip


def audit_report(audit: Audit, folder: Path) -> Path:
    """Write ``report.html`` and, with the same figures and all issues, ``report.json``."""
    files.write_json(folder / "report.json", _as_json(audit))
    failed = len(audit.failures)
    issues = sum(1 for found in audit.findings.values() if found.issues.any())
    lead = (
        f"{audit.dataset.origin}: {len(audit.evidence.names)} pictures, {issues} kinds of issues."
    )
    sections = (
        Section("What is in it", tuple(_contents(audit, failed))),
        Section("What was found", tuple(_overview(audit)), "Scores are 0 to 1, lower is worse."),
        *_checks(audit),
        Section("What is proposed", tuple(_proposals(audit, folder / "plan.jsonl"))),
    )
    path = folder / "report.html"
    write_page(Page(f"Audit of {audit.dataset.origin.name}", lead, sections), path)
    return path


def _as_json(audit: Audit) -> dict[str, Any]:
    marked = {
        name: [_as_issue(audit, found, row) for row in _worst(found)]
        for name, found in audit.findings.items()
    }
    facts = {name: list(found.facts) for name, found in audit.findings.items() if found.facts}
    precision = {n: f.precision for n, f in audit.findings.items() if f.precision is not None}
    return {**audit.to_dict(), "issues": marked, "pairs": audit.pairs.to_dicts(), "facts": facts,
            "estimated_precision": precision}  # fmt: skip


def _as_issue(audit: Audit, found: Finding, row: int) -> dict[str, Any]:
    issue = {"picture": audit.dataset.rows[row].file_name,
             "score": round(float(found.scores[row]), 6)}  # fmt: skip
    return {**issue, "note": found.notes[row]} if row in found.notes else issue


def _worst(found: Finding) -> list[int]:
    rows = np.flatnonzero(found.issues)
    return [int(row) for row in rows[np.argsort(found.scores[rows], kind="stable")]]


def _contents(audit: Audit, failed: int) -> Iterator[Element]:
    data, counts = audit.dataset, audit.dataset.counts()
    prints = audit.evidence.looks.prints
    sizes = prints.sizes[prints.opened]
    middle = " × ".join(f"{side:.0f}" for side in np.median(sizes, axis=0)) if len(sizes) else ""
    yield Figures((
        Figure("Pictures", len(audit.evidence.names)),
        Figure("Classes", len(data.classes)),
        Figure("Usual size", middle or None, "median width and height in pixels"),
        Figure("Cannot be opened", failed),
    ))  # fmt: skip
    by_class = {c: {s: float(of[c]) for s, of in counts.items()} for c in data.classes}
    if by_class:
        yield Chart(charts.grouped_bars(by_class, title="Pictures per class"))
    opened = [name for name, is_there in zip(audit.evidence.names, prints.opened, strict=True)
              if is_there]  # fmt: skip
    if opened:
        chosen = opened[:: -(-len(opened) // _EXAMPLES)]
        sheet = contact_sheet([data.root / name for name in chosen], columns=12, cell=90)
        yield WidePicture(
            Picture.of(sheet.image, "Examples", side=1080), "Examples, evenly chosen."
        )


def _overview(audit: Audit) -> Iterator[Element]:
    rows: list[tuple[Cell, ...]] = []
    proposed: dict[str, int] = {}
    for edit in audit.plan:
        proposed[edit.check or ""] = proposed.get(edit.check or "", 0) + 1
    for name, count, reason in audit.summary.iter_rows():
        if reason is None:
            rows.append((CHECKS[name].title, name, count, proposed.get(name, 0)))
    yield Table(("Issue", "Check", "Pictures", "Edits proposed"), tuple(rows))
    if audit.skipped:
        skipped = tuple((name, reason) for name, reason in audit.skipped.items())
        yield Table(("Skipped check", "Because"), skipped)


def _checks(audit: Audit) -> Iterator[Section]:
    for name, found in audit.findings.items():
        if not found.issues.any() and not found.facts:
            continue
        elements: list[Element] = [Note(fact) for fact in found.facts[:SHOWN]]
        tiles = _pairs(audit, found) if found.pairs else _singles(audit, name, found)
        shown = tuple(tiles)
        if shown:
            elements.append(Gallery(shown))
        total = len(found.pairs) if found.pairs else int(found.issues.sum())
        more = f" The {len(shown)} clearest of {total}." if total > len(shown) > 0 else ""
        what = "pairs" if found.pairs else "pictures"
        yield Section(CHECKS[name].title, tuple(elements), f"{name}: {total} {what}.{more}")


def _singles(audit: Audit, name: str, found: Finding) -> Iterator[Tile]:
    for row in _spread(audit, _worst(found)) if name == "imbalance" else _worst(found)[:SHOWN]:
        one = audit.dataset.rows[row]
        badge = f"{found.scores[row]:.2f}"
        details = (("label", one.label), ("split", one.split), ("note", found.notes.get(row)))
        yield Tile((_thumbnail(audit, row),), found.notes.get(row) or one.file_name, badge,
                   "warning", (("file", one.file_name), *details))  # fmt: skip


def _spread(audit: Audit, rows: list[int]) -> list[int]:
    """One picture of each class."""
    return list({audit.dataset.rows[row].label: row for row in rows}.values())[:SHOWN]


def _pairs(audit: Audit, found: Finding) -> Iterator[Tile]:
    for pair in sorted(found.pairs, key=lambda pair: -pair.similarity)[:PAIRS]:
        first, second = (audit.dataset.rows[row] for row in (pair.first, pair.second))
        caption = pair.kind if first.label == second.label else f"{first.label} / {second.label}"
        if first.split != second.split:
            caption += f", {first.split} / {second.split}"
        details = (("from", first.file_name), ("to", second.file_name))
        shown = _thumbnail(audit, pair.first), _thumbnail(audit, pair.second)
        yield Tile(shown, caption, f"{pair.similarity:.2f}", "warning", details)


def _thumbnail(audit: Audit, row: int) -> Picture:
    one = audit.dataset.rows[row]
    try:
        image = pictures.open_picture(audit.dataset.path(one), at_least=SIDE).image
    except PictureError:
        image = pictures.blank(SIDE)
    return Picture.of(image, one.file_name, SIDE)


def _proposals(audit: Audit, plan: Path) -> Iterator[Element]:
    counts = audit.plan.counts()
    if not counts:
        yield Note("Nothing is proposed.", "good")
        return
    yield Figures(tuple(Figure(kind.capitalize(), count) for kind, count in counts.items()))
    data = shlex.quote(str(audit.dataset.origin))
    yield Note(_APPLY.format(plan=shlex.quote(str(plan)), data=data))
    rows = tuple((e.picture, e.edit, e.label, e.to, e.reason) for e in audit.plan.edits[:_EDITS])
    more = f"The first {_EDITS} of {len(audit.plan)}." if len(audit.plan) > _EDITS else ""
    yield Table(("Picture", "Edit", "Label", "To", "Because"), rows, more)
