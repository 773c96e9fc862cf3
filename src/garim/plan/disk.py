"""What to do when the disk itself refuses: stop, instead of blaming every picture in turn."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from garim.errors import DatasetError, PictureError

_DISK = frozenset({errno.ENOSPC, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)})
"""Failures that the next picture would meet as well."""


@contextmanager
def errors_named(folder: Path, advice: str) -> Iterator[None]:
    """Turn what the system refuses in the block into a DatasetError that says what to do next."""
    try:
        yield
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        raise DatasetError(f"{folder}: {error.strerror or error}{place}; {advice}") from error


def stop_if_disk_refuses(error: PictureError) -> None:
    """Raise the cause of a picture's failure if it is the disk's and not the picture's."""
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno in _DISK:
        raise cause
