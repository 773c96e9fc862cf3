"""What goes wrong for users: one clear message, an exit status, and nothing half written."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Any, NoReturn

import pytest
from PIL import Image

import garim
from conftest import Command, World
from garim import files, pictures
from garim.models import weights

TINY = ("--backbone", "small_cnn", "--size", "32", "--epochs", "1", "--batch", "8",
        "--no-localizer")  # fmt: skip


def check(ended: Any, *words: str) -> None:
    assert ended.status == 2, ended.err
    assert ended.out == ""
    assert all(word in ended.err for word in words), ended.err


def test_data(data: Path, world: World, command: Command, tmp_path: Path) -> None:
    out = tmp_path / "out"
    check(command("sheet", tmp_path / "nowhere"), "nowhere", "no such file or folder")
    (tmp_path / "empty").mkdir()
    check(command("sheet", tmp_path / "empty"), "empty", "holds no picture", "per class")
    for label in ("green", "빨강"):
        shutil.rmtree(data / label)
    check(command("train", data, "--out", out, *TINY), "two classes")
    check(command("extract", world.data, "--model", world.model, "--out", out, "--classes", "x"),
          "no class 'x'")  # fmt: skip
    check(command("convert", world.data, out, "--to", "cocoo"), "did you mean coco")
    assert not list(tmp_path.glob("out*"))


def test_a_class_with_one_picture(data: Path, command: Command, tmp_path: Path) -> None:
    for number in range(1, 8):
        (data / "blue" / f"{number}.png").unlink()
    ended = command("train", data, "--out", tmp_path / "out", *TINY, "--json")
    if ended.status == 0:
        assert "blue (1)" in ended.json["notes"][0]
    else:
        check(ended, "blue")


def test_targets_that_hold_something(world: World, command: Command, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("kept")
    plan = tmp_path / "plan.jsonl"
    command("extract", world.data, "--model", world.model, "--out", plan)
    for arguments in (("convert", world.data, tmp_path / "out", "--to", "voc"),
                      ("split", world.data, "--to", tmp_path / "out"),
                      ("apply", plan, "--to", tmp_path / "out"),
                      ("train", world.data, "--out", tmp_path / "out", *TINY)):  # fmt: skip
        check(command(*arguments), "out", "empty")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_a_class_that_the_model_does_not_know(
    data: Path, world: World, command: Command, tmp_path: Path
) -> None:
    (data / "blue").rename(data / "violet")
    ended = command(
        "extract", data, "--model", world.model, "--out", tmp_path / "p.jsonl", "--json"
    )
    assert ended.status == 3
    assert {one["error"] for one in ended.json["failed"]} == {
        "its label 'violet' is not one of the model's classes"
    }
    for label in ("green", "빨강"):
        shutil.rmtree(data / label)
    check(command("extract", data, "--model", world.model, "--out", tmp_path / "p.jsonl"),
          "the model knows blue, green, 빨강, but the dataset has violet")  # fmt: skip


def test_a_broken_picture_is_left_out(
    data: Path, world: World, command: Command, tmp_path: Path
) -> None:
    broken = data / "blue" / "0.png"
    broken.write_bytes(broken.read_bytes()[:90])
    for arguments in (("sheet", data, "--out", tmp_path / "sheet.png"),
                      ("extract", data, "--model", world.model, "--out", tmp_path / "p.jsonl"),
                      ("train", data, "--out", tmp_path / "model", *TINY),
                      ("evaluate", world.model, data, "--out", tmp_path / "page")):  # fmt: skip
        ended = command(*arguments, "--json")
        assert ended.status == 3, (arguments, ended.err)
        assert [Path(one["picture"]).name for one in ended.json["failed"]] == ["0.png"]
    told = command("extract", data, "--model", world.model, "--out", tmp_path / "q.jsonl")
    assert (told.status, "blue/0.png" in told.err) == (3, True)
    assert "Could not be used" in (tmp_path / "q.html").read_text()


def test_settings(world: World, command: Command, tmp_path: Path) -> None:
    run = ("extract", world.data, "--model", world.model, "--out", tmp_path / "p.jsonl")
    check(command(*run, "--grid", 5, "--kernel", 5), "K=5 and N=5")
    check(command(*run, "--grid", 8, "--kernel", 4, "--method", "document"), "odd N and K")
    check(command(*run, "--method", "magic"), "'magic'", "self, activation, windows, document")
    check(command("sheet", world.data, "--out", tmp_path / "s.png", "--columns", 0), "1 column")
    check(command("sheet", world.data, "--out", tmp_path / "s.xyz"), "suffix")
    check(
        command("train", world.data, "--out", tmp_path / "m", "--backbone", "resnet-50"), "resnet50"
    )
    check(
        command("apply", tmp_path / "p.jsonl", "--to", tmp_path / "x"), "p.jsonl", "cannot be read"
    )
    check(command("evaluate", world.model), "evaluate RUN DATA")
    assert command("extract", world.data).status == 2
    assert command("nonsense").status == 2
    assert not list(tmp_path.iterdir())


def test_no_weights_and_no_network(
    world: World, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "_hub_answers", lambda: False)
    monkeypatch.setattr(weights, "_cached", lambda hub_id: False)
    ended = command("train", world.data, "--out", tmp_path / "m", "--backbone", "resnet18")
    check(ended, "--weights FILE", "cache", "--weights none")
    missing = tmp_path / "missing.safetensors"
    check(command("train", world.data, "--out", tmp_path / "m", "--backbone", "resnet18",
                  "--weights", missing), "missing.safetensors")  # fmt: skip
    assert not (tmp_path / "m").exists()


def test_files_that_are_something_else(world: World, command: Command, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    check(command("apply", text, "--to", tmp_path / "x"), "notes.txt", "is no plan")
    check(command("evaluate", text, "--truth", world.truth), "is no plan")
    check(command("extract", world.data, "--model", tmp_path, "--out", tmp_path / "p.jsonl"),
          "no folder of a trained model")  # fmt: skip
    check(command("sheet", text, "--out", tmp_path / "s.png"), "notes.txt")
    check(command("undo", world.data))
    model = Path(shutil.copytree(world.model, tmp_path / "model"))
    (model / "localizer.safetensors").write_bytes(b"no")
    check(command("extract", world.data, "--model", model, "--out", tmp_path / "p.jsonl"),
          "is no localizer")  # fmt: skip


def refuse(number: int) -> Any:
    def refused(path: Path, *_: Any, **__: Any) -> NoReturn:
        raise OSError(number, "No space left on device" if number == errno.ENOSPC
                      else "Permission denied", str(path))  # fmt: skip

    return refused


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_disk_that_refuses(
    number: int, world: World, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tmp_path / "plan.jsonl"
    command("extract", world.data, "--model", world.model, "--out", plan, "--method", "windows")
    for name in ("replacing", "write_bytes", "write_text", "write_json", "copy"):
        monkeypatch.setattr(files, name, refuse(number))
    reason = "No space left" if number == errno.ENOSPC else "Permission denied"
    check(command("sheet", world.data, "--out", tmp_path / "s.png"), reason, "s.png")
    check(command("convert", world.data, tmp_path / "1", "--to", "coco"), reason, "1")
    check(command("split", world.data, "--to", tmp_path / "2"), reason, "2")
    check(command("train", world.data, "--out", tmp_path / "3", *TINY), reason, "3")
    check(command("extract", world.data, "--model", world.model, "--out", tmp_path / "4.jsonl"),
          reason, "4.jsonl")  # fmt: skip
    check(command("apply", plan, "--to", tmp_path / "5"), reason, "5")


def test_a_folder_without_rights(
    data: Path, world: World, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.stat

    def stat(self: Path, **options: Any) -> Any:
        if self.parent.name == "blue" and self.suffix == ".png":
            refuse(errno.EACCES)(self)
        return real(self, **options)

    monkeypatch.setattr(Path, "stat", stat)
    ended = command(
        "extract", data, "--model", world.model, "--out", tmp_path / "p.jsonl", "--json"
    )
    assert (ended.status, len(ended.json["failed"])) == (3, 8)
    assert "Permission denied" in ended.json["failed"][0]["error"]


def test_interrupted(
    world: World, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, count = garim.Classifier.scores, [0]

    def scores(self: garim.Classifier, batch: Any, batch_size: int = 64) -> Any:
        count[0] += 1
        if count[0] == 6:
            raise KeyboardInterrupt
        return real(self, batch, batch_size)

    run = ("extract", world.data, "--model", world.model, "--out", tmp_path / "p.jsonl",
           "--method", "windows", "--shard", 2)  # fmt: skip
    monkeypatch.setattr(garim.Classifier, "scores", scores)
    ended = command(*run)
    assert (ended.status, ended.out) == (130, "")
    assert "run the same command again" in ended.err
    assert [p.name for p in tmp_path.iterdir()] == ["p.jsonl.unfinished"]
    assert command(*run, "--json").json["pictures"] == 24
    assert sorted(p.name for p in tmp_path.iterdir()) == ["p.html", "p.jsonl"]


def test_interrupted_while_training(
    world: World, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, count = pictures.square, [0]

    def interrupt(path: Path, size: int) -> Any:
        count[0] += 1
        if count[0] == 10:
            raise KeyboardInterrupt
        return real(path, size)

    from garim.training import data as training_data

    name = "square" if hasattr(training_data, "square") else "open_picture"
    if name == "square":
        monkeypatch.setattr(training_data, "square", interrupt)
    else:
        pytest.skip("training opens pictures in another way")
    ended = command("train", world.data, "--out", tmp_path / "m", *TINY)
    assert (ended.status, ended.out) == (130, "")


def test_json_that_standard_output_cannot_take(monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import json
    import sys

    from garim.cli.show import Output, finish

    for text, encoding in (("빨강", "ascii"), ("\udcff", "utf-8")):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", stream)
        finish(Output(json=True), {"sheet": text})
        stream.flush()
        assert json.loads(stream.buffer.getvalue().decode()) == {"sheet": text}  # type: ignore[attr-defined]


@pytest.mark.slow
def test_a_picture_of_another_size_is_no_reason_to_stop(
    data: Path, world: World, command: Command, tmp_path: Path
) -> None:
    Image.new("RGB", (3, 200)).save(data / "blue" / "thin.png")
    Image.new("L", (1, 1)).save(data / "blue" / "dot.png")
    for method in ("self", "windows", "document"):
        ended = command("extract", data, "--model", world.model, "--out",
                        tmp_path / f"{method}.jsonl", "--method", method, "--json")  # fmt: skip
        assert (ended.status, ended.json["pictures"]) == (0, 26)
        done = command("apply", tmp_path / f"{method}.jsonl", "--to", tmp_path / method, "--json")
        assert (done.status, done.json["pictures"]) == (0, 26)
