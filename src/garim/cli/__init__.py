"""The command line: the functions of the package, spelled with dashes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import CycloptsError
from rich.console import Console

from garim.cli.app import app
from garim.cli.show import INTERRUPTED, WRONG_USAGE
from garim.errors import GarimError
from garim.streaming import showing_progress

__all__ = ["app", "main", "run"]


def run(arguments: Sequence[str]) -> int:
    """Run one command and give its exit status; a user's errors are shown without a trace."""
    quiet = bool({"--quiet", "--json"} & set(arguments)) and not sys.stderr.isatty()
    try:
        with showing_progress("--quiet" not in arguments and not quiet):
            status = app(list(arguments), exit_on_error=False, print_error=True)
        return status if isinstance(status, int) else 0
    except CycloptsError:
        return WRONG_USAGE
    except GarimError as error:
        Console(stderr=True).print(f"garim: {error}", style="red", markup=False, highlight=False)
        return WRONG_USAGE
    except KeyboardInterrupt:
        Console(stderr=True).print("garim: interrupted; run the same command again to go on")
        return INTERRUPTED


def main() -> None:
    """Run the command line and end the process."""
    sys.exit(run(sys.argv[1:]))
