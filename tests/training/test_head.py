"""A new head on a frozen backbone starts small, whatever the backbone's own way is."""

from __future__ import annotations

from pathlib import Path

import timm
import torch
from safetensors.torch import save_file

from garim.training.learners import build
from garim.training.settings import TrainSettings, resolve


def test_a_new_head_starts_with_even_scores(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    network = timm.create_model("mobilenetv2_050", num_classes=10)
    save_file(network.state_dict(), file)
    settings = TrainSettings(backbone="mobilenetv2_050", weights=str(file), size=64)
    made, _ = build(resolve(settings), ("a", "b", "c"), settings)
    features = torch.rand(8, 1280)
    head = made.get_classifier()
    assert head(features).softmax(dim=1).sub(1 / 3).abs().max() < 0.05
