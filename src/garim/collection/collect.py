"""``garim collect``: pictures from addresses or a folder to a dataset, each content once.

Run again, what is there already is not fetched again: ``.collected.jsonl`` in the dataset's folder
has a line for each picture that was stored.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from garim import files, locks, pictures
from garim.collection.addresses import Wanted, by_turns, read_list
from garim.collection.download import Downloader
from garim.collection.settings import SUFFIX_OF, CollectSettings
from garim.errors import DatasetError, Failure, PictureError
from garim.formats import folder, huggingface
from garim.formats.rows import Row
from garim.formats.tree import walk
from garim.streaming import stream, track

JOURNAL = ".collected.jsonl"
"""File in the dataset's folder that says what was stored, and from where."""

ARRIVING = ".arriving"
"""Folder in it for what has come but has no name yet."""

LONGEST = 60
"""Letters of an address or file name that are kept in a picture's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A line of the journal: where a picture came from, and where it is."""

    source: str
    label: str | None
    file: str
    """Relative to the dataset's folder."""
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What came of a collection."""

    to: Path
    pictures: int
    """Pictures that the dataset has now."""
    new: int
    """Pictures that this run has added."""
    copies: int
    """Sources of the dataset whose content was there already."""
    failures: tuple[Failure, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Give the result as it stands in ``--json``."""
        return {
            "pictures": self.pictures,
            "new": self.new,
            "copies": self.copies,
            "to": str(self.to),
            "failed": [failure.to_dict() for failure in self.failures],
        }


Bring = Callable[[Wanted], bytes]
"""Gives the content of a source; raises ``PictureError``."""


def collect(
    source: Path | str, to: Path | str, settings: CollectSettings | None = None
) -> Collected:
    """Bring pictures together in a dataset: class folders with ``metadata.jsonl``.

    What is stored is a picture by its content, whatever its name says, and decodes to its end.
    What cannot be had or is no picture is listed with the reason; run again to try it again.

    Args:
        source: a ``.csv`` with the columns url and label, a text file with a line per address, or
            a folder of downloads, whose folders are the labels.
        to: new or empty folder, or one that was collected before, to go on or to add to.
        settings: kinds of pictures, limits, and how politely servers are asked.

    Raises:
        DatasetError: no such source, or ``to`` holds something else.
        FormatError: the list cannot be read.
        SettingsError: settings that cannot work.
    """
    chosen, origin, target = settings or CollectSettings(), Path(source), Path(to)
    chosen.check()
    if not origin.exists():
        raise DatasetError(f"{origin}: there is no such file or folder")
    failures: list[Failure] = []
    if origin.is_dir():
        wanted, bring = _in_folder(origin, target, failures), _reader(origin, chosen)
    else:
        wanted, bring = by_turns(read_list(origin)), _fetcher(chosen)
    with files.refusal_named(target), locks.alone(locks.beside(target), target, "being collected"):
        return _collected(wanted, bring, target, chosen, failures)


def _collected(
    wanted: list[Wanted],
    bring: Bring,
    target: Path,
    settings: CollectSettings,
    failures: list[Failure],
) -> Collected:
    """Bring what is missing; nobody else writes to the target."""
    known = _opened(target)
    before = {one.file for one in known.values()}
    missing = [one for one in wanted if (one.url, one.label) not in known]
    try:
        _store(missing, bring, target, settings, known, failures)
    finally:  # also on Ctrl-C: what has come is a dataset
        _describe(target, known.values())
        shutil.rmtree(target / ARRIVING, ignore_errors=True)
    now = {one.file for one in known.values()}
    return Collected(to=target, pictures=len(now), new=len(now - before),
                     copies=len(known) - len(now), failures=tuple(failures))  # fmt: skip


def _fetcher(settings: CollectSettings) -> Bring:
    downloader = Downloader(settings)
    return lambda one: downloader.fetch(one.url)


def _reader(root: Path, settings: CollectSettings) -> Bring:
    def read(one: Wanted) -> bytes:
        path = root / one.url
        try:
            if path.stat().st_size > settings.max_megabytes * 1e6:
                raise PictureError(path, f"is larger than {settings.max_megabytes:g} megabytes")
            return path.read_bytes()
        except OSError as error:
            raise PictureError(path, f"cannot be read: {error.strerror or error}") from error

    return read


def _in_folder(root: Path, target: Path, failures: list[Failure]) -> list[Wanted]:
    if target.resolve().is_relative_to(root.resolve()):
        raise DatasetError(f"{target}: is inside {root}; collect into another folder")
    tree = walk(root)
    failures += tree.failures
    rows = [folder.row_of(name) for name in tree.pictures]
    return [Wanted(row.file_name, row.label) for row in rows]


def _opened(target: Path) -> dict[tuple[str, str | None], Stored]:
    """Read the journal; what it lists but is gone is missing."""
    journal = target / JOURNAL
    files.remove_strays(target)
    if not journal.exists() and target.exists() and (
        not target.is_dir() or any(one.name != ARRIVING for one in target.iterdir())
    ):  # fmt: skip
        raise DatasetError(f"{target}: is not empty and was not collected; give a new folder")
    lines = journal.read_text(encoding="utf-8").split("\n") if journal.exists() else []
    found = [one for line in lines if (one := _line(line)) and (target / one.file).is_file()]
    text = "".join(_json(one) for one in found)  # without a line that a kill has cut off
    files.write_text(journal, text)
    return {(one.source, one.label): one for one in found}


def _line(text: str) -> Stored | None:
    try:
        return Stored(**json.loads(text))
    except (ValueError, TypeError):
        return None


def _json(one: Stored) -> str:
    values = {name: getattr(one, name) for name in ("source", "label", "file", "digest")}
    return json.dumps(values, ensure_ascii=False) + "\n"


def _store(
    missing: list[Wanted],
    bring: Bring,
    target: Path,
    settings: CollectSettings,
    known: dict[tuple[str, str | None], Stored],
    failures: list[Failure],
) -> None:
    """Bring what is missing, and note in the journal what has come."""
    by_content = {one.digest: one.file for one in known.values()}

    def arrive(one: Wanted) -> tuple[str, str]:
        content = bring(one)
        suffix = _checked(content, one.url, settings)
        digest = hashlib.sha256(content).hexdigest()[: files.DIGEST_LENGTH]
        files.write_bytes(target / ARRIVING / digest, content)
        return digest, suffix

    arrived = stream(arrive, missing, settings.workers)
    with (target / JOURNAL).open("a", encoding="utf-8") as journal:
        for one, result in track(arrived, "Collecting", len(missing)):
            if isinstance(result, PictureError):
                failures.append(Failure(one.url, result.reason))
                continue
            digest, suffix = result
            if digest not in by_content:
                by_content[digest] = _name(one, digest, suffix)
                _move(target / ARRIVING / digest, target / by_content[digest])
            stored = Stored(source=one.url, label=one.label, file=by_content[digest],
                            digest=digest)  # fmt: skip
            known[one.url, one.label] = stored
            journal.write(_json(stored))
            journal.flush()


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)


def _checked(content: bytes, name: str, settings: CollectSettings) -> str:
    """Decode a picture to its end; give the suffix of its kind.

    Raises:
        PictureError: no picture, of another kind, or too large.
    """
    with pictures.opened(Path(name), BytesIO(content)) as image:
        kind, (width, height) = image.format or "", image.size
    suffix = SUFFIX_OF.get(kind, "")
    if settings.kinds and suffix.removeprefix(".") not in settings.kinds:
        raise PictureError(name, f"is of kind {kind}, not {', '.join(sorted(settings.kinds))}")
    if width * height > settings.max_megapixels * 1e6:
        most = f"{settings.max_megapixels:g} million pixels"
        raise PictureError(name, f"has {width} × {height} pixels, over the limit of {most}")
    pictures.decode(content, name)
    return suffix


def _name(one: Wanted, digest: str, suffix: str) -> str:
    """Name a picture after its source and its content, safely on every system."""
    stem = PurePosixPath(unquote(urlsplit(one.url).path) if "://" in one.url else one.url).stem
    plain = re.sub(r"[^\w-]+", "_", files.nfc(stem)).strip("_")[:LONGEST] or "picture"
    while len(plain.encode()) > 4 * LONGEST - 80:
        plain = plain[:-1]
    row = Row(file_name="", label=one.label)
    return "/".join(filter(None, (huggingface.folder_of(row), f"{plain}-{digest[:8]}{suffix}")))


def _describe(target: Path, stored: Iterable[Stored]) -> None:
    """Write ``metadata.jsonl``: a line per picture and label."""
    lines: dict[tuple[str, str | None], dict[str, str]] = {}
    for one in sorted(stored, key=lambda one: (one.file, one.label or "", one.source)):
        line = {"file_name": one.file, "label": one.label, "source": one.source}
        lines.setdefault((one.file, one.label), {k: v for k, v in line.items() if v is not None})
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines.values())
    files.write_text(target / "metadata.jsonl", text)
