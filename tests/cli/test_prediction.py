"""``garim predict``, ``garim export`` and ``garim evaluate --against``, as a user types them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import garim
from conftest import Command, World
from garim.cli import app


def test_predict(world: World, command: Command, tmp_path: Path) -> None:
    out, to = tmp_path / "found.csv", tmp_path / "sorted"
    ended = command("predict", world.model, world.data / "blue", world.data / "빨강" / "0.png",
                    "--out", out, "--to", to, "--top", 2, "--json")  # fmt: skip
    assert (ended.status, ended.err) == (0, "")
    told = ended.json
    assert set(told) >= {"pictures", "labels", "seconds", "predictions", "failed", "out", "to"}
    assert (told["pictures"], told["out"], told["to"]) == (9, str(out), str(to))
    assert len(told["predictions"][0]["top"]) == 2
    assert len(list(csv.DictReader(out.open(encoding="utf-8")))) == 9
    assert len(garim.read(to)) == 9
    shown = command("predict", world.model, world.data)
    assert "… and 4 more; 24 pictures" in shown.out
    assert command("predict", world.model, world.data, "--quiet").out == ""


def test_a_broken_picture_makes_the_status_3(
    world: World, data: Path, command: Command, tmp_path: Path
) -> None:
    (data / "blue" / "0.png").write_text("broken")
    ended = command("predict", world.model, data, "--out", tmp_path / "found.json")
    assert ended.status == 3
    assert "1 left out" in ended.err and "23 pictures" in ended.out
    assert (tmp_path / "found.json").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nowhere",), "no such file or folder"),
        ((), "name pictures, folders"),
        (("DATA", "--least", "2"), "least must be from 0 to 1"),
        (("DATA", "--out", "x.txt"), ".csv or .json"),
        (("DATA", "--to", "DATA"), "is not empty"),
    ],
)
def test_wrong_use(words: tuple[str, ...], says: str, world: World, command: Command) -> None:
    given = [str(world.data) if word == "DATA" else word for word in words]
    ended = command("predict", world.model, *given)
    assert (ended.status, ended.out) == (2, "")
    assert says in ended.err


def test_export(world: World, command: Command, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    to = tmp_path / "model.onnx"
    told = command("export", world.model, "--to", to, "--json").json
    assert (told["to"], to.exists()) == (str(to), True)
    assert told["difference"] < 1e-4 and told["metadata"]["garim_task"] == "classify"
    assert "differs from PyTorch" in command("export", world.model, "--to", to).out
    wrong = command("export", world.model, "--to", tmp_path / "model.pt")
    assert wrong.status == 2 and ".onnx" in wrong.err


def test_evaluate_against_another_model(world: World, command: Command, tmp_path: Path) -> None:
    other = tmp_path / "other"
    settings = garim.TrainSettings(backbone="small_cnn", size=40, epochs=1, batch=8,
                                   localizer=False, seed=5)  # fmt: skip
    garim.train(garim.read(world.data), settings, other)
    out = tmp_path / "page"
    words = ("evaluate", world.model, world.data, "--against", other, "--out", out)
    told = command(*words, "--json").json
    assert set(told) >= {"accuracy", "macro_f1", "per_class", "intervals", "against", "difference"}
    assert set(told["difference"]) >= {"accuracy", "macro_f1", "mcnemar_p"}
    page = Path(told["report"])
    assert page == out / "comparison.html" and page.exists()
    shown = command(*words)
    assert "McNemar" in shown.out and "interval" in shown.out


def test_a_plan_is_not_compared(world: World, command: Command, tmp_path: Path) -> None:
    plan = tmp_path / "plan.jsonl"
    plan.write_text("{}")
    ended = command("evaluate", plan, "--truth", world.truth, "--against", world.model)
    assert ended.status == 2 and "--against compares two models" in ended.err


def test_a_plan_that_is_not_there(world: World, command: Command, tmp_path: Path) -> None:
    ended = command("evaluate", tmp_path / "missing.jsonl", "--truth", world.truth)
    assert ended.status == 2 and "missing.jsonl: there is no such plan" in ended.err


def test_intervals_stand_in_the_table_and_beside_the_promised_keys(
    world: World, command: Command, tmp_path: Path
) -> None:
    words = ("evaluate", world.model, world.data, "--out", tmp_path)
    told = command(*words, "--json").json
    assert set(told["intervals"]["per_class"]) == set(told["per_class"])
    low, high = told["intervals"]["accuracy"]
    assert low <= told["accuracy"] <= high
    assert "f1 interval" in command(*words).out


@pytest.mark.parametrize("name", ["predict", "export", "evaluate"])
def test_every_option_has_help(name: str, command: Command) -> None:
    for argument in app[name].assemble_argument_collection(parse_docstring=True):
        if argument.show:
            assert argument.parameter.help, f"{name}: {argument.name}"
    assert command(name, "--help").status == 0
