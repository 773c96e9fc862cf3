"""Labels as a whole: classes with few pictures, and class names that mean the same."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from pathlib import PurePosixPath

import numpy as np

from garim import files
from garim.audit.evidence import Evidence
from garim.audit.findings import Finding


def imbalance(evidence: Evidence) -> Finding:
    """Find classes that have far fewer pictures than the largest one, or none."""
    counts = Counter(row.label for row in evidence.dataset.rows if row.label is not None)
    most = max(counts.values(), default=1)
    shares = {label: count / most for label, count in counts.items()}
    labels = [row.label for row in evidence.dataset.rows]
    scores = np.array([np.nan if label is None else shares[label] for label in labels])
    issues = np.nan_to_num(scores, nan=1.0) < evidence.settings.imbalance
    small = sorted({label for label, bad in zip(labels, issues, strict=True) if label and bad})
    facts = [
        f"{label!r} has {counts[label]} pictures, the largest class {most}." for label in small
    ]
    facts += [f"The folder {name} is empty." for name in evidence.dataset.empty]
    return Finding(scores=scores, issues=issues, facts=(*facts, *_missing(evidence)))


def _missing(evidence: Evidence) -> list[str]:
    return [
        f"{label!r} has no picture in {split}."
        for split, of in evidence.dataset.counts().items()
        for label, count in of.items()
        if not count
    ]


def class_names(evidence: Evidence) -> Finding:
    """Find classes whose names differ only in case, spacing or Unicode form.

    The pictures of the smaller ones are proposed to get the name of the largest. Folders whose
    names are one text in two Unicode forms are one class to Garim, but not to other programs: they
    are named.
    """
    counts = Counter(row.label for row in evidence.dataset.rows if row.label is not None)
    alike: dict[str, list[str]] = defaultdict(list)
    for label in sorted(counts, key=lambda label: (-counts[label], label)):
        alike[_plain(label)].append(label)
    to = {label: names[0] for names in alike.values() for label in names[1:]}
    issues = np.array([row.label in to for row in evidence.dataset.rows], dtype=bool)
    edits = tuple(
        evidence.edit(int(row), "relabel", f"{name!r} and {to[name]!r} mean the same",
                      "class_names", to=to[name])
        for row in np.flatnonzero(issues)
        if (name := evidence.row(int(row)).label)
    )  # fmt: skip
    facts = [f"{label!r} and {name!r} mean the same." for label, name in sorted(to.items())]
    facts += [f"{name!r} is spelled in {forms} Unicode forms." for name, forms in _forms(evidence)]
    return Finding(scores=1.0 - issues, issues=issues, edits=edits, facts=tuple(facts))


def _plain(label: str) -> str:
    """Take case, spacing and Unicode form from a name."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold())
    return "".join(letter for letter in folded if not letter.isspace() and letter not in "_-.")


def _forms(evidence: Evidence) -> list[tuple[str, int]]:
    spelled: dict[str, set[str]] = defaultdict(set)
    for name in evidence.names:
        for folder in PurePosixPath(name).parts[:-1]:
            spelled[files.nfc(folder)].add(folder)
    return sorted((name, len(forms)) for name, forms in spelled.items() if len(forms) > 1)
