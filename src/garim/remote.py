"""Data on object stores: ``s3://…``, ``gs://…``, and what else fsspec has a file system for.

An address is given wherever a path is, and stays a ``Path`` inside (``s3:/bucket/data``: a path
has no double slash). universal_pathlib's paths would be no ``Path`` to Pillow, OpenCV, Polars or
``os.walk``, and every signature would change; so a dataset at an address is read through a
*mirror* in the user's cache: its folders, the small files that describe its pictures, and an empty
file for every picture. The few places that open files (`garim.pictures`, `garim.files`) have a
picture fetched when it is first needed; the oldest make room when the mirror grows over its limit.
A mirror is named by the listing it was made from: what changes in the store gives another one.

What is written to an address is made in a local folder and sent file by file when it is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import threading
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
import platformdirs

from garim.errors import DatasetError, Failure

DESCRIBING = frozenset({
    ".csv", ".json", ".jsonl", ".parquet", ".tsv", ".txt", ".xml", ".yaml", ".yml",
})  # fmt: skip
"""Endings of files that say something about pictures; a mirror has them from its beginning."""

MOST_GIB = 20.0
"""How much a mirror's pictures may take on this disk, unless ``GARIM_CACHE_GIB`` says otherwise."""

UNFINISHED = ".garim-unfinished"
"""Stands at an address as long as something is being sent there."""

_ADDRESS = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+):/{1,2}([^/].*)", re.DOTALL)
_LOCAL = frozenset({"file", "local", "http", "https"})
_VERSIONS = ("ETag", "etag", "md5Hash", "LastModified", "updated", "mtime", "created")
_MIRRORED, _CONTENT = "address.json", "content"


def address_of(place: Path | str) -> str | None:
    """Give the address that a path stands for; None for a path of this machine.

    >>> address_of(Path("s3://bucket/pets")), address_of("C:/pets"), address_of("data/pets")
    ('s3://bucket/pets', None, None)
    """
    text = place.as_posix() if isinstance(place, Path) else place
    found = _ADDRESS.fullmatch(text)
    if found is None or found[1] in _LOCAL or found[1] not in fsspec.available_protocols():
        return None
    return f"{found[1]}://{found[2]}"


def told(place: Path | str) -> str:
    """Give a path as people write it: an address with both its slashes.

    >>> told(Path("s3://bucket/pets")), told(Path("data/pets"))
    ('s3://bucket/pets', 'data/pets')
    """
    return address_of(place) or str(place)


def refuse(place: Path | str, doing: str) -> None:
    """Refuse what cannot be done on an object store.

    Raises:
        DatasetError: the place is an address.
    """
    address = address_of(place)
    if address is not None:
        raise DatasetError(
            f"{address}: {doing} needs a folder of this machine: an object store has no locks and "
            "replaces no file in one step; give a local folder, and copy it there afterwards"
        )


def cache_folder() -> Path:
    """Give the folder of the mirrors: under ``GARIM_CACHE`` if that is set."""
    return _mirrors_in(os.environ.get("GARIM_CACHE") or platformdirs.user_cache_dir("garim"))


@cache
def _mirrors_in(base: str) -> Path:
    return Path(base).resolve() / "remote"


def mirror(address: str) -> tuple[Path, tuple[Failure, ...]]:
    """Mirror the folder at an address, or fetch the one file that is there.

    Returns:
        The local folder or file, and what was left out because its name leads outside.

    Raises:
        DatasetError: nothing there, no rights, no package for this kind of address, or what is
            there is still being sent.
    """
    with _errors_named(address):
        store, root = fsspec.url_to_fs(address)
        listed = _listed(store, root)
    if not listed:
        raise DatasetError(f"{address}: there is nothing at this address")
    if UNFINISHED in listed:
        raise DatasetError(f"{address}: was not sent whole; remove it, and write it again")
    kept = {name: info for name, info in listed.items() if _is_inside(name)}
    failures = tuple(
        Failure(n, "left out: its name leads outside") for n in listed if n not in kept
    )
    home = cache_folder() / _digest([address, [(n, _version(i)) for n, i in kept.items()]])
    if not (home / _MIRRORED).is_file():
        with _errors_named(address):
            _make(home, store, root, address, tuple(kept))
    single = home / _CONTENT / PurePosixPath(root).name
    return (single if "" in kept else home / _CONTENT), failures


def _listed(store: Any, root: str) -> dict[str, Mapping[str, Any]]:
    """Give every file below the root by its name there; one file by an empty name.

    Consoles make empty objects named like folders, which are none of the files.
    """
    store.invalidate_cache()  # others may have written meanwhile
    if store.isfile(root):
        return {"": store.info(root)}
    found = store.find(root, detail=True) if store.exists(root) else {}
    prefix = root.rstrip("/") + "/"
    return {
        name.removeprefix(prefix): found[name]
        for name in sorted(found)
        if name.startswith(prefix) and not name.endswith("/")
    }


def _is_inside(name: str) -> bool:
    parts = name.split("/")
    return not ("\\" in name or "\0" in name or ".." in parts or (name and "" in parts))


def _version(info: Mapping[str, Any]) -> list[str]:
    """Say what changes when a file does."""
    return [str(info.get(key)) for key in ("size", *_VERSIONS) if info.get(key) is not None]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32]


def _make(home: Path, store: Any, root: str, address: str, names: Sequence[str]) -> None:
    """Lay out a mirror under a name of its own, then let it take its place."""
    home.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=home.parent, prefix=".mirroring-"))
    try:
        wanted = []
        for name in names:
            path = temporary / _CONTENT / (name or PurePosixPath(root).name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            if not name or path.suffix.lower() in DESCRIBING:
                wanted.append((f"{root}/{name}" if name else root, str(path)))
        if wanted:
            store.get([source for source, _ in wanted], [path for _, path in wanted])
        (temporary / _MIRRORED).write_text(json.dumps({"address": address}), encoding="utf-8")
        try:
            temporary.rename(home)
        except OSError:
            if not (home / _MIRRORED).is_file():  # else another process was faster
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def fetched(path: Path) -> Path:
    """Have a mirror's picture on this disk; give any other path back as it is.

    Raises:
        OSError: it is gone from the store, or the store does not answer.
    """
    cache = cache_folder()
    if not path.is_relative_to(cache):
        return path
    home = cache / path.relative_to(cache).parts[0]
    if not path.stat().st_size and (home / _MIRRORED).is_file():
        _opened(home).fetch(path)
    return path


class _Mirror:
    """A mirror whose pictures are fetched; the oldest make room for new ones."""

    def __init__(self, home: Path) -> None:
        self.home = home
        told = json.loads((home / _MIRRORED).read_text(encoding="utf-8"))
        self.address = str(told["address"])
        self.store, self.root = fsspec.url_to_fs(self.address)
        self.most = float(os.environ.get("GARIM_CACHE_GIB") or MOST_GIB) * 2**30
        files = (p for p in (home / _CONTENT).rglob("*") if p.suffix.lower() not in DESCRIBING)
        found = [(p, p.stat().st_size) for p in files if p.is_file()]
        self.kept = deque((path, size) for path, size in found if size)
        self.size = sum(size for _, size in self.kept)
        self.lock = threading.Lock()

    def fetch(self, path: Path) -> None:
        """Fill an empty file."""
        name = path.relative_to(self.home / _CONTENT).as_posix()
        temporary = self.home / f".{uuid.uuid4().hex}.tmp"
        try:
            self.store.get_file(f"{self.root.rstrip('/')}/{name}", str(temporary))
            size = temporary.stat().st_size
            temporary.replace(path)
        except Exception as error:  # every store has errors of its own
            reason = f"cannot be fetched from {self.address}: {error}"
            raise OSError(getattr(error, "errno", None) or 5, reason, str(path)) from error
        finally:
            temporary.unlink(missing_ok=True)
        with self.lock:
            self.kept.append((path, size))
            self.size += size
            while self.size > self.most and len(self.kept) > 1:
                self._empty(*self.kept.popleft())

    def _empty(self, path: Path, size: int) -> None:
        """Take a picture's content away; whoever has it open keeps what they opened."""
        blank = self.home / f".{uuid.uuid4().hex}.tmp"
        blank.touch()
        blank.replace(path)
        self.size -= size


@lru_cache(maxsize=64)
def _opened(home: Path) -> _Mirror:
    return _Mirror(home)


def local(place: Path) -> Path:
    """Give a file for reading: itself, or a copy of the one at an address.

    Raises:
        DatasetError: the address cannot be read.
    """
    address = address_of(place)
    return place if address is None else mirror(address)[0]


def is_taken(address: str) -> bool:
    """Tell whether anything is at an address.

    Raises:
        DatasetError: the store does not answer.
    """
    with _errors_named(address):
        store, root = fsspec.url_to_fs(address)
        return bool(store.isfile(root) or (store.exists(root) and store.find(root)))


@contextmanager
def sending(target: Path) -> Iterator[Path]:
    """Give the place to write a file or folder; for an address a local one, sent when it is whole.

    Raises:
        DatasetError: the address cannot be written; nothing local is left.
    """
    address = address_of(target)
    if address is None:
        yield target
        return
    with tempfile.TemporaryDirectory(prefix="garim-") as folder:
        here = Path(folder) / target.name
        yield here
        with _errors_named(address):
            _send(here, *fsspec.url_to_fs(address))


def _send(here: Path, store: Any, root: str) -> None:
    if here.is_file():
        store.put_file(str(here), root)
        return
    files = sorted(one for one in here.rglob("*") if one.is_file())
    store.pipe_file(f"{root}/{UNFINISHED}", b"unfinished")
    store.put(
        [str(one) for one in files],
        [f"{root}/{one.relative_to(here).as_posix()}" for one in files],
    )
    store.rm_file(f"{root}/{UNFINISHED}")


@contextmanager
def _errors_named(address: str) -> Iterator[None]:
    """Turn whatever a store raises into an error that names the address."""
    try:
        yield
    except DatasetError:
        raise
    except ImportError as error:
        advice = "pip install 'garim[remote]' brings s3 and gs"
        raise DatasetError(f"{address}: needs another package: {error}; {advice}") from error
    except Exception as error:  # every store has errors of its own
        raise DatasetError(f"{address}: {type(error).__name__}: {error}") from error
