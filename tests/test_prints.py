"""Columns of fingerprints and of looks give back what was put in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from garim.audit.look import look
from garim.audit.looks import MEASURES, Looks
from garim.copies import Fingerprint, Prints, fingerprint, prints


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    rng, paths = np.random.default_rng(0), []
    for number in range(9):
        low, high = (0, 256) if number % 4 else (100, 101)  # every fourth is of one tone
        values = rng.integers(low, high, (40 + number, 50, 3), dtype=np.uint8)
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(values).save(paths[-1])
    return paths


def same(one: Fingerprint | None, other: Fingerprint | None) -> bool:
    if one is None or other is None:
        return one is other
    plain = [replace(each, thumbnail=np.zeros(0, np.uint8)) for each in (one, other)]
    return (
        repr(plain[0]) == repr(plain[1]) and (one.thumbnail == other.thumbnail).all()
    )  # fmt: skip


@pytest.mark.parametrize("in_memory", [1 << 20, 1500])
def test_prints_are_given_back(
    pictures: list[Path], in_memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prints, "IN_MEMORY", in_memory)  # 1,500 bytes: the second is on disk
    given = [None, *map(fingerprint, pictures), None]
    kept = Prints(given)
    assert len(kept) == len(given)
    assert all(same(a, b) for a, b in zip(kept, given, strict=True))
    assert kept.opened.tolist() == [one is not None for one in given]
    assert kept.flat.tolist() == [one is not None and one.is_flat for one in given]
    assert [name.decode() for name in kept.digests] == [one.digest if one else "" for one in given]
    chosen = np.array([7, 1, 2, 3, 9])
    wanted = [given[i].thumbnail.ravel() for i in chosen]  # type: ignore[union-attr]
    assert (kept.thumbnails(chosen) == np.stack(wanted)).all()


def test_none_at_all() -> None:
    kept = Prints()
    assert (len(kept), len(kept.opened), kept.sizes.shape) == (0, 0, (0, 2))
    assert kept.thumbnails(np.array([], np.int64)).shape == (0, 1024)


def test_looks_are_given_back(pictures: list[Path]) -> None:
    given = [look(pictures[0]), None, look(pictures[1])]
    kept = Looks(given)
    for one, other in zip(kept, given, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert same(one.fingerprint, other.fingerprint)
            assert (one.mode, type(one.bytes)) == (other.mode, int)
            assert all(getattr(one, m) == getattr(other, m) for m in MEASURES)
    assert np.isnan(kept.measure("sharpness")).tolist() == [False, True, False]
