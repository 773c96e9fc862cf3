"""What the sections share: the figures they are given, and the rows of their tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Figures: TypeAlias = Mapping[str, Any]
"""What the benchmarks left, by the names of their JSON files without the ending."""


def row(*cells: str | float) -> str:
    """Give one line of a table; numbers get three places, anything else comes as text."""
    texts = (f"{cell:.3f}" if isinstance(cell, float) else cell for cell in cells)
    return "| " + " | ".join(texts) + " |\n"
