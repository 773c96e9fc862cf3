"""Rounds of windows, with an oracle in place of a network."""

import numpy as np
import pytest
from oracles import SIDE, Oracle, picture, redness
from PIL import Image

from garim.boxes import Box
from garim.extraction.methods import Proposal, Scorer, Task, task
from garim.extraction.scoring import scored
from garim.extraction.self_extraction import SelfExtraction, document, sliding_windows
from garim.extraction.settings import ExtractSettings
from garim.extraction.windows import windows
from garim.models.classifier import Scores
from garim.pictures import Decoded, Pixels, to_array

FINE = ExtractSettings(method="windows", grid=9, kernel=8, rounds=40)
SQUARES = [(400, 300, 220, 90, 80), (300, 300, 20, 30, 60), (200, 350, 100, 250, 70)]


def looked(
    method: SelfExtraction, image: Image.Image, label: int = 1, scorer: Scorer = redness
) -> Task[Pixels]:
    return task(method, Decoded(image, image.size), label, scorer)


def searched(
    method: SelfExtraction, image: Image.Image, label: int = 1, scorer: Scorer = redness
) -> Proposal:
    (found,) = method([looked(method, image, label, scorer)])
    return found


@pytest.mark.parametrize("square", SQUARES)
def test_rounds_converge_on_the_square(square: tuple[int, int, int, int, int]) -> None:
    _, _, left, top, side = square
    found = searched(sliding_windows(Oracle(), FINE), picture(*square))
    box = found.box
    assert box is not None and found.changed
    cell_x, cell_y = box.width / 9, box.height / 9
    for slack, cell in ((left - box.left, cell_x), (box.right - left - side, cell_x),
                        (top - box.top, cell_y), (box.bottom - top - side, cell_y)):  # fmt: skip
        assert -1 <= slack <= cell + 2 * box.width / SIDE
    assert found.score_after > 0.75 > found.score_before


def test_it_stops_when_nothing_changes() -> None:
    found = searched(sliding_windows(Oracle(), FINE), picture(*SQUARES[0]))
    changes = [one.changed for one in found.history]
    assert len(changes) < FINE.rounds
    assert changes == [True] * (len(changes) - 1) + [False]
    assert [one.round for one in found.history] == list(range(1, len(changes) + 1))
    scores = [one.score for one in found.history]
    assert scores == sorted(scores)
    assert found.history[-1].box == found.box
    assert found.history[-1].score == found.score_after


def test_rounds_are_bounded() -> None:
    one = ExtractSettings(method="windows", grid=9, kernel=8, rounds=2)
    found = searched(sliding_windows(Oracle(), one), picture(*SQUARES[0]))
    assert len(found.history) == 2


def test_no_crop_is_right() -> None:
    found = searched(sliding_windows(Oracle(), FINE), picture(90, 90, 9, 9, 0))
    assert (found.box, found.changed, found.history[0].box) == (None, False, None)
    assert "neither the picture nor any part" in found.reason


def test_pictures_that_score_enough_are_left_alone() -> None:
    image = picture(100, 100, 10, 10, 80)
    assert redness(to_array(image.resize((SIDE, SIDE)))[None])[0, 1] > 0.8
    settings = ExtractSettings(method="windows", skip_above=0.8)
    found = searched(sliding_windows(Oracle(), settings), image)
    assert (found.changed, found.history, found.box) == (False, (), Box.whole(100, 100))
    assert "well enough" in found.reason


def test_a_picture_that_is_predicted_wrong_is_never_left_alone() -> None:
    """The document asks for the right class as well as for the score."""

    def unsure(batch: Pixels) -> Scores:
        return np.tile(np.array([[0.6, 0.4]], np.float32), (len(batch), 1))

    settings = ExtractSettings(method="windows", skip_above=0.3)
    found = searched(sliding_windows(Oracle(), settings), picture(*SQUARES[0]), scorer=unsure)
    assert len(found.history) == 1
    assert found.box is None


@pytest.mark.parametrize("method", [sliding_windows, document])
def test_later_rounds_cut_from_the_original(method) -> None:
    image, seen = picture(*SQUARES[0]), []

    def watched(batch: Pixels) -> Scores:
        seen.append(batch)
        return redness(batch)

    settings = ExtractSettings(method="windows", rounds=2)
    found = searched(method(Oracle(), settings), image, scorer=watched)
    extent = found.history[0].box
    assert extent is not None
    if method is sliding_windows:
        expected = [Decoded(image, image.size).crop(box, (SIDE, SIDE))
                    for box in windows(extent, 9, 5)]  # fmt: skip
    else:
        part = image.crop(tuple(int(v) for v in extent.xyxy()))
        w, h = part.width // 9, part.height // 9
        expected = [part.crop((w * x, h * y, w * x + 5 * w, h * y + 5 * h)).resize((SIDE, SIDE))
                    for y in range(5) for x in range(5)]  # fmt: skip
    assert all((a == to_array(b)).all() for a, b in zip(seen[2], expected, strict=False))


@pytest.mark.parametrize("method", [sliding_windows, document])
def test_together_as_one_by_one(method) -> None:
    settings = ExtractSettings(method="windows", rounds=4)
    run = method(Oracle(), settings)
    tasks = [looked(run, picture(*square)) for square in SQUARES]
    tasks += [looked(run, picture(120, 90, 5, 5, 0)), looked(run, picture(*SQUARES[0]), label=0)]
    assert run(tasks) == [run([one])[0] for one in tasks]


def test_tasks_of_one_scorer_share_calls_and_others_are_not_mixed() -> None:
    first, second = Oracle("a"), Oracle("b")
    owners = [first, second, first, first]
    plain = sliding_windows(Oracle(), FINE)
    tasks = [
        looked(plain, picture(60, 60, i, i, 20), scorer=o.scores) for i, o in enumerate(owners)
    ]
    batches = [np.full((n, 4, 4, 3), n, np.uint8) for n in (2, 1, 3, 4)]
    result = scored(tasks, batches)
    assert (first.seen, second.seen) == ([9], [1])
    assert [len(one) for one in result] == [2, 1, 3, 4]


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (5, 90), (9, 12), (17, 17)])
@pytest.mark.parametrize("kernel", [1, 5])
@pytest.mark.parametrize("method", [sliding_windows, document])
def test_tiny_pictures(size: tuple[int, int], kernel: int, method) -> None:
    settings = ExtractSettings(method="windows", kernel=kernel)
    searching = method(Oracle(), settings)
    found = searching([
        looked(searching, Image.new("RGB", size, (230, 20, 20)), label=1),
        looked(searching, Image.new("RGB", (30, 30)), label=0),
    ])  # fmt: skip
    assert len(found) == 2
