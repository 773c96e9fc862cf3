"""What helps against classes of very unequal size?

    python benchmarks/classification_imbalance.py [--seeds 5] [--to DIR] [--json FILE]

Thins ``clothing5`` to the proportions of the clothing document (196 : 4606 : 18350 : 6424 : 424),
which leaves four caps and nine pairs of shoes to train on, and trains a head on frozen MobileNetV2
features with every remedy. The test split is not thinned.
"""

from __future__ import annotations

import garim
from classification_data import clothing, frozen, options, show, thinned
from garim.streaming import showing_progress
from garim.training.losses import IMBALANCE
from harness import leave

DOCUMENT = {"cap_and_hat": 196, "outerwear": 4606, "tops": 18350, "bottoms": 6424, "shoes": 424}


def main() -> None:
    """Compare all remedies."""
    chosen = options(__doc__)
    data = thinned(clothing(chosen), DOCUMENT)
    vary = {"imbalance": list(IMBALANCE)}
    with showing_progress():
        found = garim.compare_training(data, frozen(chosen.weights), vary, chosen.seeds, chosen.to)
    show("Imbalance", found)
    leave(chosen.json, {"pictures": data.counts(), **found.to_dict()})


if __name__ == "__main__":
    main()
