"""A process beside this one: it works, tells of it through a pipe, and ends when this one does."""

from __future__ import annotations

import multiprocessing as mp
import os
import pickle
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Self

from garim.errors import ExecutionError

GUARDED = "a script that calls Garim with workers must do so under if __name__ == '__main__'"
"""What a process that ends at once may say: it begins by running the script again."""

PATIENCE = 5.0
"""Seconds that a process has to end when it is asked to."""


@dataclass
class Helper:
    """A process at work, and the pipe to it."""

    process: BaseProcess
    link: Connection

    @classmethod
    def started(cls, context: Any, work: Callable[..., None], *given: Any) -> Self:
        """Start a process.

        Args:
            context: how processes start, of `multiprocessing`.
            work: a function of a module, called there with the pipe's other end and what is given.
                What it raises is sent through the pipe.
            given: values that can be pickled.
        """
        here, there = mp.Pipe()
        process = context.Process(target=_work, args=(work, there, *given), daemon=True)
        process.start()
        there.close()
        return cls(process, here)

    def ended(self, patience: float = PATIENCE) -> int | None:
        """Wait until the process has ended, or end it; give its exit code."""
        self.process.join(patience)
        self.process.kill()
        self.process.join()
        self.link.close()
        return self.process.exitcode


def pickled(value: object) -> bytes:
    """Make a stage ready for other processes.

    Raises:
        ExecutionError: it cannot leave this one.
    """
    try:
        return pickle.dumps(value)
    except (AttributeError, TypeError, pickle.PicklingError) as error:
        raise ExecutionError(
            f"this model cannot be given to other processes ({error}); do without --workers and "
            "--engine"
        ) from error


def portable(error: Exception) -> Exception:
    """Give an error that can be told to another process: itself, or else what it says."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - just made
    except Exception:  # an exception's class may do anything
        return ExecutionError(f"{type(error).__name__} in a worker: {error}")
    return error


def _work(work: Callable[..., None], link: Connection, *given: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        work(link, *given)
    except EOFError:  # the parent wants no more
        return
    except Exception as error:  # told to the parent, whose error it becomes
        link.send(portable(error))


def _end_with_parent() -> None:
    parent = mp.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
