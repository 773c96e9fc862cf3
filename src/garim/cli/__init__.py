"""The command line: the functions of the package, spelled with dashes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from io import StringIO, TextIOWrapper
from itertools import pairwise

from cyclopts import CycloptsError
from rich.console import Console

from garim import remote
from garim.cli.app import app
from garim.cli.learning import by_task
from garim.cli.show import INTERRUPTED, WRONG_USAGE
from garim.errors import GarimError
from garim.streaming import showing_progress
from garim.training.processes import is_first

SENT = frozenset({"apply", "audit", "convert", "extract", "sheet", "split"})
"""Commands whose results may be written to an address (`garim.remote`)."""

_PLACES = frozenset({"--out", "--to"})

__all__ = ["app", "by_task", "main", "run"]


def run(arguments: Sequence[str]) -> int:
    """Run one command and give its exit status; a user's errors are shown without a trace."""
    try:
        with showing_progress("--quiet" not in arguments and is_first() and sys.stderr.isatty()):
            words = by_task(arguments)
            _check_places(words)
            status = app(words, exit_on_error=False, print_error=True)
        return status if isinstance(status, int) else 0
    except CycloptsError:
        return WRONG_USAGE
    except GarimError as error:
        return _refused(str(error))
    except OSError as error:  # a full disk, no rights: the system's word, and the file
        place = f"{error.filename2 or error.filename}: " if error.filename is not None else ""
        return _refused(f"{place}{error.strerror or error}")
    except KeyboardInterrupt:
        Console(stderr=True).print("garim: interrupted; run the same command again to go on")
        return INTERRUPTED


def _check_places(words: Sequence[str]) -> None:
    """Refuse the address of an object store where a command needs a folder for its result.

    Raises:
        DatasetError: such an address.
    """
    for word, after in pairwise((*words, "")):
        option, _, value = word.partition("=")
        if option in _PLACES and words[0] not in SENT:
            remote.refuse(value or after, f"garim {words[0]} {option}")


def _refused(message: str) -> int:
    console = Console(stderr=True)
    console.print(
        f"garim: {message}", style="red", markup=False, highlight=False, emoji=False, soft_wrap=True
    )
    return WRONG_USAGE


def main() -> None:
    """Run the command line and end the process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name that the terminal cannot show is no crash
            stream.reconfigure(errors="backslashreplace")
    # Of several processes of one training, the first speaks.
    with nullcontext() if is_first() else redirect_stdout(StringIO()):
        status = run(sys.argv[1:])
    sys.exit(status)
