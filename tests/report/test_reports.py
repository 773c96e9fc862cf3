"""The pages that the verbs leave, with names that try to break out of them."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from garim import dataset, report
from garim.boxes import Box
from garim.dataset import Dataset
from garim.errors import Failure
from garim.evaluation.classification import classification_report
from garim.evaluation.localization import localization_report
from garim.formats.rows import Object
from garim.models.classifier import Card, Classifier
from garim.models.networks import create
from garim.plan import Edit, Plan, Round
from garim.training import TrainSettings
from garim.training.settings import resolve
from garim.training.train import Trained

HOSTILE = "<script>alert(1)<b>"
CLASSES = (HOSTILE, "사과")


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.sources += [v or "" for k, v in attrs if k in {"src", "href"}]


def read(path: Path) -> str:
    """Read a page, once it is known to need nothing else and to hold no foreign tag."""
    html = path.read_text()
    tags = Tags()
    tags.feed(html)
    assert all(one.startswith(("data:", "#")) for one in tags.sources)
    assert not re.search(r"https?://(?!www\.w3\.org/)", html)
    assert "script>alert" not in html
    return html


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    for label in CLASSES:
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(3):
            image = Image.new("RGB", (60, 40), (40 * number, 90, 120))
            image.save(tmp_path / "data" / label / f"{number}.png")
    return dataset.read(tmp_path / "data")


def plan_of(data: Dataset) -> Plan:
    first, second, third, *rest = data.rows
    story = (Round(round=1, box=Box(5, 5, 25, 25), score=0.9, predicted=HOSTILE, changed=True),)
    common: dict[str, Any] = {"label": HOSTILE, "size": (60, 40), "reason": HOSTILE}
    return Plan(dataset=data.root, method="self", edits=(
        Edit(picture=first.file_name, edit="crop", box=Box(5, 5, 25, 25), score_before=0.2,
             score_after=0.9, history=story, **common),
        Edit(picture=second.file_name, edit="keep", score_before=0.2, **common),
        Edit(picture=third.file_name, edit="keep", score_before=0.7, score_after=0.7, **common),
        Edit(picture=f"{HOSTILE}/gone.png", edit="crop", box=Box(0, 0, 9, 9), score_after=0.5,
             **common),
        Edit(picture=rest[0].file_name, edit="keep", label="사과", error=f"broken {HOSTILE}"),
        Edit(picture=rest[1].file_name, edit="crop", label="사과", box=Box(90, 90, 99, 99),
             score_after=0.1),
        Edit(picture=rest[2].file_name, edit="crop", label="사과", box=Box(9, 9, 9, 9),
             score_after=0.1),
    ))  # fmt: skip


def test_extraction(data: Dataset, tmp_path: Path) -> None:
    html = read(report.extraction_report(plan_of(data), data, tmp_path / "new" / "plan.html"))
    for words in ("Proposed crops", "Label not found", "Left as they are", "Could not be used",
                  "0.20 → 0.90", "seen as", "사과", "broken &lt;script&gt;"):  # fmt: skip
        assert words in html, words


def test_an_empty_plan(data: Dataset, tmp_path: Path) -> None:
    html = read(
        report.extraction_report(Plan(dataset=data.root, edits=()), data, tmp_path / "p.html")
    )
    assert "Could not be used" not in html


def test_evaluation(data: Dataset, tmp_path: Path) -> None:
    names = [row.file_name for row in data]
    scores = np.tile(np.array([[0.8, 0.2]], np.float32), (6, 1))
    failures = [Failure(f"{HOSTILE}.png", "cannot be opened")]
    targets = np.array([0, 0, 0, 1, 1, 1])
    judged = classification_report(targets, scores, CLASSES, names, failures)
    html = read(report.evaluation_report(judged, data, tmp_path / "page"))
    assert Image.open(tmp_path / "page" / "confusion_matrix.png").size
    for words in ("Worst mistakes", "3 of 3 shown", "Could not be used", "cannot be opened"):
        assert words in html


def test_evaluation_without_mistakes(data: Dataset, tmp_path: Path) -> None:
    judged = classification_report(
        np.array([0, 1]), np.eye(2, dtype=np.float32), CLASSES, ["a", "b"]
    )
    html = read(report.evaluation_report(judged, data, tmp_path / "page"))
    assert "Worst mistakes" not in html


def test_localization(data: Dataset, tmp_path: Path) -> None:
    plan = plan_of(data)
    truth = [(e.picture, Object(e.label or "", Box(5, 5, 30, 30))) for e in plan if not e.error]
    judged = localization_report([(e.picture, e.label or "", e.box) for e in plan], truth)
    html = read(report.localization_page(judged, plan, data, tmp_path / "loc.html"))
    assert "IoU 0.64" in html and "6 boxes judged" in html


def test_training(data: Dataset, tmp_path: Path) -> None:
    card = Card(architecture="small_cnn", classes=CLASSES, size=32, mean=(0.5,) * 3,
                std=(0.5,) * 3, metrics={"validation_accuracy": 0.75})  # fmt: skip
    trained = Trained(
        classifier=Classifier(create("small_cnn", 2, {"width": 8}), card), folder=tmp_path,
        recipe=resolve(TrainSettings(backbone="small_cnn")), seconds=3.2, pictures=5,
        failures=(Failure(f"{HOSTILE}.png", "is cut off"),), notes=(f"few of {HOSTILE}",),
    )  # fmt: skip
    html = read(report.training_report(trained, data, tmp_path))
    for words in ("Validation accuracy", "is cut off", "few of &lt;script&gt;", "learning_rate"):
        assert words in html
    assert "Curves" not in html
    (tmp_path / "curves").mkdir()
    (tmp_path / "curves" / "metrics.csv").write_text(
        "epoch,train_loss,val_loss\n0,1.0,\n0,,1.1\n1,0.5,\n1,,0.7\n"
    )
    assert "Curves" in read(report.training_report(trained, data, tmp_path))


def test_the_sheet_of_a_dataset(data: Dataset) -> None:
    rows = [replace(r, objects=(Object(r.label or "", Box(0, 0, 30, 30)),)) for r in data]
    boxed = replace(data, rows=tuple(rows))
    plain = report.dataset_sheet(boxed, columns=3, cell=50, boxes=False)
    drawn = report.dataset_sheet(boxed, columns=3, cell=50, boxes=True)
    assert plain.image.size == drawn.image.size == (150, 100)
    assert plain.image.tobytes() != drawn.image.tobytes()
