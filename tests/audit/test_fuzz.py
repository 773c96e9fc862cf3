"""A thousand broken files: none stops the audit, and each is listed with its reason."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
from drawn import audited, photo

KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
SUFFIXES = (".jpg", ".png", ".webp", ".gif", ".bmp", ".tif")


def broken(data: bytes, rng: random.Random) -> bytes:
    """Cut, overwrite, insert, spoil the head, or take noise instead."""
    spoiled = bytearray(data)
    how = rng.randrange(5)
    if how == 0:
        return bytes(spoiled[: rng.randrange(len(spoiled))])
    if how == 1:
        at = rng.randrange(len(spoiled))
        spoiled[at:at] = rng.randbytes(rng.randrange(1, 200))
    elif how in {2, 3}:
        end = len(spoiled) if how == 2 else 64
        for _ in range(rng.randrange(1, 30)):
            spoiled[rng.randrange(end)] = rng.randrange(256)
    else:
        return rng.randbytes(rng.randrange(3000))
    return bytes(spoiled)


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    """Give small pictures in every kind of file."""
    saved = []
    for seed in range(4):
        for kind in KINDS:
            target = io.BytesIO()
            photo(seed, (64, 48)).save(target, kind)
            saved.append(target.getvalue())
    return saved


@pytest.mark.slow
def test_a_thousand_broken_files(files: list[bytes], tmp_path: Path) -> None:
    rng = random.Random(0)
    folder = tmp_path / "data" / "thing"
    folder.mkdir(parents=True)
    (folder / "sound.png").write_bytes(files[1])
    for number in range(1000):
        name = f"{number}{rng.choice(SUFFIXES)}"
        (folder / name).write_bytes(broken(rng.choice(files), rng))
    audit = audited(tmp_path / "data", skip=("label_errors", "outliers", "several_classes"))
    failed = {failure.picture: failure.error for failure in audit.failures}
    pictures = audit.pictures
    assert len(pictures) == 1001 and 300 < len(failed) < 1000
    assert all(failed.values()) and "thing/sound.png" not in failed
    assert set(pictures.filter(pictures["is_broken_issue"])["file_name"]) == set(failed)
    measured = pictures.filter(pictures["blurry_score"].is_not_nan())
    assert set(measured["file_name"]) == set(pictures["file_name"]) - set(failed)
