"""WebDataset (github.com/webdataset/webdataset): tar shards of samples that share a key.

Members of one sample stand together: ``0001.jpg``, ``0001.cls`` (a class number or name),
``0001.json`` and ``0001.mask.png``; the key ends at the first dot of the file's own name. Read from
a ``.tar``, a folder of them, or ``shards-{000000..000003}.tar``. Since a picture is a file
everywhere in Garim, shards are unpacked once into the user's cache, as zip archives are, one
member at a time. Class numbers are named by ``classes.txt`` beside the shards, where there is one;
a shard whose name says so (``train-000000.tar``) gives the split.

Written are ``<split|all>-<number>.tar`` and ``classes.txt``. The JSON holds what Hugging Face's
metadata does: ``label`` (or labels), ``objects``, ``split``, ``source``, ``source_box``, ``edits``.
Not held: the picture's size and name, the objects' outlines, the masks of single objects.
"""

from __future__ import annotations

import json
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from io import BytesIO
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import IO, Any

from garim import files, remote
from garim.errors import DatasetError, Failure, FormatError, printable
from garim.formats import archive, huggingface, labels, placing
from garim.formats.rows import SPLITS, Contents, Row
from garim.formats.tree import files_in, folders_in, is_ignored
from garim.pictures import SUFFIXES

MOST_SAMPLES, MOST_BYTES = 10_000, 2**30
"""Samples and bytes of pictures of a shard that is written."""

MOST_TEXT = 64 * 2**20
"""Longest ``.cls`` or ``.json`` that is read, in bytes."""

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_MOST_SHARDS = 1_000_000
_DONE = "failures.json"


def detect(path: Path) -> bool:
    """Accept a ``.tar``, a pattern of several, or a folder that holds nothing but such files."""
    if path.is_dir():
        return not folders_in(path) and bool(files_in(path, {".tar"}))
    return path.suffix.lower() == ".tar" and bool(shards(path))


def shards(path: Path) -> list[Path]:
    """Give the shards of a folder, a file, or a pattern such as ``a-{000..011}.tar``."""
    if path.is_dir():
        return files_in(path, {".tar"})
    span = _RANGE.search(path.name)
    if span is None:
        return [path] if path.is_file() else []
    first, last = int(span[1]), int(span[2])
    numbers = range(first, min(last + 1, first + _MOST_SHARDS))
    named = (path.name.replace(span[0], f"{n:0{len(span[1])}}") for n in numbers)
    found = [path.with_name(name) for name in named]
    return found if found and all(one.is_file() for one in found) else []


def read(path: Path) -> tuple[Path, Contents]:
    """Unpack shards, or find them unpacked by their content, and read what is in them.

    Raises:
        FormatError: no shards, one that is no whole tar file, or a cache that cannot be written.
    """
    found = shards(path)
    if not found:
        raise FormatError(f"{path}: expected .tar shards, or all of those that its name counts")
    beside = found[0].parent / labels.CLASSES_FILE
    named = labels.read_order(beside.parent, ()) if beside.is_file() else ()
    try:
        digests = [(one.name, files.digest(one)) for one in found]
        home = archive.cache_folder() / files.digest_of([digests, named])
        if not (home / _DONE).is_file():
            _unpack(found, named, home)
        listed = json.loads((home / _DONE).read_text(encoding="utf-8"))
    except OSError as error:
        reason = f"{error.strerror or error} ({error.filename or archive.cache_folder()})"
        raise FormatError(
            f"{path}: cannot be unpacked: {reason}; GARIM_CACHE names another folder to unpack to"
        ) from error
    root, contents = huggingface.read(home / archive.CONTENT)
    failures = (*(Failure(**one) for one in listed), *contents.failures)
    return root, Contents(rows=contents.rows, classes=contents.classes, failures=failures)


def _unpack(found: list[Path], named: tuple[str, ...], home: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=home.parent, prefix=".unpacking-"))
    try:
        content = temporary / archive.CONTENT
        content.mkdir()
        failures: list[Failure] = []
        with (content / "metadata.jsonl").open("w", encoding="utf-8") as lines:
            for shard in found:
                for line in _Unpacking(shard, named, content, failures).lines():
                    lines.write(json.dumps(line) + "\n")
        if named:
            files.write_text(content / labels.CLASSES_FILE, "".join(f"{n}\n" for n in named))
        files.write_json(temporary / _DONE, [one.to_dict() for one in failures])
        archive.take_place(temporary, home, _DONE)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class _Unpacking:
    """One shard on its way onto the disk; no more than one sample's texts are in memory."""

    def __init__(
        self, shard: Path, named: tuple[str, ...], content: Path, failures: list[Failure]
    ) -> None:
        self.shard, self.named, self.content, self.failures = shard, named, content, failures
        words = re.split(r"[^a-z]+", shard.stem.lower())
        self.split = next((SPLITS[word] for word in words if word in SPLITS), None)

    def lines(self) -> Iterator[dict[str, Any]]:
        """Give a line of metadata for every label of every sample, its picture in place."""
        try:
            with (
                remote.fetched(self.shard).open("rb") as stream,
                tarfile.open(fileobj=stream, mode="r|") as tar,
            ):
                for key, members in groupby(self._members(tar), key=lambda one: one[1]):
                    yield from self._sample(key, ((m, ending) for m, _, ending in members), tar)
        except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
            reason = f"{self.shard}: is not a whole tar file: {error}; fetch it again"
            raise FormatError(reason) from error

    def _members(self, tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, str, str]]:
        """Give the members that may be written, with their keys and endings."""
        for member in tar:
            tar.members = []  # type: ignore[attr-defined]  # else it keeps them all
            path = PurePosixPath(member.name)
            problem = archive.why_not_name(member.name)
            if problem is None and (not (member.isreg() or member.isdir()) or member.issparse()):
                problem = "left out of the archive: it is no plain file"
            if problem:
                self._fail(member.name, problem)
            elif member.isreg() and not any(map(is_ignored, path.parts)):
                stem, _, ending = path.name.partition(".")
                yield member, path.with_name(stem or "_").as_posix(), ending.lower()

    def _sample(
        self, key: str, members: Iterator[tuple[tarfile.TarInfo, str]], tar: tarfile.TarFile
    ) -> Iterator[dict[str, Any]]:
        texts: dict[str, bytes] = {}
        written: dict[str, Path] = {}
        for member, ending in members:
            source = tar.extractfile(member)
            if source is None or ending in texts or ending in written:
                self._fail(member.name, "left out of the archive: the name occurs twice")
            elif ending in {"cls", "json"} and member.size <= MOST_TEXT:
                texts[ending] = source.read()
            elif f".{ending.rpartition('.')[2]}" in SUFFIXES:
                written[ending] = self._written(source, len(written))
        picture = next((one for one in written if "." not in one), None)
        if picture is None:
            self._fail(key, "a sample without a picture")
            return
        try:
            yield from self._described(key, picture, texts, written)
        except (ValueError, RecursionError, OSError) as error:
            self._fail(key, f"cannot be unpacked: {error}")

    def _written(self, source: IO[bytes], number: int) -> Path:
        path = self.content / f".{number}.part"
        with path.open("wb") as stream:
            shutil.copyfileobj(source, stream, 2**20)
        return path

    def _described(
        self, key: str, picture: str, texts: dict[str, bytes], written: dict[str, Path]
    ) -> Iterator[dict[str, Any]]:
        told = json.loads(texts["json"]) if "json" in texts else {}
        told = told if isinstance(told, dict) else {}
        given = told.get("split", self.split)
        split = SPLITS.get(str(given).lower()) if given else None
        place = PurePosixPath(split or "") / f"_{self.shard.stem}" / key
        mask = next((one for one in written if one.startswith("mask.")), None)
        line = {name: told[name] for name in huggingface.DESCRIBED if name in told}
        line["file_name"] = self._moved(written[picture], f"{place}.{picture}")
        if mask is not None:
            line["mask_file_name"] = self._moved(written[mask], f"{place}.{mask}")
        held = told.get("label", texts.get("cls", b"").decode("utf-8", "replace"))
        for label in held if isinstance(held, list) and held else [held]:
            yield {**line, "label": self._label(label)}

    def _moved(self, source: Path, name: str) -> str:
        target = self.content / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            raise ValueError("the name occurs twice")
        source.replace(target)
        return name

    def _label(self, held: object) -> str | None:
        """Give a class by its number, where it is one that has a name."""
        text = labels.clean(held)
        if text is not None and text.isascii() and text.isdecimal() and len(text) < 10:
            return self.named[int(text)] if int(text) < len(self.named) else text
        return text

    def _fail(self, name: str, problem: str) -> None:
        shown = printable(name)
        self.failures.append(Failure(f"{self.shard.name}: {shown}", problem))


def write(contents: Contents, root: Path, target: Path) -> None:
    """Write ``<split|all>-<number>.tar`` and ``classes.txt``.

    Raises:
        FormatError: a split other than train, validation and test.
        DatasetError: a picture cannot be read.
    """
    placing.check_splits(contents.rows, "webdataset")
    rows = placing.in_order(contents.rows)
    classes = labels.complete(contents)
    files.write_text(target / labels.CLASSES_FILE, "".join(f"{name}\n" for name in classes))
    numbers = {name: number for number, name in enumerate(classes)}
    for split in dict.fromkeys(row.split for row in rows):
        samples = enumerate(_samples([row for row in rows if row.split == split]))
        for number, part in enumerate(_parts(list(samples), root)):
            shard = target / f"{split or 'all'}-{number:06}.tar"
            with files.replacing(shard) as temporary, tarfile.open(temporary, "w") as tar:
                for key, held in part:
                    _add(tar, f"{key:08}", held, root, numbers)


def _samples(rows: list[Row]) -> list[list[Row]]:
    """Put rows together that differ in nothing but their label."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(str((row.file_name, _without_label(row))), []).append(row)
    return list(grouped.values())


def _without_label(row: Row) -> dict[str, Any]:
    return {**huggingface.described(row), "label": None, "mask": row.mask_file_name}


def _parts(samples: list[Any], root: Path) -> Iterator[list[Any]]:
    """Cut samples into shards."""
    part: list[Any] = []
    size = 0
    for sample in samples:
        path = root / sample[1][0].file_name
        size += path.stat().st_size if path.is_file() else 0
        if part and (len(part) == MOST_SAMPLES or size > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(sample)
    if part:
        yield part


def _add(
    tar: tarfile.TarFile, key: str, held: list[Row], root: Path, numbers: dict[str, int]
) -> None:
    row, named = held[0], [one.label for one in held]
    told = {**huggingface.described(row), "split": row.split}
    told["label"] = named if len(named) > 1 else named[0]
    members = [(_ending(row.file_name).lstrip("."), row.file_name)]
    if row.mask_file_name:
        members.append((f"mask{_ending(row.mask_file_name)}", row.mask_file_name))
    for ending, name in members:
        try:
            _put(tar, f"{key}.{ending}", remote.fetched(root / name).read_bytes())
        except OSError as error:
            reason = f"{error.strerror or error}"
            raise DatasetError(f"{name}: cannot be copied to {tar.name!r}: {reason}") from error
    if len(named) == 1 and named[0] is not None:
        _put(tar, f"{key}.cls", str(numbers[named[0]]).encode())
    _put(tar, f"{key}.json", json.dumps(told, ensure_ascii=False).encode())


def _ending(name: str) -> str:
    """Give a picture's ending; one that readers know, for they tell a sample's files by it."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if suffix in SUFFIXES else ".jpg"


def _put(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, BytesIO(data))
