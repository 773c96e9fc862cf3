"""The pages of an evaluation: figures with their intervals, calibration, mistakes, two models."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from garim import dataset
from garim.dataset import Dataset
from garim.evaluation import classification_report, comparison_report
from garim.models.calibration import Bin
from garim.report import comparison_report as comparison_page
from garim.report import evaluation_report
from garim.report.reliability import reliability_diagram

HOSTILE = "<script>alert(1)<b>"
CLASSES = (HOSTILE, "사과")
TARGETS = np.array([0, 0, 0, 1, 1, 1])


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    for label in CLASSES:
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(3):
            image = Image.new("RGB", (60, 40 + 10 * number), (80 * number, 90, 120))
            image.save(tmp_path / "data" / label / f"{number}.png")
    return dataset.read(tmp_path / "data")


def scores(*first: float) -> np.ndarray:
    return np.array([[one, 1 - one] for one in first], np.float32)


def names(data: Dataset) -> list[str]:
    return [row.file_name for row in data]


def safe(path: Path) -> str:
    html = path.read_text(encoding="utf-8")
    assert "<script" not in html
    assert not re.search(r"https?://(?!www\.w3\.org/)", html)
    return html


def test_an_evaluation(data: Dataset, tmp_path: Path) -> None:
    found = scores(0.9, 0.2, 0.8, 0.7, 0.1, 0.1)
    sides, splits = [40, 50, 60] * 2, ["train", "test"] * 3
    judged = classification_report(TARGETS, found, CLASSES, names(data), (), sides, splits)
    html = safe(evaluation_report(judged, data, tmp_path / "page"))
    for words in ("Calibration", "By size and split", "F1 from", "40 px", "train", "2 of 2 shown",
                  "사과 → &lt;script", "Confusion matrix", "that fits"):  # fmt: skip
        assert words in html, words
    low, high = judged.intervals.accuracy
    assert f"{low:.3f} to {high:.3f}" in html
    assert html.index('bad">0.80<') < html.index('bad">0.70<')  # the most certain first
    sheet = Image.open(tmp_path / "page" / "worst_mistakes.png")
    assert sheet.width > 400


def test_a_sheet_of_older_mistakes_goes(data: Dataset, tmp_path: Path) -> None:
    bad = classification_report(TARGETS, scores(0.1, *[0.9] * 5), CLASSES, names(data))
    good = classification_report(TARGETS, scores(1, 1, 1, 0, 0, 0), CLASSES, names(data))
    evaluation_report(bad, data, tmp_path / "page")
    html = safe(evaluation_report(good, data, tmp_path / "page"))
    assert "Worst mistakes" not in html and "By size" not in html
    assert not (tmp_path / "page" / "worst_mistakes.png").exists()


def test_many_classes_get_a_picture_of_their_confusion(data: Dataset, tmp_path: Path) -> None:
    classes = tuple(f"class {i}" for i in range(26))
    judged = classification_report(
        np.arange(26), np.eye(26, dtype=np.float32), classes, ["x.png"] * 26
    )
    html = safe(evaluation_report(judged, data, tmp_path))
    assert 'alt="Confusion matrix"' in html


def test_two_models_side_by_side(data: Dataset, tmp_path: Path) -> None:
    pair = scores(0.9, 0.9, 0.9, 0.1, 0.1, 0.1), scores(0.9, 0.2, 0.9, 0.8, 0.1, 0.1)
    judged = comparison_report(TARGETS, pair, CLASSES, names(data))
    html = safe(comparison_page(judged, data, tmp_path / "page"))
    for words in ("No clear winner", "p = 0.5", "Right where the other is wrong", "better",
                  "2 of 2 shown"):  # fmt: skip
        assert words in html, words
    assert Image.open(tmp_path / "page" / "differences.png").size
    same = comparison_report(TARGETS, (pair[0], pair[0]), CLASSES, names(data))
    assert "differently" not in safe(comparison_page(same, data, tmp_path / "page"))
    assert not (tmp_path / "page" / "differences.png").exists()


@pytest.mark.parametrize(
    ("swapped", "words"), [(False, "This model is"), (True, "The other model")]
)
def test_a_clear_winner_is_named(swapped: bool, words: str, data: Dataset, tmp_path: Path) -> None:
    targets = np.zeros(20, np.int64)
    pair = scores(*[0.9] * 20), scores(*[0.1] * 12, *[0.9] * 8)
    judged = comparison_report(targets, pair[::-1] if swapped else pair, CLASSES)
    assert words in safe(comparison_page(judged, data, tmp_path))


def test_the_reliability_diagram_shows_every_bin_that_has_pictures() -> None:
    bins = (
        Bin(low=0.4, high=0.5, pictures=0, confidence=0, accuracy=0),
        Bin(low=0.5, high=0.6, pictures=10, confidence=0.55, accuracy=0.8),
        Bin(low=0.9, high=1.0, pictures=40, confidence=0.98, accuracy=0.9),
    )
    drawn = reliability_diagram(bins, title="<A & B>")
    assert "&lt;A &amp; B&gt;" in drawn
    assert drawn.count("<g>") == 2 and drawn.count("<tr>") == 3
    assert 'height="240.0"' in drawn and 'height="270.0"' in drawn  # accuracies of 300 px
    assert 'class="s9" x="194.75" y="64.0"' in drawn  # right more often than it says
    assert 'class="s2" x="314.75" y="10.0"' in drawn  # right less often
    assert reliability_diagram((), title="none")


def test_a_notebook_shows_a_table_with_every_name_escaped(data: Dataset) -> None:
    html = classification_report(TARGETS, scores(*[0.9] * 6), CLASSES)._repr_html_()
    assert "accuracy 0.5000" in html and "<script" not in html and "macro average" in html
