"""The pages that the verbs leave, with names that try to break out of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from weakref import ref

import numpy as np
import pytest
from PIL import Image

import garim
from garim import dataset
from garim.boxes import Box
from garim.dataset import Dataset
from garim.errors import Failure
from garim.evaluation.classification import classification_report
from garim.evaluation.localization import localization_report
from garim.formats.rows import Object
from garim.models.classifier import Card, Classifier
from garim.models.networks import create
from garim.plan import Edit, Plan, Round, Subject
from garim.plan import load as load_plan
from garim.plan.decisions import Decisions
from garim.plan.reading import proposals
from garim.report import (
    dataset_sheet,
    evaluation_report,
    localization_page,
    plan_report,
    training_report,
)
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
    html = read(plan_report(plan_of(data), data, tmp_path / "new" / "plan.html"))
    for words in ("Proposed crops", "Object not found", "Left as they are", "Could not be used",
                  "0.20 → 0.90", "seen as", "사과", "broken &lt;script&gt;"):  # fmt: skip
        assert words in html, words


def test_an_empty_plan(data: Dataset, tmp_path: Path) -> None:
    html = read(plan_report(Plan(dataset=data.root, edits=()), data, tmp_path / "p.html"))
    assert "Could not be used" not in html


def test_evaluation(data: Dataset, tmp_path: Path) -> None:
    names = [row.file_name for row in data]
    scores = np.tile(np.array([[0.8, 0.2]], np.float32), (6, 1))
    failures = [Failure(f"{HOSTILE}.png", "cannot be opened")]
    targets = np.array([0, 0, 0, 1, 1, 1])
    judged = classification_report(targets, scores, CLASSES, names, failures)
    html = read(evaluation_report(judged, data, tmp_path / "page"))
    assert Image.open(tmp_path / "page" / "confusion_matrix.png").size
    for words in ("Worst mistakes", "3 of 3 shown", "Could not be used", "cannot be opened"):
        assert words in html


def test_evaluation_without_mistakes(data: Dataset, tmp_path: Path) -> None:
    judged = classification_report(
        np.array([0, 1]), np.eye(2, dtype=np.float32), CLASSES, ["a", "b"]
    )
    html = read(evaluation_report(judged, data, tmp_path / "page"))
    assert "Worst mistakes" not in html


def test_localization(data: Dataset, tmp_path: Path) -> None:
    plan = plan_of(data)
    truth = [(e.picture, Object(e.label or "", Box(5, 5, 30, 30))) for e in plan if not e.error]
    judged = localization_report([(e.picture, e.label or "", e.box) for e in plan], truth)
    html = read(localization_page(judged, plan, data, tmp_path / "loc.html"))
    assert "IoU 0.64" in html and "6 boxes judged" in html


def trained_on(data: Dataset, folder: Path) -> Trained:
    card = Card(architecture="small_cnn", classes=CLASSES, size=32, mean=(0.5,) * 3,
                std=(0.5,) * 3, metrics={"validation_accuracy": 0.75})  # fmt: skip
    model = Classifier(create("small_cnn", 2, {"width": 8}), card)
    model.save(folder)
    return Trained(
        classifier=model, folder=folder,
        recipe=resolve(TrainSettings(backbone="small_cnn")), seconds=3.2, pictures=5,
        failures=(Failure(f"{HOSTILE}.png", "is cut off"),), notes=(f"few of {HOSTILE}",),
    )  # fmt: skip


def test_training(data: Dataset, tmp_path: Path) -> None:
    run = tmp_path / "run"
    html = read(training_report(trained_on(data, run), data, run))
    for words in ("Validation accuracy", "is cut off", "few of &lt;script&gt;", "learning_rate",
                  "3 seconds", "Pictures per class"):  # fmt: skip
        assert words in html
    assert "Curves" not in html and "Evaluation" not in html


def test_the_page_of_a_run_is_made_from_its_folder(data: Dataset, tmp_path: Path) -> None:
    run = tmp_path / "run"
    first = read(training_report(trained_on(data, run), data, run))
    assert read(garim.report(run, tmp_path / "again.html").page) == first
    (run / "curves").mkdir()
    (run / "curves" / "metrics.csv").write_text(
        "epoch,train_loss,val_loss,val_miou\n0,1.0,,\n0,,1.1,.2\n1,0.5,,\n1,,0.7,.3\n"
    )
    scores = np.tile(np.array([[0.8, 0.2]], np.float32), (6, 1))
    names = [row.file_name for row in data]
    judged = classification_report(np.array([0, 0, 0, 1, 1, 1]), scores, CLASSES, names)
    evaluation_report(judged, data, run / "evaluation")
    html = read(garim.report(run).page)
    assert garim.report(run).page == run / "report.html"
    for words in ("Curves", "MIoU", "validation", "Evaluation", "Macro F1", "Recall"):
        assert words in html, words
    (run / "training.json").write_text("{cut off")
    assert "0.75" in read(garim.report(run).page)


def test_plans_and_datasets_are_told_apart(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan_of(data).save("plan.jsonl")
    made = garim.report("plan.jsonl")
    assert (made.about, made.page) == ("plan", Path("plan.html"))
    assert "0.20 → 0.90" in read(made.page)
    (data.root / "config.json").write_text("{}")
    made = garim.report(data.root)
    assert (made.about, made.page) == ("dataset", Path("data.html"))
    html = read(made.page)
    for words in ("Pictures per class", "Sizes", "Examples", "PNG, RGB", "6 of 6 shown"):
        assert words in html, words
    assert sorted(one.name for one in tmp_path.glob("*")) == [
        "data", "data.html", "plan.html", "plan.jsonl"]  # fmt: skip
    with pytest.raises(garim.GarimError):
        garim.report("nowhere")


class Watched(Edit):
    """An edit that a weak reference can point at."""


class Lines:
    """Edits made anew whenever they are gone over, and the most of them that lived at once."""

    def __init__(self, edits: tuple[Edit, ...]) -> None:
        self.edits, self.most = edits, 0

    def __iter__(self) -> Iterator[Edit]:
        made = []
        for edit in self.edits:
            one = Watched(**{name.name: getattr(edit, name.name) for name in fields(edit)})
            made.append(ref(one))
            self.most = max(self.most, sum(other() is not None for other in made))
            yield one


def test_the_page_of_a_plan_is_made_from_its_lines_as_they_pass(
    data: Dataset, tmp_path: Path
) -> None:
    plan = plan_of(data)
    many = replace(plan, edits=plan.edits * 80)
    lines = Lines(many.edits)
    passed = plan_report(replace(many, edits=()), data, tmp_path / "lines.html", lines)
    assert read(passed) == read(plan_report(many, data, tmp_path / "whole.html"))
    assert lines.most < len(many.edits) / 2


def test_the_page_of_a_file_shows_what_was_decided(data: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "plan.jsonl"
    plan_of(data).save(path)
    Decisions(path).decide(([proposals(path).keys[0]], {"state": "rejected"}))
    html = read(garim.report(path).page)
    assert html == read(plan_report(load_plan(path), data, tmp_path / "kept.html"))
    assert html != read(plan_report(plan_of(data), data, tmp_path / "plain.html"))


def test_a_plan_without_a_model_shows_no_scores(data: Dataset, tmp_path: Path) -> None:
    first, second, *_ = data.rows
    edits = (
        Edit(picture=first.file_name, edit="crop", box=Box(5, 5, 25, 25), score_after=1.0),
        Edit(picture=second.file_name, edit="keep", reason="nothing stands out"),
    )
    plan = Plan(dataset=data.root, edits=edits, method="contour")
    html = read(plan_report(plan, data, tmp_path / "plan.html"))
    assert "1.00" not in html and "0.00" not in html and "Least certain" not in html
    assert "without a score" in html and "nothing stands out" in html
    scored = replace(plan, model="digest")
    assert "1.00" in read(plan_report(scored, data, tmp_path / "plan.html"))


def test_a_plan_of_an_audit(data: Dataset, tmp_path: Path) -> None:
    names = [row.file_name for row in data]
    edits = (
        Edit(picture=names[0], edit="drop", label="사과", check="near_duplicates",
             kept=Subject(picture=names[1]), state="rejected"),
        Edit(picture=names[2], edit="relabel", label=HOSTILE, to="사과", score_before=0.125),
        Edit(picture=names[3], edit="move", label="사과", split="train", to="test"),
    )  # fmt: skip
    html = read(
        plan_report(Plan(dataset=data.root, edits=edits, method="audit"), data, tmp_path / "p.html")
    )
    for words in ("To leave out", "Labels to change", "To put in another split", "→ 사과", "Stays",
                  "train → test", "near_duplicates", "Rejected", "0.12"):  # fmt: skip
        assert words in html, words


def test_the_sheet_of_a_dataset(data: Dataset) -> None:
    rows = [replace(r, objects=(Object(r.label or "", Box(0, 0, 30, 30)),)) for r in data]
    boxed = replace(data, rows=tuple(rows))
    plain = dataset_sheet(boxed, columns=3, cell=50, boxes=False)
    drawn = dataset_sheet(boxed, columns=3, cell=50, boxes=True)
    assert plain.image.size == drawn.image.size == (150, 100)
    assert plain.image.tobytes() != drawn.image.tobytes()
