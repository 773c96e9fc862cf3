from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from garim import dataset
from garim.comparison import TrainingComparison, compare_training, parse_vary
from garim.comparison.results import mean_over_seeds
from garim.dataset import Dataset
from garim.errors import ModelError, SettingsError
from garim.evaluation import evaluate
from garim.models.networks import create
from garim.report import training_comparison_page
from garim.training import TrainSettings, learners, train

torch.set_num_threads(1)

TINY = "mobilenetv3_small_050"


@pytest.fixture
def drawn(tmp_path: Path) -> Dataset:
    """Two colours, in two splits."""
    rng = np.random.default_rng(0)
    for split, each in (("train", 10), ("test", 6)):
        for name, colour in (("blue", (30, 40, 220)), ("red", (220, 40, 30))):
            folder = tmp_path / "data" / split / name
            folder.mkdir(parents=True)
            for number in range(each):
                picture = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                picture[8:20, 8:20] = colour
                Image.fromarray(picture).save(folder / f"{number}.png")
    return dataset.read(tmp_path / "data")


def settings(**given: object) -> TrainSettings:
    return TrainSettings(**{"backbone": "small_cnn", "size": 16, "epochs": 1, "batch": 8, **given})


def test_intervals_are_scipys() -> None:
    mine, theirs = np.random.default_rng(0).random((2, 6))
    found = mean_over_seeds((mine - theirs).tolist())
    expected = stats.ttest_rel(mine, theirs).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert found.value == pytest.approx(np.mean(mine - theirs))


def test_every_combination_with_every_seed(drawn, tmp_path) -> None:
    vary = {"imbalance": ["plain", "focal"], "size": [16, 20]}
    found = compare_training(drawn, settings(), vary, seeds=2)
    assert [arm.settings for arm in found.arms] == [
        {"imbalance": i, "size": s} for i in ("plain", "focal") for s in (16, 20)
    ]
    assert all([o.seed for o in arm.outcomes] == [0, 1] for arm in found.arms)
    assert (found.test_pictures, found.classes) == (12, ("blue", "red"))
    page = training_comparison_page(found, "data", tmp_path / "page.html").read_text()
    assert "imbalance=focal, size=20" in page and "±" in page
    told = found.to_dict()
    assert told["settings"][0]["difference"] == {}
    mean = told["settings"][1]["difference"]["accuracy"]["mean"]
    pairs = zip(found.arms[1].outcomes, found.arms[0].outcomes, strict=True)
    assert mean == pytest.approx(np.mean([a.accuracy - b.accuracy for a, b in pairs]), abs=1e-4)


def test_figures_are_those_of_train_and_evaluate(drawn) -> None:
    chosen = settings(epochs=2, localizer=False)
    found = compare_training(drawn, chosen, seeds=2).arms[0]
    for outcome in found.outcomes:
        made = train(drawn, settings(epochs=2, localizer=False, seed=outcome.seed))
        judged = evaluate(made.classifier, drawn.where(split=["test"]))
        assert outcome.accuracy == pytest.approx(judged.accuracy)
        assert outcome.macro_f1 == pytest.approx(judged.macro["f1"])
        assert outcome.f1 == pytest.approx({n: v["f1"] for n, v in judged.per_class.items()})


def outcomes(found: TrainingComparison) -> list[tuple[float, float, int]]:
    return [(o.accuracy, o.macro_f1, o.seed) for arm in found.arms for o in arm.outcomes]


def test_finished_trainings_are_not_repeated(drawn, tmp_path, monkeypatch) -> None:
    vary, to = {"noise": ["none", "gce"]}, tmp_path / "out"
    fitted: list[Path] = []
    fit = learners.OnPictures.fit

    def counted(self, examples, validation):
        fitted.append(self.folder)
        if len(fitted) == 3:
            raise KeyboardInterrupt
        return fit(self, examples, validation)

    monkeypatch.setattr(learners.OnPictures, "fit", counted)
    with pytest.raises(KeyboardInterrupt):
        compare_training(drawn, settings(), vary, 2, to)
    found = compare_training(drawn, settings(), vary, 2, to)
    assert len(fitted) == 5 and fitted[2] == fitted[3]
    more = compare_training(drawn, settings(), vary, 3, to)
    assert len(fitted) == 7
    assert set(outcomes(found)) < set(outcomes(more))
    assert outcomes(found) == outcomes(compare_training(drawn, settings(), vary, 2))
    assert not list(to.rglob("checkpoints")) and not list(to.rglob("unfinished.json"))
    with pytest.raises(ModelError, match=r"other settings or data; give another folder with --to"):
        compare_training(drawn, settings(batch=9), vary, 2, to)


def test_features_are_computed_once_for_all(drawn, tmp_path, monkeypatch) -> None:
    torch.manual_seed(0)
    torch.save(create(TINY, 2).state_dict(), tmp_path / "w.pth")
    computed = []
    compute = learners.OnFeatures._computed

    def counted(self, pictures, todo):
        computed.append(len(todo))
        return compute(self, pictures, todo)

    monkeypatch.setattr(learners.OnFeatures, "_computed", counted)
    chosen = settings(
        backbone=TINY, weights=str(tmp_path / "w.pth"), tune="head", augment="none", epochs=2,
        size=32,
    )  # fmt: skip
    compare_training(drawn, chosen, {"imbalance": ["plain", "weighted"]}, seeds=2)
    assert sum(computed) == 32  # each picture once, for train, validation and test


def test_without_a_test_split_one_is_set_apart(drawn) -> None:
    found = compare_training(drawn.where(split=["train"]), settings(), seeds=2)
    assert found.test_pictures == 4
    assert "no test split" in found.notes[0]


def test_values_get_the_types_of_their_settings() -> None:
    given = ["size=16,32", "learning-rate=1e-3,0.1", "grey=true,false", "augment=none,light"]
    assert parse_vary(given) == {
        "size": [16, 32],
        "learning_rate": [0.001, 0.1],
        "grey": [True, False],
        "augment": ["none", "light"],
    }


def test_what_cannot_be_varied_is_told_before_anything_is_trained(drawn, tmp_path) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_vary(["size", "colour=red", "size=big", "grey=perhaps", "network_options=a=1"])
    assert len(caught.value.problems) == 5
    with pytest.raises(SettingsError, match="no remedy 'heavy' for imbalance"):
        compare_training(drawn, settings(), {"imbalance": ["plain", "heavy"]}, 2, tmp_path / "out")
    for vary, seeds in (({"seed": [1, 2]}, 2), ({"folds": [2]}, 2), ({}, 1)):
        with pytest.raises(SettingsError, match=r"varied|at least 2"):
            compare_training(drawn, settings(), vary, seeds)
    assert not (tmp_path / "out").exists()


def test_the_figures_are_json(drawn) -> None:
    found = compare_training(drawn, settings(), {"noise": ["none", "elr"]}, seeds=2)
    told = json.loads(json.dumps(found.to_dict()))
    assert told["seeds"] == 2
    assert set(told["settings"][1]["f1"]) == {"blue", "red"}
