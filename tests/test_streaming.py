from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import pytest

from garim.errors import PictureError
from garim.streaming import (
    chunks,
    default_workers,
    hidden_progress,
    revealed_progress,
    showing_progress,
    steps,
    stream,
    track,
)


def test_results_come_in_the_order_of_the_items() -> None:
    def slow_at_first(number: int) -> int:
        time.sleep(0.02 if number % 4 == 0 else 0)
        return number * number

    assert list(stream(slow_at_first, range(40), 4)) == [(n, n * n) for n in range(40)]
    assert list(stream(str, [])) == []
    assert default_workers() >= 1


def test_looks_ahead_no_further_than_four_items_per_worker() -> None:
    taken = [0]

    def counted() -> Iterator[int]:
        for number in itertools.count():
            taken[0] += 1
            yield number

    results = stream(lambda number: number, counted(), 3)
    for number in range(50):
        assert next(results) == (number, number)
        assert taken[0] <= number + 4 * 3
    results.close()  # type: ignore[attr-defined]


def test_works_at_once_in_several_threads() -> None:
    meeting = threading.Barrier(3, timeout=10)
    assert [result for _, result in stream(lambda _: meeting.wait() >= 0, range(6), 3)] == [
        True
    ] * 6


def test_a_broken_picture_is_a_result() -> None:
    def opened(name: str) -> str:
        if name == "b":
            raise PictureError(name, "broken")
        return name.upper()

    (_, first), (_, second), (_, third) = stream(opened, "abc", 2)
    assert (first, third) == ("A", "C")
    assert isinstance(second, PictureError) and second.reason == "broken"


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt(), MemoryError()])
def test_every_other_error_ends_the_run(error: BaseException) -> None:
    def failing(number: int) -> int:
        if number == 3:
            raise error
        return number

    seen = []
    with pytest.raises(type(error)):
        for number, _ in stream(failing, range(1000), 2):
            seen.append(number)
    assert seen == [0, 1, 2]
    _no_thread_is_left()


def test_an_error_of_the_items_ends_the_run() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(stream(str, items(), 2))
    _no_thread_is_left()


def test_closed_early_it_starts_nothing_more() -> None:
    started: list[int] = []

    def work(number: int) -> int:
        started.append(number)
        time.sleep(0.005)
        return number

    results = stream(work, itertools.count(), 2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    _no_thread_is_left()
    count = len(started)
    assert count <= 8 + 1
    time.sleep(0.03)
    assert len(started) == count


def _no_thread_is_left() -> None:
    assert [one.name for one in threading.enumerate() if one.name.startswith("garim")] == []


def test_chunks_cut_in_order() -> None:
    assert list(chunks(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(chunks([], 3)) == []


def test_progress_is_silent_unless_it_is_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> list[int]:
        with steps("stepping", 3) as step:
            step(2)
        return [n for n, _ in track(stream(str, range(5)), "working", 5)]

    assert work() == list(range(5))
    with showing_progress(False):
        work()
    assert capfd.readouterr() == ("", "")


def test_progress_goes_to_standard_error(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with showing_progress(), showing_progress():
        for _ in track(range(5), "그림 세기", 5):
            time.sleep(0.03)
    out, err = capfd.readouterr()
    assert out == ""
    assert "그림 세기" in err and "/5" in err
    list(track(range(5), "after", 5))
    assert capfd.readouterr() == ("", "")


def test_progress_of_a_part_is_hidden_unless_it_is_revealed(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with showing_progress(), hidden_progress(), hidden_progress():
        for _ in track(range(3), "a part", 3):
            time.sleep(0.03)
        with revealed_progress():
            for _ in track(range(5), "frames", 5):
                time.sleep(0.03)
    err = capfd.readouterr().err
    assert "frames" in err and "a part" not in err
    with revealed_progress():
        list(track(range(5), "frames", 5))
    assert capfd.readouterr() == ("", "")
