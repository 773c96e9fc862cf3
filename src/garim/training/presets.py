"""Named sets of settings. To add one: an entry in ``PRESETS``; what a user sets goes first."""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    # The transfer learning of the Self Extraction document, in Keras there.
    "vgg16-document": {
        "backbone": "vgg16",
        "head": "flatten-mlp",
        "tune": "head",
        "dropout": 0.3,
        "size": 150,
        "mean": 0.0,
        "std": 1.0,
        "augment": "document",
        "epochs": 30,
        "copies": 30,
        "batch": 100,
        "learning_rate": 0.001,
        "patience": 0,
    },
    # The clothing document's: from scratch, on grey pictures of 32 × 32; 186 steps an epoch.
    "clothing-document": {
        "backbone": "small_cnn",
        "weights": "none",
        "size": 32,
        "grey": True,
        "augment": "none",
        "epochs": 200,
        "batch": 128,
        "learning_rate": 0.001,
        "patience": 0,
    },
}
"""Named settings."""
