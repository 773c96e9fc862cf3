"""Which pictures are worth a closer look, beside brute force."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from garim.copies import candidates
from garim.copies.candidates import Candidate
from garim.copies.fingerprints import SIDE, Fingerprint
from garim.copies.prints import Prints

COUNT, COPIED = 300, 100


def drawn() -> list[NDArray[np.uint8]]:
    """Draw thumbnails, and copies of the first ones: turned, mirrored, in part, brighter."""
    rng = np.random.default_rng(5)
    found = [_resized(rng.integers(0, 256, (6, 6), np.uint8)) for _ in range(COUNT)]
    for number in range(COPIED):
        one = found[number]
        changed = (np.rot90(one, 1 + number % 3), one[:, ::-1], one[1:29, 2:30], one // 2 + 60)
        found.append(_resized(np.ascontiguousarray(changed[number % 4])))
    return found


def _resized(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


def found_in(thumbnails: list[NDArray[np.uint8]]) -> dict[tuple[int, int, bool], Candidate]:
    prints = Prints(
        Fingerprint(f"{number:064d}", (64, 64), one, (9, 9, 9), 0.0)
        for number, one in enumerate(thumbnails)
    )
    found = candidates.candidates(prints, np.arange(len(thumbnails)))
    return {(min(c.whole, c.part), max(c.whole, c.part), c.window == candidates.WHOLE): c
            for c in found}  # fmt: skip


def by_brute_force(thumbnails: list[NDArray[np.uint8]]) -> dict[tuple[int, int], float]:
    """Correlate every picture with every other's eight turns; keep the best that each names."""
    small = [cv2.resize(one, (8, 8), interpolation=cv2.INTER_AREA) for one in thumbnails]
    exact = [np.asarray(one, np.float64).reshape(8, 4, 8, 4).mean((1, 3)) for one in thumbnails]
    assert np.abs(np.array(small) - np.array(exact)).max() <= 0.5  # both are means of the cells
    turns = [np.rot90(m, k).ravel() for one in exact for m in (one, one[:, ::-1]) for k in range(4)]
    count = len(thumbnails)
    table = np.corrcoef(np.array(turns), np.array([one.ravel() for one in exact]))
    alike = table[: 8 * count, 8 * count :].reshape(count, 8, count).max(axis=1)
    np.fill_diagonal(alike, -1)
    found = {}
    for number, row in enumerate(alike):
        for other in np.argsort(-row)[: candidates.NEAREST].tolist():
            if row[other] >= candidates.MIN_CORRELATION + 1e-3:
                found[min(number, other), max(number, other)] = float(row[other])
    return found


def test_as_a_whole_they_are_those_of_brute_force() -> None:
    thumbnails = drawn()
    found = {
        (a, b): one.correlation for (a, b, whole), one in found_in(thumbnails).items() if whole
    }
    wanted = by_brute_force(thumbnails)
    assert len(wanted) >= COPIED * 3 // 4
    for pair, correlation in wanted.items():
        assert found[pair] == pytest.approx(correlation, abs=2e-3)  # 16 bits


def test_lists_lose_few_and_add_none(monkeypatch: pytest.MonkeyPatch) -> None:
    thumbnails = drawn()
    wanted = found_in(thumbnails)
    monkeypatch.setattr(candidates, "_LIST", 80)  # 40 lists
    monkeypatch.setattr(candidates, "_BLOCK", 50)
    monkeypatch.setattr(candidates, "_SCORES", 1000)
    found = found_in(thumbnails)
    kept = found.keys() & wanted.keys()
    assert len(kept) >= 0.95 * len(wanted)
    copies = {(one, COUNT + one) for one in range(COPIED)}
    assert len({key[:2] for key in found} & copies) >= 0.97 * COPIED
    assert all(found[key].correlation <= wanted[key].correlation + 1e-3 for key in kept)


def test_in_a_crowd_everybody_names_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "_SCORES", 500)
    one = drawn()[0]
    found = found_in([one] * 60)
    assert {number for key in found for number in key[:2]} == set(range(60))
    for (_, _, whole), each in found.items():
        assert not whole or each.correlation == pytest.approx(1, abs=2e-3)
