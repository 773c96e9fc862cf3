"""What is chosen by the size of the data and the device where nothing is set."""

from __future__ import annotations

from functools import cache
from typing import Any

import timm
import torch
from torch.utils.flop_counter import FlopCounterMode

MOST_COPIES = 4
"""Augmented copies of each picture whose features a frozen backbone computes."""

PASSES = 20_000
"""Pictures and copies that a processor turns into features in some ten minutes."""

TUNED_EPOCHS = 12
"""Passes in which a network with starting weights is fine-tuned."""

TUNED_SIZE = 160
"""Side in pixels at which it is fine-tuned on a processor: half the work of 224."""

OPERATIONS = 20e12
"""Floating point operations that two cores get through in some ten minutes."""

_BACK = 3
"""A pass forward and back costs three times one forward."""


def copies(pictures: int) -> int:
    """Choose how many augmented copies: on a processor fewer of many pictures."""
    if torch.cuda.is_available() or not pictures:
        return MOST_COPIES
    return max(1, min(MOST_COPIES, PASSES // pictures))


def tuned_size(own: int) -> int:
    """Choose the side at which a network made for ``own`` pixels is fine-tuned."""
    return own if torch.cuda.is_available() else min(own, TUNED_SIZE)


def may_be_tuned(backbone: str, size: int, pictures: int, trainings: int) -> bool:
    """Whether all of a network can be fine-tuned in some ten minutes.

    Args:
        backbone: a timm network.
        size: side of its input in pixels.
        pictures: pictures to train on; 0 where it is not known, for which the answer is no.
        trainings: how often, with the folds.
    """
    if not pictures or torch.cuda.is_available():
        return bool(pictures)
    passes = pictures * TUNED_EPOCHS * trainings
    return passes * _BACK * operations(backbone, size) <= OPERATIONS


@cache
def operations(backbone: str, size: int) -> float:
    """Count the floating point operations of one pass forward over one picture."""
    known = timm.get_pretrained_cfg(backbone)
    fixed: dict[str, Any] = {"img_size": size} if known and known.fixed_input_size else {}
    with torch.device("meta"):
        network = timm.create_model(backbone, num_classes=0, **fixed).eval()
        counter = FlopCounterMode(display=False)
        with counter:
            network(torch.empty(1, 3, size, size))
    return float(counter.get_total_flops())
