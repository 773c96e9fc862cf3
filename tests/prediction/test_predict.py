"""Labels for new pictures: what the classifier says, for whatever is given, and how it is kept."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

import garim
from garim.errors import DatasetError, ModelError, PictureError, SettingsError
from garim.evaluation import evaluate
from garim.models.classifier import Card, Classifier
from garim.models.networks import create
from garim.pictures import square
from garim.prediction import PredictSettings, predict
from garim.prediction.predictions import UNSURE
from garim.prediction.scoring import batched

SIDE = 32
PLAIN = PredictSettings(batch=2)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    torch.manual_seed(0)
    card = Card(architecture="small_cnn", options={"width": 8}, classes=("사과", "b", "<c>"),
                size=SIDE, mean=(0.5,) * 3, std=(0.1,) * 3, temperature=0.05)  # fmt: skip
    return Classifier(create("small_cnn", 3, {"width": 8}), card)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures in folders, of which two have one name, and one that is broken."""
    rng = np.random.default_rng(0)
    for name in ("x/1.png", "x/가.png", "y/1.png", "z.png", "y/w.png"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (20, 30, 3)) * rng.random(3) * rng.random()
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    (tmp_path / "in" / "x" / "broken.jpg").write_text("no picture")
    return tmp_path / "in"


def test_a_prediction_is_what_the_classifier_says(classifier: Classifier, folder: Path) -> None:
    found = predict(classifier, folder, replace(PLAIN, top=2))
    assert len(found.rows) == 5
    assert [f.picture for f in found.failures] == [str(folder / "x" / "broken.jpg")]
    for row in found.rows:
        (scores,) = classifier.scores(square(Path(row.picture), SIDE)[None].copy())
        order = np.argsort(-scores)
        assert row.label == classifier.classes[order[0]]
        assert row.confidence == pytest.approx(scores.max(), abs=1e-5)
        assert [name for name, _ in row.top] == [classifier.classes[i] for i in order[:2]]
    assert len({round(row.confidence, 3) for row in found.rows}) > 2
    assert sum(found.counts().values()) == 5


def test_predictions_are_those_that_an_evaluation_judges(
    classifier: Classifier, folder: Path, tmp_path: Path
) -> None:
    found = predict(classifier, folder, PLAIN)
    for row in found.rows:
        target = tmp_path / "labelled" / row.label / f"{len(row.picture)}{Path(row.picture).name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(row.picture, target)
    assert evaluate(classifier, garim.read(tmp_path / "labelled")).accuracy == 1


def test_files_folders_and_datasets_in_any_mixture(
    classifier: Classifier, folder: Path, tmp_path: Path
) -> None:
    several = [folder / "z.png", str(folder / "y"), folder / "z.png", garim.read(folder / "x"),
               folder / "gone.png"]  # fmt: skip
    found = predict(classifier, several, PLAIN)
    names = ["z.png", "y/1.png", "y/w.png", "x/1.png", "x/가.png"]
    assert [row.picture for row in found.rows] == [str(folder / name) for name in names]
    assert {Path(f.picture).name for f in found.failures} == {"broken.jpg", "gone.png"}
    garim.write(garim.read(folder / "y"), tmp_path / "table", "csv")
    assert len(predict(classifier, tmp_path / "table", PLAIN).rows) == 2


def test_a_runtime_says_nearly_the_same(classifier: Classifier, folder: Path) -> None:
    plain = predict(classifier, folder, PLAIN).rows
    for one, row in zip(predict(classifier, folder, replace(PLAIN, runtime="auto")).rows, plain,
                        strict=True):  # fmt: skip
        assert one.confidence == pytest.approx(row.confidence, abs=0.1)


def test_what_is_below_the_least_confidence_is_unsure(classifier: Classifier, folder: Path) -> None:
    plain = predict(classifier, folder, PLAIN).rows
    least = sorted(row.confidence for row in plain)[2]
    found = predict(classifier, folder, replace(PLAIN, least=least)).rows
    assert [row.label == UNSURE for row in found] == [row.confidence < least for row in plain]
    assert [row.top for row in found] == [row.top for row in plain]
    named = replace(classifier.card, classes=("a", UNSURE, "b"))
    with pytest.raises(SettingsError, match="class named 'unsure'; do without --least"):
        predict(Classifier(classifier.network, named), folder, replace(PLAIN, least=0.5))


def test_csv_and_json_hold_everything(classifier: Classifier, folder: Path, tmp_path: Path) -> None:
    found = predict(classifier, folder, PLAIN, out=tmp_path / "new" / "found.csv")
    with (tmp_path / "new" / "found.csv").open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [line["picture"] for line in lines[:5]] == [row.picture for row in found.rows]
    assert float(lines[0]["confidence"]) == pytest.approx(found.rows[0].confidence, abs=1e-6)
    assert (lines[0]["label_2"], lines[0]["error"]) == (found.rows[0].top[1][0], "")
    assert lines[5]["picture"].endswith("broken.jpg") and "not a picture" in lines[5]["error"]
    told = json.loads(found.to_json(tmp_path / "found.json").read_text(encoding="utf-8"))
    assert told == found.to_dict()
    assert set(told) == {"pictures", "labels", "seconds", "predictions", "failed"}
    assert predict(classifier, folder / "z.png", PLAIN).save(tmp_path / "z.CSV").exists()


def test_sorting_copies_all_and_overwrites_nothing(
    classifier: Classifier, folder: Path, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    safe = Classifier(classifier.network, replace(classifier.card, classes=("사과", "b", "c")))
    found = predict(safe, folder, PLAIN, to=tmp_path / "sorted")
    placed = garim.read(tmp_path / "sorted")
    assert len(placed) == 5
    counts: dict[str, int] = {}
    for row in placed:
        counts[row.label or ""] = counts.get(row.label or "", 0) + 1
    assert counts == found.counts()
    copies = sorted(path.read_bytes() for path in (tmp_path / "sorted").rglob("*.png"))
    assert copies == sorted(Path(row.picture).read_bytes() for row in found.rows)
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before
    with pytest.raises(DatasetError, match="is not empty; give a new or empty folder"):
        predict(safe, folder, PLAIN, to=tmp_path / "sorted")


def test_each_named_picture_is_sorted_under_its_own_name(
    classifier: Classifier, folder: Path, tmp_path: Path
) -> None:
    (folder / "linked.png").symlink_to(folder / "z.png")
    blob = (folder / "y" / "w.png").rename(folder / "0a1b2c")
    (folder / "y" / "w.png").symlink_to(Path("..") / blob.name)
    safe = Classifier(classifier.network, replace(classifier.card, classes=("사과", "b", "c")))
    named = [folder / "z.png", folder / "linked.png", folder / "x" / ".." / "y" / "w.png"]
    predict(safe, named, PLAIN, to=tmp_path / "sorted")
    copies = {path.name: path for path in (tmp_path / "sorted").rglob("*.png")}
    assert set(copies) == {"z.png", "linked.png", "w.png"}
    assert copies["w.png"].read_bytes() == blob.read_bytes()
    assert not any(path.is_symlink() for path in copies.values())


def test_what_is_no_picture_is_listed_and_the_rest_goes_on(
    classifier: Classifier, folder: Path
) -> None:
    for name, content in (("x.heic", b"\0\0\0\x18ftypheic"), ("notes.txt", b"notes")):
        (folder / name).write_bytes(content)
    named = [folder / "notes.txt", folder / "z.png", folder / "x.heic", folder / "y"]
    found = predict(classifier, named, PLAIN)
    assert len(found.rows) == 3
    assert [Path(one.picture).name for one in found.failures] == ["notes.txt", "x.heic"]
    assert all("in no format that Garim reads" in one.error for one in found.failures)


def test_what_cannot_be_is_said_before_the_work(
    classifier: Classifier, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Classifier, "scores", lambda *given: pytest.fail("worked"))
    with pytest.raises(SettingsError, match=r"least must be.*\n.*top must be.*\n.*batch must be"):
        predict(classifier, folder, PredictSettings(least=2, top=0, batch=0))
    with pytest.raises(SettingsError, match=r"written as \.csv or \.json"):
        predict(classifier, folder, PLAIN, out=tmp_path / "found.txt")
    with pytest.raises(SettingsError, match="no runtime 'fast'"):
        predict(classifier, folder, PredictSettings(runtime="fast"))
    with pytest.raises(DatasetError, match="no such file or folder"):
        predict(classifier, tmp_path / "nowhere", PLAIN)
    with pytest.raises(DatasetError, match="name pictures, folders or a dataset"):
        predict(classifier, [], PLAIN)
    with pytest.raises(ModelError, match="a str does not predict; what does: Classifier"):
        predict("model", folder, PLAIN)  # type: ignore[arg-type]


def test_a_name_that_is_no_unicode_is_listed(classifier: Classifier, folder: Path) -> None:
    odd = Path(f"{folder}/\udcff.png")
    found = predict(classifier, [odd, folder / "z.png"], PLAIN)
    assert len(found.rows) == 1
    assert "not valid UTF-8" in found.failures[0].error
    found.table().write_csv()


def test_nothing_but_broken_pictures(classifier: Classifier, folder: Path, tmp_path: Path) -> None:
    found = predict(classifier, folder / "x" / "broken.jpg", PLAIN, out=tmp_path / "f.csv",
                    to=tmp_path / "sorted")  # fmt: skip
    assert (found.rows, len(found.failures)) == ((), 1)
    assert pl.read_csv(tmp_path / "f.csv").columns == ["picture", "error"]


def test_a_notebook_shows_a_table_with_every_name_escaped(
    classifier: Classifier, folder: Path
) -> None:
    html = predict(classifier, folder, PLAIN)._repr_html_()
    assert "<table" in html and "<c>" not in html and "&lt;c&gt;" in html


def test_batches_are_bounded_in_order_and_lazy() -> None:
    opened: list[Path] = []
    sizes: list[int] = []

    def look(path: Path) -> int:
        opened.append(path)
        if path.name == "3":
            raise PictureError(path, "broken")
        return int(path.name)

    def judged(batch: object) -> list[int]:
        assert isinstance(batch, list)
        sizes.append(len(batch))
        return [10 * one for one in batch]

    paths = [Path(str(i)) for i in range(1000)]
    results = batched(look, judged, paths, 4, "Testing")
    first = [next(results) for _ in range(5)]
    assert len(opened) < 200
    assert [one if isinstance(one, int) else None for one in first] == [0, 10, 20, None, 40]
    rest = list(results)
    assert len(rest) == 995 and rest[-1] == 9990
    assert sizes[0] == 3 and set(sizes[1:]) == {4}
