from pathlib import Path

import numpy as np
from PIL import Image

import garim
from conftest import Command, World
from drawn_pictures import shapes
from garim.boxes import Box
from garim.plan import Edit, Plan

TINY = ("--patch", "16", "--epochs", "1", "--batch", "8", "--network-options", "width=4",
        "--network-options", "depth=1")  # fmt: skip


def test_train_evaluate_upscale(world: World, command: Command, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    ended = command("train", world.data, "--task", "upscale", "--out", run, *TINY, "--json")
    assert (ended.status, ended.err) == (0, "")
    told = ended.json
    assert set(told) >= {"model", "task", "classes", "seconds", "metrics", "pairs", "report"}
    assert told["task"] == "upscale" and Path(told["report"]).exists()
    judged = command("evaluate", run, world.data, "--json").json
    assert set(judged) >= {"psnr", "ssim", "bicubic_psnr", "bicubic_ssim", "failed"}
    page = Path(judged.pop("report"))
    assert page.exists() and (page.parent / "upscaled.png").exists()
    assert garim.evaluate(garim.load_model(run), garim.read(world.data)).to_dict() == judged
    assert "bicubic" in command("evaluate", run, world.data, "--out", tmp_path / "e").out
    made = command("upscale", world.data, "--out", out, "--model", run, "--json")
    assert made.json["pictures"] == 24 and made.json["recognised"] == []
    with Image.open(out / "blue" / "0.png") as image:
        assert image.size == (96, 96)


def test_upscale_and_classify(world: World, command: Command, tmp_path: Path) -> None:
    picture, bad = world.data / "green" / "1.png", tmp_path / "bad.png"
    bad.write_bytes(b"no")
    given = ("upscale", picture, bad, "--out", tmp_path / "out", "--then", world.model)
    ended = command(*given, "--json")
    assert ended.status == 3 and ended.json["failed"][0]["picture"] == str(bad)
    (said,) = ended.json["recognised"]
    assert said["picture"] == str(picture)
    assert set(said["before"]) == set(said["after"]) == {"label", "confidence"}
    assert said["before"]["label"] in {"blue", "green", "빨강"}
    again = command(*given)
    assert "before" in again.out and "there already" in again.out


def test_small_crops_become_larger_as_they_are_cut(
    world: World, command: Command, tmp_path: Path
) -> None:
    data, out = garim.read(world.data), tmp_path / "plan.jsonl"
    box = Box(2, 3, 14, 13)
    edits = [Edit(picture=row.file_name, edit="crop", label=row.label, split=row.split, box=box)
             for row in data.rows[:2]]  # fmt: skip
    Plan(dataset=world.data, edits=tuple(edits)).save(out)
    ended = command("apply", out, "--to", tmp_path / "to", "--enlarge-below", "16", "--json")
    assert (ended.status, ended.json["edits"]) == (0, {"crop": 2})
    made = [row for row in garim.read(tmp_path / "to") if row.source_box]
    for row in made:
        with Image.open(tmp_path / "to" / row.file_name) as large:
            assert large.size == (24, 20)
        with Image.open(world.data / (row.source or "")) as whole:
            cut = whole.convert("RGB").crop((2, 3, 14, 13))
        expected = garim.enlarger()(cut)
        with Image.open(tmp_path / "to" / row.file_name) as large:
            assert np.array_equal(np.asarray(large.convert("RGB")), np.asarray(expected))


def test_wrong_use(world: World, command: Command, tmp_path: Path) -> None:
    Image.fromarray(shapes(12, 8)).save(tmp_path / "a.png")
    given = ("upscale", tmp_path / "a.png", "--out", tmp_path / "out")
    for more, told in (
        (("--scale", "3"), "not ×3"),
        (("--method", "bicubic", "--model", world.model), "uses no --model"),
        (("--model", world.model), "not an upscaler"),
        (("--blur", "1"), "zero-shot"),
        (("--then", world.data), "no folder of a trained model"),
    ):
        ended = command(*given, *more)
        assert ended.status == 2 and told in ended.err, (more, ended.err)
    ended = command("upscale", "--out", tmp_path / "out")
    assert ended.status == 2
