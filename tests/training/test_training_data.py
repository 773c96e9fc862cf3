from __future__ import annotations

import numpy as np
import pytest
from drawn_classes import draw, examples
from hypothesis import given, settings
from hypothesis import strategies as st

from garim.errors import DatasetError
from garim.training import data
from garim.training.augmentation import AUGMENTATIONS
from garim.training.batches import Order
from garim.training.data import (
    SquarePictures,
    check_classes,
    collect,
    fold_numbers,
    hold_out,
)

grouped = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=2, max_size=40)


@settings(max_examples=100, deadline=None)
@given(grouped, st.integers(0, 9), st.integers(2, 4))
def test_copies_are_never_torn_apart(rows: list[tuple[int, int]], seed: int, folds: int) -> None:
    targets, groups = [t for t, _ in rows], [g for _, g in rows]
    given_examples = examples(targets, groups)
    for parts in (hold_out(given_examples, 0.3, seed), fold_numbers(given_examples, folds, seed)):
        assert len(parts) == len(rows)
        for group in set(groups):
            assert len(set(parts[np.array(groups) == group].tolist())) == 1


def test_parts_are_stratified_and_seeded() -> None:
    given_examples = examples([0] * 40 + [1] * 20 + [2] * 10)
    targets = given_examples.targets
    held = hold_out(given_examples, 0.2, 0)
    assert np.bincount(targets[held]).tolist() == [8, 4, 2]
    folds = fold_numbers(given_examples, 5, 0)
    for fold in range(5):
        assert np.bincount(targets[folds == fold]).tolist() == [8, 4, 2]
    assert (held == hold_out(given_examples, 0.2, 0)).all()
    assert (folds == fold_numbers(given_examples, 5, 0)).all()
    assert (held != hold_out(given_examples, 0.2, 1)).any()
    assert (folds != fold_numbers(given_examples, 5, 1)).any()


def test_every_class_keeps_a_picture_to_train_on() -> None:
    held = hold_out(examples([0, 1, 1, 2, 2, 2]), 0.8, 0)
    assert set(examples([0, 1, 1, 2, 2, 2]).targets[~held]) == {0, 1, 2}


def test_every_fold_gets_pictures() -> None:
    assert set(fold_numbers(examples([0, 1, 2]), 3, 0)) == {0, 1, 2}


def test_unreadable_pictures_are_listed(tmp_path) -> None:
    found = draw(tmp_path, each=2)
    (tmp_path / "red" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n cut off")
    good, failures = collect(found, found.classes)
    assert len(good) == 5
    assert [f.picture for f in failures] == ["red/0.png"]


def test_one_class_is_too_few(tmp_path) -> None:
    good, _ = collect(draw(tmp_path, each=2).where(classes=["red"]), ["red"])
    with pytest.raises(DatasetError, match=r"at least two classes; there is only 'red'\. Put"):
        check_classes(good, ["red"], tmp_path)
    with pytest.raises(DatasetError, match="there is none"):
        check_classes(good.pick(np.zeros(2, bool)), ["red"], tmp_path)


def test_a_picture_changes_by_content_copy_and_seed_only(tmp_path) -> None:
    good, _ = collect(draw(tmp_path, each=3), ("blue", "green", "red"))
    light = AUGMENTATIONS["light"]
    whole = SquarePictures(good, 16, light, 4, seed=1)
    part = SquarePictures(good.pick(np.arange(9) == 5), 16, light, 4, seed=1)
    assert (part.picture(0, 2) == whole.picture(5, 2)).all()
    assert (whole.picture(5, 1) != whole.picture(5, 2)).any()
    assert (SquarePictures(good, 16, light, 4, seed=2).picture(5, 2) != whole.picture(5, 2)).any()


def test_batches_are_the_single_pictures(tmp_path) -> None:
    good, _ = collect(draw(tmp_path, each=2), ("blue", "green", "red"))
    whole = SquarePictures(good, 16, AUGMENTATIONS["light"], 4, seed=1)
    numbers = [6 * 9 + 4, 6 * 9 + 1]  # pictures 4 and 1 in epoch 9: copy 1
    inputs, targets, index = whole.__getitems__(numbers)
    assert inputs.shape == (2, 16, 16, 3)
    for row, number in enumerate(numbers):
        picture, target, place = whole[number]
        assert place == index[row] == number % 6
        assert (picture == inputs[row]).all()
        assert (picture.numpy() == whole.picture(number % 6, 1)).all()
        assert target == targets[row] == good.targets[number % 6]


@pytest.mark.parametrize("memory", [0, 2**30])
def test_a_picture_that_breaks_meanwhile_does_not_end_the_run(
    memory, tmp_path, monkeypatch
) -> None:
    good, _ = collect(draw(tmp_path, each=2), ("blue", "green", "red"))
    good.paths[3].write_bytes(b"broken")
    monkeypatch.setattr(data, "IN_MEMORY", memory)
    pictures = SquarePictures(good, 16, AUGMENTATIONS["none"], 1, seed=0)
    assert pictures.in_memory == bool(memory)
    assert (pictures.picture(3, 0) == 127).all()


def test_the_order_is_that_of_seed_and_epoch() -> None:
    order, again = Order(20, seed=3), Order(20, seed=3)
    first = list(order)
    assert sorted(first) == list(range(20))
    order.epoch = again.epoch = 7
    assert list(order) == list(again)
    assert sorted(order) == list(range(140, 160))
    assert [n - 140 for n in order] != first
    assert list(Order(4, None)) == [0, 1, 2, 3]
