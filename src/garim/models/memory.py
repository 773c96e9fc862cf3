"""Memory that runs out: a batch that does not fit is halved until it does."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from typing import TypeVar

import torch

from garim.errors import ModelError

R = TypeVar("R")

_log = logging.getLogger(__name__)

_SIGNS = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "failed to allocate memory",
)
"""How CUDA and MPS, PyTorch's own allocator on Linux and on Windows, and ONNX Runtime say it."""


def ran_out(error: BaseException) -> bool:
    """Tell whether an error means that memory ran out, of a GPU or of the processor."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, Exception) and any(sign in str(error).lower() for sign in _SIGNS)


def release() -> None:
    """Give back what a failed attempt still holds."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def too_large(error: BaseException) -> ModelError:
    """Say that not even one picture fits."""
    return ModelError(
        f"there is not enough memory for one picture at a time ({error}); use smaller pictures, a "
        "smaller network or another device, or end other programs"
    )


class Halving:
    """Runs a function on a batch, in parts where the whole does not fit into memory.

    What fits is remembered for the batches that follow, and a note is logged once.
    """

    def __init__(self) -> None:
        self.most: int | None = None
        """Most items at once that are known to fit; None where all did."""

    def __call__(self, run: Callable[[slice], R], count: int) -> list[R]:
        """Run a function on all items of a batch, and give the results of its parts in order.

        Args:
            run: takes the place of some items in the batch.
            count: items of the batch.

        Raises:
            ModelError: a single item does not fit.
        """
        found: list[R] = []
        done = 0
        while done < count:
            part = slice(done, min(count, done + (self.most or count)))
            try:
                found.append(run(part))
                done = part.stop
                continue
            except Exception as error:  # they have no common base
                if not ran_out(error):
                    raise
                if part.stop - part.start == 1:
                    raise too_large(error) from error
            self._halve(part.stop - part.start)  # here, where the error no longer holds tensors
        return found

    def _halve(self, size: int) -> None:
        release()
        if self.most is None:
            _log.warning("a batch of %d does not fit into memory; it is halved until it does", size)
        self.most = size // 2
