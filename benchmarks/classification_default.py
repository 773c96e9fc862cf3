"""How good is ``garim train`` with nothing chosen?

    python benchmarks/classification_default.py [--epochs 60] [--seeds 3] [--to DIR] [--json FILE]

On ``clothing5`` from the MobileNetV2 weights, against the clothing document's network from scratch
at 32 × 32 (of its 200 epochs, 60 by default), and against scikit-learn's logistic regression on the
same frozen features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score

import garim
from classification_data import clothing, frozen, options, pretrained, show
from garim.streaming import showing_progress
from garim.training.data import collect
from garim.training.learners import OnFeatures, build
from garim.training.settings import resolve
from harness import leave


def main() -> None:
    """Measure all three."""
    chosen = options(__doc__, seeds=3)
    data, epochs = clothing(chosen), chosen.epochs or 60
    document = garim.TrainSettings(preset="clothing-document", epochs=epochs)
    ways = {"default": pretrained(chosen.weights), "document, 32 × 32": document}
    figures: list[dict[str, Any]] = []
    with showing_progress():
        for name, settings in ways.items():
            to = None if chosen.to is None else chosen.to / name.split(",", maxsplit=1)[0]
            found = garim.compare_training(data, settings, {}, chosen.seeds, to)
            show(name, found)
            figures.append({"what": name, "epochs": epochs, **found.to_dict()})
        figures.append({"what": "linear probe", **_probe(data, frozen(chosen.weights))})
    print(figures[-1])
    leave(chosen.json, figures)


def _probe(data: garim.Dataset, settings: garim.TrainSettings) -> dict[str, float]:
    """Fit scikit-learn's logistic regression to plain features; C is chosen on validation."""
    recipe = resolve(settings)
    network, _ = build(recipe, data.classes, settings)
    maker, parts = OnFeatures(network, recipe, data.root), {}
    for split in ("train", "validation", "test"):
        shown, _ = collect(data.where(split=[split]), data.classes)
        features = torch.cat(maker.features(shown, "none", 1)).numpy()
        parts[split] = features, shown.targets
    models = [
        LogisticRegression(C=c, max_iter=500).fit(*parts["train"]) for c in np.logspace(-3, 1, 9)
    ]
    best = max(models, key=lambda model: model.score(*parts["validation"]))
    inputs, targets = parts["test"]
    predicted = best.predict(inputs)
    return {
        "accuracy": float(accuracy_score(targets, predicted)),
        "macro_f1": float(f1_score(targets, predicted, average="macro")),
    }


if __name__ == "__main__":
    main()
