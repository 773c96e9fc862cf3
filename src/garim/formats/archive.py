"""Zip archives: unpacked safely, once, into the user's cache, and then read as what is inside.

No member is ever written outside its own folder, links are not made, and the sizes are limited.
Names without the UTF-8 mark are read as UTF-8 or, as Korean Windows writes them, CP949.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import platformdirs

from garim import files
from garim.errors import Failure, FormatError, printable
from garim.formats.tree import is_ignored

MAX_BYTES = 64 * 2**30
"""Most bytes that one archive may unpack to."""

MAX_MEMBERS = 10_000_000
"""Most members that one archive may have."""

MAX_RATIO = 200
"""A member over ``RATIO_FROM`` bytes that unpacks to more times its packed size is a bomb."""

RATIO_FROM = 10 * 2**20

_UTF8_MARK, _ENCRYPTED = 0x800, 0x1
_DRIVE = re.compile(r"[A-Za-z]:")
_FAILURES = "failures.json"

CONTENT = "content"
"""Folder of what was in an archive, beside the list of what was left out."""


def is_archive(path: Path) -> bool:
    """Tell whether a path is a zip archive by its suffix."""
    return path.suffix.lower() == ".zip" and path.is_file()


def cache_folder() -> Path:
    """Give the folder for unpacked archives: under ``GARIM_CACHE`` if that is set."""
    base = os.environ.get("GARIM_CACHE") or platformdirs.user_cache_dir("garim")
    return Path(base) / "archives"


def unpack(path: Path) -> tuple[Path, tuple[Failure, ...]]:
    """Unpack an archive, or find it unpacked already by its content's digest.

    Returns:
        The folder, and the members that were left out, each with the reason.

    Raises:
        FormatError: it is no zip archive, is encrypted, is over the limits, or the cache cannot
            be written.
    """
    try:
        home = cache_folder() / files.digest(path)
        if not (home / _FAILURES).is_file():
            _unpack_to(path, home)
        listed = json.loads((home / _FAILURES).read_text(encoding="utf-8"))
    except OSError as error:
        reason = f"{error.strerror or error} ({error.filename or cache_folder()})"
        raise FormatError(
            f"{path}: cannot be unpacked: {reason}; GARIM_CACHE names another folder to unpack to"
        ) from error
    return home / CONTENT, tuple(Failure(**one) for one in listed)


def _unpack_to(path: Path, home: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=home.parent, prefix=".unpacking-"))
    try:
        with _opened(path) as archive:
            failures = list(_members(archive, temporary / CONTENT))
        files.write_json(temporary / _FAILURES, [one.to_dict() for one in failures])
        take_place(temporary, home, _FAILURES)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def take_place(temporary: Path, home: Path, last: str) -> None:
    """Let an unpacked folder take its name, unless another process was faster.

    Args:
        temporary: the folder.
        home: its name to be.
        last: the file that says a folder of that name is whole.
    """
    try:
        temporary.rename(home)
    except OSError:
        if not (home / last).is_file():
            raise


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, zlib.error, ValueError, NotImplementedError) as error:
        raise FormatError(f"{path}: is not a whole zip archive: {error}; fetch it again") from error
    members = archive.infolist()
    size = sum(one.file_size for one in members)
    problem = None
    if any(one.flag_bits & _ENCRYPTED for one in members):
        problem = "is encrypted; unpack it yourself and give the folder"
    elif len(members) > MAX_MEMBERS:
        problem = f"has {len(members):,} members, more than {MAX_MEMBERS:,}"
    elif size > MAX_BYTES:
        problem = f"unpacks to {size / 2**30:,.1f} GiB, more than {MAX_BYTES / 2**30:,.0f} GiB"
    if problem:
        archive.close()
        raise FormatError(f"{path}: {problem}")
    return archive


def _members(archive: zipfile.ZipFile, target: Path) -> Iterator[Failure]:
    """Write every member that may be written, and say why the others may not."""
    target.mkdir(parents=True)
    for member in archive.infolist():
        name = _name(member)
        problem = _why_not(member, name)
        parts = [part for part in PurePosixPath(name).parts if part != "."]
        if problem is None and not (member.is_dir() or any(map(is_ignored, parts))):
            problem = _write(archive, member, target.joinpath(*parts))
        if problem:
            yield Failure(printable(name), problem)


def _name(member: zipfile.ZipInfo) -> str:
    name = member.orig_filename
    if member.flag_bits & _UTF8_MARK or name.isascii():
        return name
    for encoding in ("utf-8", "cp949"):
        try:
            return name.encode("cp437").decode(encoding)
        except UnicodeError:
            continue
    return name


def _why_not(member: zipfile.ZipInfo, name: str) -> str | None:
    if problem := why_not_name(name):
        return problem
    if stat.S_ISLNK(member.external_attr >> 16):
        return "left out of the archive: it is a link"
    if member.file_size > max(RATIO_FROM, MAX_RATIO * member.compress_size):
        return f"left out of the archive: it unpacks to over {MAX_RATIO} times its size"
    return None


def why_not_name(name: str) -> str | None:
    """Give the reason why a member's name must not be used, or None if it may."""
    parts = PurePosixPath(name).parts
    if not parts:
        return "left out of the archive: it has no name"
    if "\\" in name or "\0" in name or name.startswith("/") or ".." in parts or _DRIVE.match(name):
        return "left out of the archive: its name leads outside"
    return None


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> str | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, path.open("xb") as stream:
            shutil.copyfileobj(source, stream, 2**20)
    except FileExistsError:
        return "left out of the archive: the name occurs twice"
    except (NotADirectoryError, IsADirectoryError):
        return "left out of the archive: a file and a folder have one name"
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise  # a full disk ends it all
        return "left out of the archive: its name is too long for this disk"
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        path.unlink(missing_ok=True)
        return f"left out of the archive: {error}"
    return None
