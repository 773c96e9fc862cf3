"""Plans under different runtimes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from oracles import SIDE, draw

from garim.extraction import ExtractSettings, extract
from garim.models import runtime
from garim.models.classifier import Card, Classifier
from garim.models.networks import create
from garim.models.runtime import RUNTIMES


def test_runtimes_give_the_same_boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In float32: the scores of random weights lie closer together than bfloat16 can tell."""
    monkeypatch.setattr(runtime, "has_half", lambda module: False)
    torch.manual_seed(0)
    card = Card(architecture="small_cnn", classes=("other", "red"), size=SIDE,
                mean=(0.5,) * 3, std=(0.5,) * 3)  # fmt: skip
    model, data = Classifier(create("small_cnn", 2), card), draw(tmp_path / "data")
    installed = [name for name, one in RUNTIMES.items() if not one.missing]
    plans = [
        extract(data, model, ExtractSettings(method="windows", runtime=name), tmp_path / name).plan
        for name in installed
    ]
    assert [plan.settings["runtime"] for plan in plans] == installed
    for plan in plans[1:]:
        for edit, other in zip(plan, plans[0], strict=True):
            assert (edit.edit, edit.box is None) == (other.edit, other.box is None)
            if edit.box and other.box:
                assert np.abs(np.subtract(edit.box.xyxy(), other.box.xyxy())).max() <= 1
