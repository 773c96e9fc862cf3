from __future__ import annotations

import json
from pathlib import Path

from conftest import Command, World

TINY = ("--backbone", "small_cnn", "--size", "16", "--epochs", "1", "--batch", "8")


def test_compare_training(world: World, command: Command, tmp_path: Path) -> None:
    to = tmp_path / "compared"
    words = ("compare-training", world.data, "--to", to, "--vary", "grey=false,true", "--seeds", 2)
    ended = command(*words, *TINY, "--json")
    assert (ended.status, ended.err) == (0, "")
    found = ended.json
    assert [one["settings"] for one in found["settings"]] == [{"grey": False}, {"grey": True}]
    assert set(found["settings"][0]["f1"]) == {"blue", "green", "빨강"}
    assert found["test_pictures"] > 0 and "no test split" in found["notes"][0]
    assert json.loads((to / "comparison.json").read_text()) == found
    assert "빨강" in Path(found["report"]).read_text()
    again = command(*words, *TINY)
    assert "grey=True" in again.out and "±" in again.out and "빨강" in again.out


def test_wrong_use(world: World, command: Command, tmp_path: Path) -> None:
    to = tmp_path / "compared"
    for given, said in (("colour=red,blue", "name=value,value"), ("size=0,8", "at least 1")):
        ended = command("compare-training", world.data, "--to", to, "--vary", given, *TINY[:2])
        assert ended.status == 2 and said in ended.err
    assert not to.exists()


def test_train_says_what_it_chose(world: World, command: Command, tmp_path: Path) -> None:
    words = ("train", world.data, "--out", tmp_path / "model", *TINY, "--no-localizer")
    ended = command(*words, "--imbalance", "weighted", "--noise", "gce", "--grey", "--json")
    assert ended.status == 0
    assert ended.json["chosen"] == ["everything is trained: there are no starting weights"]
    recipe = ended.json["recipe"]
    assert (recipe["imbalance"], recipe["noise"], recipe["grey"]) == ("weighted", "gce", True)
