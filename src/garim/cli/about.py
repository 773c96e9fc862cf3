"""What Garim does, shown; and what it finds on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import garim
from garim.cli.options import Out
from garim.cli.show import Output, finish, table
from garim.formats import FORMATS


def demo(
    folder: Path = Path("garim-demo"),
    *,
    seed: int = 0,
    output: Out = Output(),
) -> int:
    """Draw a messy dataset, and do the whole main job on it: train, extract, apply, compare.

    Parameters
    ----------
    folder
        New or empty folder for everything. A run that was interrupted goes on.
    seed
        Another seed, other pictures.
    """
    from garim.demo import run_demo  # noqa: PLC0415 - most commands never draw

    summary = run_demo(folder, seed=seed)
    return finish(output, summary.to_dict(), *summary.lines())


def doctor(
    *, networks: Annotated[bool, Parameter(negative="")] = False, output: Out = Output()
) -> int:
    """Show versions, devices, and where weights would come from.

    Parameters
    ----------
    networks
        List the names of all networks too.
    """
    found = garim.doctor(networks=networks)
    libraries = [(name, version or "not installed") for name, version in found["libraries"].items()]
    lines = [
        f"Python {found['python']} on {found['system']}, {found['processors']} processors",
        f"Devices: {', '.join(found['devices'])}",
        f"Weights: --weights FILE, or timm's own from the cache {found['weights_cache']}, "
        "or --weights none",
        f"Formats: {', '.join(FORMATS)}",
    ]
    return finish(output, found, table(("library", "version"), libraries), *lines,
                  *found.get("networks", []))  # fmt: skip
