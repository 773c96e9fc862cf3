"""``garim cutout``: objects without their background, or with another one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from garim import files, pictures
from garim.errors import Failure, PictureError
from garim.foreground.backgrounds import Background, background_of
from garim.foreground.colours import foreground_colours
from garim.foreground.contours import HALF
from garim.foreground.mattes import METHODS, foreground
from garim.foreground.settings import CutoutSettings, ForegroundSettings
from garim.given import Source, given_pictures
from garim.growing import claimed
from garim.streaming import stream, track

RECORD = "cutout.json"
"""File in the folder of cutouts that says how they were made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutouts:
    """What was cut out."""

    to: Path
    written: tuple[Path, ...]
    kept: int
    """Cutouts that an earlier run has made."""
    failures: tuple[Failure, ...]
    """Pictures that cannot be opened or saved, or that no foreground was found in."""
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Give the result as it stands in ``--json``."""
        return {
            "pictures": len(self.written) + self.kept + len(self.failures),
            "written": len(self.written),
            "kept": self.kept,
            "to": str(self.to),
            "seconds": round(self.seconds, 2),
            "failed": [one.to_dict() for one in self.failures],
        }


def cutout(
    given: Source | Sequence[Source],
    out: Path | str,
    settings: CutoutSettings | None = None,
    how: ForegroundSettings | None = None,
) -> Cutouts:
    """Cut the objects of pictures out, and save each with its new background.

    The pictures stay as they are. Colours at soft edges are the object's own
    (`garim.foreground.colours`). Run again after an interruption, what is done is kept.

    Args:
        given: pictures, folders, other datasets, or several of them.
        out: folder for the cutouts: new, empty, or that of an earlier run with equal settings.
        settings: background and file format.
        how: how the foreground is found.

    Raises:
        SettingsError: settings that cannot work.
        DatasetError: no pictures, or ``out`` holds something else.
        ModelError: weights that cannot be used.
    """
    started = time.perf_counter()
    chosen, how = settings or CutoutSettings(), how or ForegroundSettings()
    chosen.check()
    how.check(tuple(METHODS))
    background = background_of(chosen)
    found = given_pictures(given, "cut out")
    failures = list(found.failures)
    target = Path(out)
    named = _named(list(found.names.items()), target, "." + chosen.format)

    def make(pair: tuple[Path, Path]) -> Path:
        return _make(*pair, background, how)

    written = []
    with claimed(target, RECORD, _noted(chosen, how)):
        todo = [(source, to) for source, to in named if not _is_done(source, to)]
        for (source, _), result in track(stream(make, todo), "Cutting out", len(todo)):
            if isinstance(result, PictureError):
                failures.append(Failure(str(source), result.reason))
            else:
                written.append(result)
    return Cutouts(
        to=target, written=tuple(written), kept=len(named) - len(todo), failures=tuple(failures),
        seconds=time.perf_counter() - started,
    )  # fmt: skip


def _make(source: Path, to: Path, background: Background, how: ForegroundSettings) -> Path:
    opened = pictures.open_picture(source).image
    pixels = pictures.to_array(opened)
    alpha = foreground(pixels, how)
    if not (alpha > HALF).any():
        raise PictureError(source, "nothing stands out from its background; try another --method")
    image = background(pixels, foreground_colours(pixels, alpha), alpha)
    if profile := opened.info.get("icc_profile"):
        image.info["icc_profile"] = profile
    pictures.save(image, to)
    return to


def _named(
    sources: Sequence[tuple[Path, Path]], target: Path, suffix: str
) -> list[tuple[Path, Path]]:
    """Give each picture a file of its own: equal stems keep their suffix, equal names a number."""
    stems = Counter(name.with_suffix("") for _, name in sources)
    taken: Counter[Path] = Counter()
    result = []
    for source, name in sources:
        stem = name.with_suffix("") if stems[name.with_suffix("")] == 1 else name
        taken[stem] += 1
        number = f"-{taken[stem]}" if taken[stem] > 1 else ""
        result.append((source, target / stem.with_name(stem.name + number + suffix)))
    return result


def _is_done(source: Path, to: Path) -> bool:
    return to.exists() and source.exists() and to.stat().st_mtime >= source.stat().st_mtime


def _noted(settings: CutoutSettings, how: ForegroundSettings) -> dict[str, Any]:
    """Say what cutouts are made with."""
    noted: dict[str, Any] = {"background": settings.background, "format": settings.format,
             "blur": settings.blur, "foreground": asdict(how)}  # fmt: skip
    for name, path in (("picture", Path(settings.background)), ("weights", how.weights)):
        if path is not None and path.is_file():
            noted[name] = files.digest(path)
    return noted
