"""How many planted wrong labels are found, how many marks are right, and what it does for a model.

    python benchmarks/audit_labels.py [--data DIR] [--weights FILE] [--json FILE]

Plants wrong labels in all splits of ``clothing5`` (5, 10, 20 and 40 %, to any other class or to the
next one), and compares with cleanlab's own filters and the argmax baseline on the same last
probabilities (`same`), and on those before any wrong label was taken out (`first`). Then: train on
train + validation with 20 % wrong labels, with the proposed edits made, and with right labels;
judge on the clean test split. Features (frozen MobileNetV2) are computed once.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score

import garim
from garim.audit.evidence import Evidence, gather
from garim.audit.label_errors import ROUNDS, fewer, in_rounds, probabilities
from garim.audit.label_noise import marked
from garim.audit.networks import Backbone
from garim.streaming import showing_progress
from harness import leave, line, parsed, parser, starting, there

RATES = (0.05, 0.1, 0.2, 0.4)
SEEDS = range(5)
FOLDS = 5
FILTERS = ("prune_by_noise_rate", "prune_by_class", "both", "confident_learning",
           "low_normalized_margin", "low_self_confidence")  # fmt: skip

Labels = NDArray[np.int64]


def main() -> None:
    """Run both parts and print their tables."""
    options = _options()
    data = there(options.data / "clothing5")
    warnings.simplefilter("ignore")
    with showing_progress():
        evidence = _evidence(garim.read(data), options.weights)
        seen = evidence.of_network.features[evidence.file_of]
        features, groups = fewer(seen), evidence.groups[evidence.file_of]
        found = [
            _found(features, evidence.targets, groups, kind, rate)
            for kind in ("uniform", "pairwise")
            for rate in RATES
        ]
        trained = [_loop(evidence, seen, kind) for kind in ("uniform", "pairwise")]
    for row in found:
        print(line(row, width=0))
    for row in trained:
        print(row)
    leave(options.json, {"found": found, "retrained": trained})


def _options() -> argparse.Namespace:
    return parsed(parser(__doc__, weights=True))


def _evidence(dataset: garim.Dataset, weights: Path) -> Evidence:
    settings = garim.AuditSettings(
        backbone="mobilenetv2_100", **starting(weights),
    )  # fmt: skip
    return gather(dataset, settings, Backbone(settings))


def planted(labels: Labels, kind: str, rate: float, seed: int) -> Labels:
    """Change a share of the labels: to any other class, or to the next one."""
    rng, wrong, classes = np.random.default_rng(seed), labels.copy(), labels.max() + 1
    chosen = rng.choice(len(labels), round(rate * len(labels)), replace=False)
    shift = 1 if kind == "pairwise" else rng.integers(1, classes, len(chosen))
    wrong[chosen] = (labels[chosen] + shift) % classes
    return wrong


def _found(
    features: NDArray[np.float32], right: Labels, groups: Labels, kind: str, rate: float
) -> dict[str, Any]:
    each = [_once(features, right, groups, planted(right, kind, rate, seed)) for seed in SEEDS]
    mean = {name: float(np.mean([one[name] for one in each])) for name in each[0]}
    best = {p: max(FILTERS, key=lambda f: mean[f"{p}/{f}"]) for p in ("same", "first")}
    return {
        "kind": kind,
        "rate": rate,
        "f1": mean["f1"],
        "best_filter_same": best["same"],
        "best_filter_same_f1": mean[f"same/{best['same']}"],
        "best_filter_first": best["first"],
        "best_filter_first_f1": mean[f"first/{best['first']}"],
        "argmax_same_f1": mean["same/argmax"],
        "argmax_first_f1": mean["first/argmax"],
        "average_precision": mean["ap"],
        "cleanlab_average_precision_same": mean["same/ap"],
        "cleanlab_average_precision_first": mean["first/ap"],
        "estimated_precision": mean["estimated"],
        "precision": mean["precision"],
        "largest_error_of_the_estimate": max(
            abs(one["estimated"] - one["precision"]) for one in each
        ),
    }


def _once(
    features: NDArray[np.float32], right: Labels, groups: Labels, labels: Labels
) -> dict[str, float]:
    planted_here = labels != right
    judged = in_rounds(features, labels, groups, FOLDS, 0)
    wrong = judged.noise.wrong(labels)
    marks, estimated = marked(wrong)
    everything = np.ones(len(labels), dtype=bool)
    first = probabilities(features, labels, groups, everything, FOLDS, 0, ROUNDS[-1])
    return {
        "f1": f1_score(planted_here, marks),
        "ap": average_precision_score(planted_here, wrong),
        "estimated": estimated,
        "precision": float(planted_here[marks].mean()),
        **_peers("same", judged.probabilities, labels, planted_here),
        **_peers("first", first, labels, planted_here),
    }


def _peers(
    name: str, given: NDArray[np.float64], labels: Labels, wrong: NDArray[np.bool_]
) -> dict[str, float]:
    result = {f"{name}/{f}": f1_score(wrong, find_label_issues(labels, given, filter_by=f))
              for f in FILTERS}  # fmt: skip
    result[f"{name}/argmax"] = f1_score(wrong, given.argmax(axis=1) != labels)
    score = get_label_quality_scores(labels, given)
    return {**result, f"{name}/ap": average_precision_score(wrong, -score)}


def _loop(evidence: Evidence, features: NDArray[np.float32], kind: str) -> dict[str, Any]:
    """Train with wrong labels, with the edits made, and with right ones; test on clean labels."""
    test = np.array([row.split == "test" for row in evidence.dataset.rows])
    right, groups = evidence.targets, evidence.groups[evidence.file_of]
    accuracy: dict[str, list[float]] = {"wrong": [], "excluded": [], "relabelled": [], "right": []}
    for seed in SEEDS:
        labels = planted(right[~test], kind, 0.2, seed)
        noise = in_rounds(fewer(features[~test]), labels, groups[~test], FOLDS, seed).noise
        marks, _ = marked(noise.wrong(labels))
        mended = np.where(marks, noise.posterior.argmax(axis=1), labels)
        every = np.ones(len(labels), dtype=bool)
        parts = {"wrong": (every, labels), "excluded": (~marks, labels),
                 "relabelled": (every, mended), "right": (every, right[~test])}  # fmt: skip
        for name, (kept, given) in parts.items():
            model = LogisticRegression(C=10, max_iter=500)
            model.fit(features[~test][kept], given[kept])
            accuracy[name].append(float(model.score(features[test], right[test])))
    mean = {name: round(float(np.mean(values)), 4) for name, values in accuracy.items()}
    spread = {f"{name}_sd": round(float(np.std(v)), 4) for name, v in accuracy.items()}
    return {"kind": kind, "rate": 0.2, "seeds": len(SEEDS), **mean, **spread}


if __name__ == "__main__":
    main()
