"""Colour or grey: which serves a small network better?

    python benchmarks/classification_colour.py [--epochs 60] [--seeds 5] [--to DIR] [--json FILE]

The clothing document trains on grey pictures, as garments are told apart by their shape. Here the
same network, from scratch at 32 × 32, sees the same pictures of ``clothing5`` in grey and in
colour. The document trains for 200 epochs; the default here is 60.
"""

from __future__ import annotations

import garim
from classification_data import clothing, options, show
from garim.streaming import showing_progress
from harness import leave


def main() -> None:
    """Compare grey with colour."""
    chosen = options(__doc__)
    epochs = chosen.epochs or 60
    settings = garim.TrainSettings(preset="clothing-document", epochs=epochs)
    vary = {"grey": [True, False]}
    with showing_progress():
        found = garim.compare_training(clothing(chosen), settings, vary, chosen.seeds, chosen.to)
    show("Colour or grey", found)
    leave(chosen.json, {"epochs": epochs, **found.to_dict()})


if __name__ == "__main__":
    main()
