"""The review page: look at a plan in the browser and decide."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from rich.console import Console

from garim import web
from garim.cli.options import Flat, Out
from garim.cli.show import Output, finish
from garim.web.review import is_open_to_others
from garim.web.security import Door


def review(
    plan: Path,
    *,
    data: Path | None = None,
    settings: Annotated[web.ReviewSettings, Flat] = web.ReviewSettings(),
    output: Out = Output(),
) -> int:
    """Look at a plan in the browser: accept, reject, redraw boxes, fix labels; Ctrl+C ends it.

    Parameters
    ----------
    plan
        File of the plan. It is not changed: decisions are kept beside it, and `apply` reads them.
    data
        Where the dataset is now, if it was moved.
    """

    def ready(door: Door) -> None:
        console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
        if is_open_to_others(settings):
            warning = "Others on the network can reach this page; nothing is encrypted."
            console.print(f"Warning: {warning}", style="yellow")
        console.print(f"Review: {door.address}\nCtrl+C ends it; every decision is saved at once.")

    done = web.review(plan, settings, data=data, ready=ready)
    states = ", ".join(f"{n} {state}" for state, n in done.states.items())
    return finish(output, done.to_dict(), f"{states}. Decisions: {done.decisions}")
