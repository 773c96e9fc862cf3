"""``garim audit``: what is wrong with this dataset, and what could be done about it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from garim.audit.checks import CHECKS, NETWORK, lacking
from garim.audit.evidence import Evidence, gather
from garim.audit.findings import Finding
from garim.audit.networks import Backbone, Judge, Trained
from garim.audit.settings import ANY, AuditSettings
from garim.dataset import Dataset
from garim.errors import Failure
from garim.execution import ExecutionSettings
from garim.models.classifier import Classifier
from garim.plan import Edit, Plan

_STRONGER = ("drop", "relabel", "move")
"""Of several edits of one picture: one that is dropped needs no other."""


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What an audit found."""

    evidence: Evidence
    findings: Mapping[str, Finding]
    """By check."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Checks that could not run, and why."""
    seconds: float

    @property
    def dataset(self) -> Dataset:
        """What was looked at."""
        return self.evidence.dataset

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Pictures that cannot be opened, and rows that cannot be read."""
        return (*self.dataset.failures, *self.evidence.failures)

    @cached_property
    def pictures(self) -> pl.DataFrame:
        """A row per picture and label: file_name, label, split, and each check's issue and score.

        ``is_<check>_issue`` is true or false; ``<check>_score`` is 0 to 1, lower is worse, null
        where the check has nothing to say.
        """
        rows = self.dataset.rows
        columns: dict[str, Any] = {
            "file_name": pl.Series([row.file_name for row in rows], dtype=pl.String),
            "label": pl.Series([row.label for row in rows], dtype=pl.String),
            "split": pl.Series([row.split for row in rows], dtype=pl.String),
        }
        for name, found in self.findings.items():
            columns[f"is_{name}_issue"] = found.issues
            columns[f"{name}_score"] = pl.Series(found.scores).fill_nan(None)
        return pl.DataFrame(columns)

    @cached_property
    def summary(self) -> pl.DataFrame:
        """A row per check: check, pictures (null if skipped), skipped_because."""
        counted = [(name, *self._counted(name)) for name in CHECKS if self._was_asked(name)]
        schema = {"check": pl.String, "pictures": pl.Int64, "skipped_because": pl.String}
        return pl.DataFrame(counted, schema=schema, orient="row")

    @cached_property
    def pairs(self) -> pl.DataFrame:
        """A row per pair of copies and check: check, kind, from, to, similarity."""
        rows = self.dataset.rows
        listed = [
            (name, p.kind, rows[p.first].file_name, rows[p.second].file_name, p.similarity)
            for name, found in self.findings.items()
            for p in found.pairs
        ]
        text = dict.fromkeys(("check", "kind", "from", "to"), pl.String)
        return pl.DataFrame(listed, schema={**text, "similarity": pl.Float64}, orient="row")

    @cached_property
    def plan(self) -> Plan:
        """What is proposed, as `garim.apply` takes it: at most one edit of a kind per picture."""
        edits = _reconciled(edit for found in self.findings.values() for edit in found.edits)
        settings = {k: list(v) if isinstance(v, tuple) else v
                    for k, v in asdict(self.evidence.settings).items()}  # fmt: skip
        seen = self.evidence.seen
        return Plan(
            dataset=Path(self.dataset.place),
            edits=edits,
            selection=asdict(self.dataset.selection),
            method="audit",
            settings=settings,
            model=seen.model if seen else None,
            seconds=round(self.seconds, 2),
        )

    @property
    def fails(self) -> tuple[str, ...]:
        """Checks among ``fail_on`` that found something."""
        wanted = self.evidence.settings.fail_on
        found = [name for name, one in self.findings.items() if one.issues.any()]
        return tuple(name for name in found if name in wanted or ANY in wanted)

    def to_dict(self) -> dict[str, Any]:
        """Give the result as it stands in ``--json``."""
        return {
            "pictures": len(self.evidence.names),
            "labels": self.dataset.counts(),
            "checks": {
                name: {"pictures": count, "skipped_because": reason}
                for name, count, reason in self.summary.iter_rows()
            },
            "edits": self.plan.counts(),
            "seconds": round(self.seconds, 2),
            "failed": [failure.to_dict() for failure in self.failures],
        }

    def _was_asked(self, name: str) -> bool:
        return name in self.findings or name in self.skipped

    def _counted(self, name: str) -> tuple[int | None, str | None]:
        if name in self.skipped:
            return None, self.skipped[name]
        return len(np.unique(self.evidence.file_of[self.findings[name].issues])), None


def audit(
    dataset: Dataset,
    settings: AuditSettings | None = None,
    classifier: Classifier | None = None,
    execution: ExecutionSettings | None = None,
) -> Audit:
    """Find what is wrong with a dataset; nothing is changed.

    Every picture is decoded once. Checks that need a network use the classifier, whose folds judge
    the pictures that it was trained on; or, with ``weights``, features of a frozen network and
    logistic regressions that are trained on the spot. Without either they are skipped.

    Args:
        dataset: pictures, with labels, splits and boxes if there are any.
        settings: which checks, and thresholds.
        classifier: trained with folds on these pictures.
        execution: where the pictures are looked at.

    Raises:
        SettingsError: an unknown check, or a threshold that cannot be.
        ModelError: the weights cannot be had.
    """
    started = time.perf_counter()
    chosen = settings or AuditSettings()
    chosen.check(tuple(CHECKS))
    names = [n for n in CHECKS if (not chosen.only or n in chosen.only) and n not in chosen.skip]
    evidence = gather(dataset, chosen, _judge(chosen, classifier, names), execution)
    skipped = {n: r for n in names if (r := lacking(CHECKS[n].needs, evidence)) is not None}
    findings = {n: CHECKS[n].find(evidence) for n in names if n not in skipped}
    return Audit(evidence=evidence, findings=findings, skipped=skipped,
                 seconds=time.perf_counter() - started)  # fmt: skip


def _judge(
    settings: AuditSettings, classifier: Classifier | None, names: Iterable[str]
) -> Judge | None:
    """Choose a network, if there is one and a check that needs it."""
    needs = {CHECKS[name].needs for name in names} & set(NETWORK)
    if needs and classifier is not None:
        return Trained(classifier, presence="presence" in needs)
    if needs - {"presence"} and settings.weights is not None:
        return Backbone(settings)
    return None


def _reconciled(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """Keep a drop, or else the first relabel and the first move of each picture and label."""
    best: dict[tuple[str, str | None], dict[str, Edit]] = {}
    for edit in edits:
        best.setdefault((edit.picture, edit.label), {}).setdefault(edit.edit, edit)
    kept: list[Edit] = []
    for found in best.values():
        kept += [found["drop"]] if "drop" in found else [found[k] for k in _STRONGER if k in found]
    return tuple(sorted(kept, key=lambda edit: (edit.picture, edit.label or "")))
