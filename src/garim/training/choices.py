"""What is chosen by the size of the data and the device where nothing is set."""

from __future__ import annotations

import torch

MOST_COPIES = 4
"""Augmented copies of each picture whose features a frozen backbone computes."""

PASSES = 20_000
"""Pictures and copies that a processor turns into features in some ten minutes."""


def copies(pictures: int) -> int:
    """Choose how many augmented copies: on a processor fewer of many pictures."""
    if torch.cuda.is_available() or not pictures:
        return MOST_COPIES
    return max(1, min(MOST_COPIES, PASSES // pictures))
