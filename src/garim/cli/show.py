"""How a command ends: a short summary for people, or one JSON object, and the exit status."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

DONE, ISSUES, WRONG_USAGE, SOME_FAILED, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit statuses."""

LISTED = 8
"""Failures that are listed one by one; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """How results are shown."""

    json: bool = False
    """Print one JSON object instead of the summary."""
    quiet: bool = False
    """Show no progress and no summary."""


def finish(output: Output, data: dict[str, Any], *lines: str | Table, issues: bool = False) -> int:
    """Print a result and give the exit status.

    Args:
        output: JSON or summary.
        data: the result; what is listed under ``failed`` makes the status 3.
        lines: the summary.
        issues: whether what was asked for was found; makes the status 1.
    """
    failed: Sequence[dict[str, str]] = data.get("failed") or []
    if output.json:
        sys.stdout.write(_json(data) + "\n")
    elif not output.quiet:
        console = Console(emoji=False)
        for line in lines:
            text = isinstance(line, str)  # paths stay whole, to be copied
            console.print(line, markup=False, highlight=False, soft_wrap=text)
        _print_failures(failed)
    if issues:
        return ISSUES
    return SOME_FAILED if failed else DONE


def _json(data: dict[str, Any]) -> str:
    """Write letters as they are where standard output can take them, else escaped."""
    text = json.dumps(data, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(data)
    return text


def _print_failures(failed: Sequence[dict[str, str]]) -> None:
    if not failed:
        return
    console = Console(stderr=True, emoji=False, soft_wrap=True)
    console.print(f"{len(failed)} left out:", style="yellow")
    for failure in failed[:LISTED]:
        text = f"  {failure['picture']}: {failure['error']}"
        console.print(text, markup=False, highlight=False)
    if len(failed) > LISTED:
        console.print(f"  … and {len(failed) - LISTED} more (--json lists all)")


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Lay out a table; numbers to the right, with three decimals."""
    result = Table(box=None, pad_edge=False, header_style="bold")
    for index, name in enumerate(columns):
        numeric = all(isinstance(row[index], int | float) for row in rows)
        result.add_column(name, justify="right" if numeric and rows else "left")
    for row in rows:
        cells = (f"{v:.3f}" if isinstance(v, float) else str(v) for v in row)
        result.add_row(*map(Text, cells))  # a class may be named like Rich's markup: [red]
    return result
