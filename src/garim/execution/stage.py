"""What every kind of heavy work says about itself."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from garim.errors import ExecutionError, PictureError

Item_contra = TypeVar("Item_contra", contravariant=True)

Record = dict[str, Any]
"""What came of one item, in plain values."""

Work = Callable[[Sequence[Item_contra]], Iterator[Record | PictureError]]
"""One result for each item, in their order. An item that cannot be read gives its error."""


def check_seen(*paths: Path) -> None:
    """Refuse to work where a file or folder of the run is not there.

    Raises:
        ExecutionError: this machine lacks one.
    """
    for path in paths:
        if not path.exists():
            raise ExecutionError(
                f"{platform.node()} does not see {path}; put the pictures, the result, and the "
                "folder that --work names, where every machine of the cluster has them under the "
                "same path"
            )


class Stage(Protocol[Item_contra]):
    """Heavy work on many items, each for itself: a small value that can be pickled.

    A shard of items is worked on from its start, whoever does it; so the batches that a network
    sees, and with them the results, depend neither on the engine nor on the number of workers.
    """

    @property
    def name(self) -> str:
        """Name in ``run.json``."""

    @property
    def root(self) -> Path:
        """Folder of the items, which every worker must see."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """Polars type of each field of a record."""

    def key(self, item: Item_contra) -> str:
        """Name an item, to tell one run from another."""

    def open(self) -> Work[Item_contra]:
        """Make ready to work; called once by every worker, which may load a model."""
