from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import confusion_matrix, jaccard_score
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_jaccard_index

from garim import dataset
from garim.dataset import Dataset
from garim.errors import DatasetError
from garim.evaluation.segmentation import boundary_f, class_ious, confusion, judge_masks
from garim.training.masks import VOID

NAMES = ("nothing", "red", "blue")


def draw(root: Path, *, count: int) -> Dataset:
    """Draw squares on black, at odd sizes, with a void line on top of each mask."""
    rng = np.random.default_rng(0)
    for number in range(count):
        mask = np.zeros((49 + number % 3, 61), np.uint8)
        for value in (1, 2):
            y, x = rng.integers(0, 26, 2)
            mask[y : y + 22, x : x + 22] = value
        mask[:1] = VOID
        save(np.stack([mask] * 3, axis=2), root / "test" / "images" / f"{number}.png")
        save(mask, root / "test" / "masks" / f"{number}.png")
    (root / "classes.txt").write_text("".join(f"{name}\n" for name in NAMES))
    return dataset.read(root)


def save(values: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def masks(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, (37, 53)).astype(np.uint8)
    predicted = np.where(rng.random(truth.shape) < 0.6, truth, rng.integers(0, 4, truth.shape))
    truth[rng.random(truth.shape) < 0.1] = VOID
    return truth, predicted.astype(np.uint8)


@pytest.mark.parametrize("seed", range(3))
def test_figures_are_those_of_scikit_learn_and_torchmetrics(seed: int) -> None:
    truth, predicted = masks(seed)
    matrix = confusion(truth, predicted, 4)
    judged = truth != VOID
    assert np.array_equal(matrix, confusion_matrix(truth[judged], predicted[judged]))
    right = jaccard_score(truth[judged], predicted[judged], average=None)
    assert class_ious(matrix) == pytest.approx(right)
    tensors = torch.from_numpy(predicted), torch.from_numpy(truth)
    theirs = multiclass_jaccard_index(*tensors, 4, ignore_index=VOID)
    assert class_ious(matrix).mean() == pytest.approx(float(theirs))
    accuracy = multiclass_accuracy(*tensors, 4, average="micro", ignore_index=VOID)
    assert np.trace(matrix) / matrix.sum() == pytest.approx(float(accuracy))


def test_a_class_that_is_nowhere_is_left_out() -> None:
    matrix = confusion(np.zeros((2, 2), np.uint8), np.array([[0, 0], [0, 1]], np.uint8), 3)
    assert class_ious(matrix).tolist()[:2] == [0.75, 0.0]
    assert np.isnan(class_ious(matrix)[2])


def square(left: int, side: int = 40) -> np.ndarray:
    mask = np.zeros((100, 100), np.uint8)
    mask[30 : 30 + side, left : left + side] = 1
    return mask


def test_boundary_f() -> None:
    assert boundary_f(square(20), square(20), 1) == 1
    assert boundary_f(square(20), square(21), 1) == 1  # within the tolerance
    assert 0.3 < (boundary_f(square(20), square(25), 1) or 0) < 0.7  # two sides still lie right
    assert boundary_f(square(20), np.zeros((100, 100), np.uint8), 1) == 0
    assert boundary_f(square(20), square(20), 2) is None
    half = square(20)
    half[:, 50:] = VOID
    wrong_in_void = square(20)
    wrong_in_void[:, 55:] = 1
    assert boundary_f(half, wrong_in_void, 1) == 1


def test_a_perfect_and_an_empty_prediction(tmp_path: Path) -> None:
    data = draw(tmp_path / "data", count=3)
    truths = iter([data.root / str(row.mask_file_name) for row in data.rows])

    def perfect(picture: np.ndarray) -> np.ndarray:
        values = np.array(Image.open(next(truths)))
        return np.where(values == VOID, 0, values).astype(np.uint8)

    report = judge_masks(perfect, data, NAMES)
    found = report.to_dict()
    assert (found["miou"], found["pixel_accuracy"], found["boundary_f"]) == (1, 1, 1)
    assert {n: row["iou"] for n, row in found["per_class"].items()} == dict.fromkeys(NAMES, 1.0)
    nothing = judge_masks(lambda p: np.zeros(p.shape[:2], np.uint8), data, NAMES)
    largest = nothing.to_dict()["largest_class_baseline"]
    assert nothing.pixel_accuracy == pytest.approx(largest, abs=1e-4)
    assert nothing.miou == pytest.approx(nothing.pixel_accuracy / 3)
    assert [one.miou for one in nothing.judged] == sorted(one.miou for one in nothing.judged)


def test_what_cannot_be_judged_is_listed(tmp_path: Path) -> None:
    data_folder = tmp_path / "data"
    draw(data_folder, count=5)
    test = data_folder / "test"
    (test / "masks" / "0.png").unlink()
    save(np.zeros((9, 9), np.uint8), test / "masks" / "1.png")
    (test / "images" / "2.png").write_bytes(b"broken")
    save(np.full((49, 61), 77, np.uint8), test / "masks" / "3.png")
    data = dataset.read(data_folder).where(split=["test"])
    report = judge_masks(lambda p: np.zeros(p.shape[:2], np.uint8), data, NAMES)
    failed = {one.picture: one.error for one in report.failures}
    assert len(report.judged) == 1
    assert failed["test/images/0.png"] == "has no mask"
    assert "9 × 9 pixels" in failed["test/images/1.png"]
    assert "cannot be opened" in failed["test/images/2.png"]
    assert "the value 77" in failed["test/images/3.png"]


def test_classes_in_another_order_are_refused(tmp_path: Path) -> None:
    data = draw(tmp_path / "data", count=1)
    with pytest.raises(DatasetError, match="masks count nothing, red, blue; the model blue, red"):
        judge_masks(lambda p: np.zeros(p.shape[:2], np.uint8), data, ("blue", "red", "nothing"))
