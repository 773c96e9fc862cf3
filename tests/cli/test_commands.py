"""Every command, as a user types it."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import garim
from conftest import Command, World
from garim.cli import app
from garim.cli.show import finish
from garim.evaluation.localization import LocalizationReport
from garim.extraction.sweep import Swept
from garim.formats import FORMATS

TINY = ("--backbone", "small_cnn", "--size", "32", "--epochs", "1", "--batch", "8")
COMMANDS = ("sheet", "convert", "split", "train", "compare-training", "compare",
            "train-embed", "collect", "augment", "train-detect", "evaluate",
            "extract", "apply", "undo", "demo", "doctor")  # fmt: skip


@pytest.fixture
def plan(world: World, command: Command, tmp_path: Path) -> Path:
    path = tmp_path / "plans" / "plan.jsonl"
    assert command("extract", world.data, "--model", world.model, "--out", path).status == 0
    return path


def test_sheet(world: World, command: Command, tmp_path: Path) -> None:
    out = tmp_path / "new" / "sheet.png"
    ended = command("sheet", world.truth, "--out", out, "--boxes", "--json")
    assert (ended.status, ended.err) == (0, "")
    assert set(ended.json) >= {"pictures", "labels", "sheet", "failed"}
    assert ended.json["pictures"] == 24
    assert Image.open(out).width == 1000
    told = command("sheet", world.data, "--out", out)
    assert str(out) in told.out and "빨강" in told.out


@pytest.mark.parametrize("name", FORMATS)
def test_convert(name: str, world: World, command: Command, tmp_path: Path) -> None:
    ended = command("convert", world.truth, tmp_path / "out", "--to", name, "--json")
    assert (ended.status, ended.err) == (0, "")
    boxes = 0 if name == "folder" else 24
    assert (ended.json["pictures"], ended.json["objects"]) == (24, boxes)
    again = garim.read(tmp_path / "out")
    assert len(again) == 24 and sum(len(row.objects) for row in again) == boxes


def test_split(world: World, command: Command, tmp_path: Path) -> None:
    ended = command("split", world.data, "--to", tmp_path / "out", "--test", "0.25", "--json")
    assert ended.status == 0
    labels = ended.json["labels"]
    assert set(labels) == {"train", "validation", "test"}
    assert sum(sum(one.values()) for one in labels.values()) == ended.json["pictures"] == 24
    assert garim.read(tmp_path / "out").counts() == labels


def test_train_and_evaluate(world: World, command: Command, tmp_path: Path) -> None:
    out = tmp_path / "model"
    ended = command("train", world.data, "--out", out, *TINY, "--no-localizer", "--json")
    assert ended.status == 0
    told = ended.json
    assert set(told) >= {"model", "task", "classes", "seconds", "metrics", "failed", "report"}
    assert (told["task"], told["classes"]) == ("classify", ["blue", "green", "빨강"])
    assert Path(told["report"]).exists()
    assert garim.load_model(out).card.metrics == told["metrics"]

    judged = command("evaluate", out, world.data, "--json").json
    assert set(judged) >= {"accuracy", "macro_f1", "weighted_f1", "ece", "per_class", "failed"}
    assert set(judged["per_class"]["blue"]) == {"precision", "recall", "f1", "support"}
    page = Path(judged.pop("report"))
    assert page.exists() and (page.parent / "confusion_matrix.png").exists()
    assert garim.evaluate(garim.load_model(out), garim.read(world.data)).to_dict() == judged


def test_a_sweep_fits_into_80_columns(
    world: World, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept = Swept(grid=13, kernel=11, proposed=12345, no_box=12345, score=0.5, area=0.5,
                  seconds=12345.6, boxes=LocalizationReport(located=()))  # fmt: skip
    monkeypatch.setattr(garim, "sweep", lambda *given, **named: (swept,))
    monkeypatch.setenv("COLUMNS", "80")
    words = ("extract", world.data, "--model", world.model, "--sweep", "--truth", world.truth)
    head, line = command(*words).out.splitlines()
    assert "…" not in head + line and max(len(head), len(line)) <= 80
    assert head.split()[2:5] == ["crops", "no", "box"] and "CorLoc" in head
    assert "corloc_0.5" in command(*words, "--json").json["sweep"][0]


def test_extract_and_evaluate(world: World, command: Command, tmp_path: Path) -> None:
    out = tmp_path / "plan.jsonl"
    ended = command("extract", world.data, "--model", world.model, "--out", out, "--json")
    assert ended.status == 0
    told = ended.json
    assert set(told) >= {"pictures", "proposed", "unchanged", "no_box", "failed", "seconds",
                         "plan", "report"}  # fmt: skip
    assert told["pictures"] == told["proposed"] + told["unchanged"] + told["no_box"] == 24
    found = garim.extract(garim.read(world.data), garim.load_model(world.model))
    assert [e.to_dict() for e in garim.load_plan(out)] == [e.to_dict() for e in found.plan]

    judged = command("evaluate", out, "--truth", world.truth, "--json").json
    assert set(judged) >= {"boxes", "corloc", "purity", "coverage", "per_class"}
    assert set(judged["corloc"]) == {"0.3", "0.5", "0.7"}
    assert Path(judged.pop("report")).exists()
    assert garim.evaluate(garim.load_plan(out), garim.read(world.truth)).to_dict() == judged


@pytest.mark.parametrize("method", ["windows", "document"])
def test_extract_with_options(method: str, world: World, command: Command, tmp_path: Path) -> None:
    out = tmp_path / "plan.jsonl"
    ended = command("extract", world.data, "--model", world.model, "--out", out, "--method", method,
                    "--grid", 5, "--kernel", 3, "--rounds", 2, "--skip-above", 0.99,
                    "--classes", "blue", "--json")  # fmt: skip
    assert (ended.status, ended.json["pictures"]) == (0, 8)
    settings = garim.load_plan(out).settings
    assert (settings["method"], settings["grid"], settings["rounds"]) == (method, 5, 2)


def test_apply_to_a_new_folder(plan: Path, world: World, command: Command, tmp_path: Path) -> None:
    edits = garim.load_plan(plan).counts()
    ended = command("apply", plan, "--to", tmp_path / "clean", "--json")
    assert (ended.status, ended.json["pictures"]) == (0, 24)
    assert ended.json["edits"] == edits
    assert set(ended.json) == {"pictures", "edits", "to", "failed"}
    assert len(garim.read(tmp_path / "clean")) == 24


def test_apply_in_place_and_undo(
    data: Path, world: World, command: Command, tmp_path: Path
) -> None:
    before = {p: p.read_bytes() for p in data.rglob("*.png")}
    out = tmp_path / "plan.jsonl"
    command("extract", data, "--model", world.model, "--out", out, "--method", "windows", "--quiet")
    counts = garim.load_plan(out).counts()
    assert counts["crop"]
    assert command("apply", out, "--in-place", "--json").json["edits"] == counts
    assert {p: p.read_bytes() for p in before} != before
    undone = command("undo", data, "--json")
    assert undone.status == 0
    assert {p: p.read_bytes() for p in before} == before


def test_doctor(command: Command) -> None:
    told = command("doctor", "--json").json
    assert told == garim.doctor()
    assert set(told) == {
        "python", "system", "processors", "libraries", "devices", "runtimes", "weights_cache"
    }  # fmt: skip
    shown = command("doctor")
    assert "--weights none" in shown.out and "torch" in shown.out
    assert "small_cnn" in command("doctor", "--networks", "--json").json["networks"]


def calls(world: World, tmp: Path, plan: Path) -> dict[str, tuple[Any, ...]]:
    return {
        "sheet": ("sheet", world.data, "--out", tmp / "sheet.png"),
        "convert": ("convert", world.data, tmp / "coco", "--to", "coco"),
        "split": ("split", world.data, "--to", tmp / "split"),
        "evaluate": ("evaluate", world.model, world.data, "--out", tmp / "page"),
        "extract": ("extract", world.data, "--model", world.model, "--out", tmp / "p.jsonl"),
        "apply": ("apply", plan, "--to", tmp / "clean"),
        "doctor": ("doctor",),
    }


@pytest.mark.parametrize("name", ["sheet", "convert", "split", "evaluate", "extract", "apply",
                                  "doctor"])  # fmt: skip
def test_results_and_nothing_else(
    name: str, world: World, command: Command, plan: Path, tmp_path: Path
) -> None:
    arguments = calls(world, tmp_path / "1", plan)[name]
    told = command(*arguments)
    assert (told.status, told.err) == (0, "") and told.out
    assert "\x1b[" not in told.out
    quiet = command(*calls(world, tmp_path / "2", plan)[name], "--quiet")
    assert (quiet.status, quiet.out, quiet.err) == (0, "", "")
    as_json = command(*calls(world, tmp_path / "3", plan)[name], "--json", "--quiet")
    assert as_json.json and as_json.err == ""


def test_long_paths_are_printed_on_one_line(world: World, command: Command, tmp_path: Path) -> None:
    out = tmp_path / ("a long name with blanks " * 6).strip() / "sheet.png"
    assert f"Sheet: {out}\n" in command("sheet", world.data, "--out", out).out


def test_names_like_markup_or_emoji_are_printed_as_they_are(
    data: Path, command: Command, tmp_path: Path
) -> None:
    (data / "blue").rename(data / "[red]:cat:")
    (data / "green" / "[bold]:dog:.png").write_text("broken")
    ended = command("sheet", data, "--out", tmp_path / "sheet.png")
    assert "[red]:cat:" in ended.out and "[bold]:dog:.png" in ended.err


def test_every_option_has_help(command: Command) -> None:
    for name in COMMANDS:
        for argument in app[name].assemble_argument_collection(parse_docstring=True):
            if argument.show:
                assert argument.parameter.help, f"{name}: {argument.name}"
        assert command(name, "--help").status == 0
    listed = command("--help").out
    assert all(name in listed for name in COMMANDS)
    assert command("--version").out.strip() == garim.__version__


def test_bodies_are_short() -> None:
    module = ast.parse(Path(inspect.getfile(finish)).with_name("app.py").read_text())
    for function in [n for n in module.body if isinstance(n, ast.FunctionDef)]:
        body = function.body[1:] if ast.get_docstring(function) else function.body
        lines = (body[-1].end_lineno or 0) - body[0].lineno + 1
        assert lines <= 15, f"{function.name}: {lines} lines"
