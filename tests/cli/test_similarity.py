"""Compare and search, as a user types them."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import garim
from conftest import Command, World
from garim import similarity
from garim.cli import app
from garim.models.networks import create
from garim.similarity.store import Store

TINY = ("--backbone", "small_cnn", "--size", "32", "--weights")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "small.pth"
    torch.manual_seed(0)
    torch.save(create("small_cnn", 3).state_dict(), path)
    return path


@pytest.fixture
def index(world: World, command: Command, tmp_path: Path) -> Path:
    to = tmp_path / "index"
    ended = command("search", "index", world.data, "--to", to, "--model", world.model, "--json")
    assert ended.status == 0, ended.err
    told = ended.json
    assert (told["vectors"], told["added"], told["already_there"]) == (24, 24, 0)
    assert (told["search"], told["recall_at_10"], told["failed"]) == ("exact", None, [])
    return to


def test_the_vectors_are_the_penultimate_layer(index: Path, world: World) -> None:
    model, found = garim.load_model(world.model), similarity.Index(index)
    data = garim.read(world.data)
    pixels = np.stack([garim.pictures.square(data.path(row), 32) for row in data])
    inputs = (torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
    model.network.reset_classifier(0)
    with torch.no_grad():
        expected = torch.nn.functional.normalize(model.network(inputs)).numpy()
    cosines = (found.store.vectors(np.arange(24)) * expected).sum(axis=1)
    assert cosines.min() > 0.99999


def test_query(index: Path, world: World, command: Command, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    moved = Path(shutil.move(index, tmp_path / "moved"))
    asked = tmp_path / "new name.png"
    shutil.copy(world.data / "blue" / "3.png", asked)
    told = command("search", "query", moved, asked, "-k", 3, "--sheet", sheet, "--json").json
    first = told["neighbours"][0]
    assert (first["picture"], first["label"]) == ("blue/3.png", "blue")
    assert first["similarity"] == pytest.approx(1, abs=1e-4)
    assert len(told["neighbours"]) == 3 and told["box"] is None
    here = told["already_here"]
    assert [(one["picture"], one["kind"]) for one in here] == [("blue/3.png", "exact")]
    assert Image.open(sheet).width > 3 * 200
    boxed = command("search", "query", moved, asked, "--box", "4,4,30,20", "--json").json
    assert boxed["box"] == [4, 4, 30, 20]
    assert boxed["neighbours"][0]["similarity"] < 0.9999
    new = tmp_path / "new.png"
    Image.fromarray(np.random.default_rng(9).integers(0, 256, (48, 48, 3), np.uint8)).save(new)
    assert command("search", "query", moved, new, "--json").json["already_here"] == []


def test_an_index_is_asked_by_its_folder_too(index: Path, world: World) -> None:
    asked = world.data / "blue" / "3.png"
    found = garim.query(str(index), asked, count=2)
    assert found.neighbours == garim.query(similarity.Index(index), asked, count=2).neighbours
    assert similarity.evaluate_search(index) == similarity.evaluate_search(similarity.Index(index))
    with pytest.raises(garim.DatasetError, match="is no index"):
        garim.query(world.data, asked)


def test_a_copy_of_two_datasets_is_told_with_its_folder(
    index: Path, world: World, command: Command, tmp_path: Path
) -> None:
    asked = world.data / "blue" / "3.png"
    said = command("search", "query", index, asked).out
    assert f"Already here (exact): {asked}" in said.splitlines()


def test_a_saved_again_copy_is_found(
    index: Path, world: World, command: Command, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.jpg"
    smooth = Image.open(world.data / "green" / "2.png").resize((300, 300))
    smooth.save(copy, quality=90)
    told = command("search", "query", index, copy, "--json").json
    assert [one["picture"] for one in told["already_here"]] == ["green/2.png"]
    assert told["already_here"][0]["kind"] != "exact"


def test_a_faster_runtime_is_near(index: Path, world: World, tmp_path: Path) -> None:
    network = similarity.EmbedSettings(runtime="torch")
    model, data = garim.load_model(world.model), garim.read(world.data)
    fast = similarity.index(data, tmp_path / "fast", model, network=network).index
    numbers = np.arange(24)
    plain = similarity.Index(index)
    assert fast.model == plain.model
    assert np.abs(fast.store.vectors(numbers) - plain.store.vectors(numbers)).max() < 0.02


def test_add(index: Path, data: Path, command: Command) -> None:
    Image.new("RGB", (48, 48), (200, 100, 0)).save(data / "blue" / "new.png")
    shutil.copy(data / "blue" / "1.png", data / "blue" / "same.png")
    (data / "blue" / "broken.png").write_text("no picture")
    ended = command("search", "add", index, data, "--json")
    assert ended.status == 3
    assert (ended.json["added"], ended.json["already_there"], ended.json["vectors"]) == (1, 25, 25)
    assert [one["picture"] for one in ended.json["failed"]] == ["blue/broken.png"]
    assert command("search", "add", index, data, "--json").json["added"] == 0


def test_another_models_vectors_are_refused(
    index: Path, world: World, weights: Path, command: Command, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    made = command("train", world.data, "--task", "embed", "--out", other, *TINY, weights,
                   "--epochs", 2, "--components", 8, "--batch", 8, "--json")  # fmt: skip
    assert made.status == 0, made.err
    assert (made.json["task"], made.json["components"]) == ("embed", 8)
    for more in (("query", index, world.data / "blue" / "1.png"), ("add", index, world.data)):
        ended = command("search", *more, "--model", other)
        assert ended.status == 2 and "was made by the model" in ended.err
    into = command("search", "index", world.data, "--to", index, "--model", other)
    assert into.status == 2 and "another model" in into.err
    for path in other.glob("*.*"):
        shutil.copy(path, index / "model" / path.name)
    ended = command("search", "query", index, world.data / "blue" / "1.png")
    assert ended.status == 2 and "was made by the model" in ended.err


def test_evaluate(index: Path, world: World, command: Command) -> None:
    told = command("search", "evaluate", index, "--json").json
    assert set(told) >= {"map", "precision_at_10", "bullseye", "per_class", "failed"}
    assert told["queries"] == 24 and 0.3 < told["map"] <= 1
    asked = command("search", "evaluate", index, world.data, "--classes", "blue", "--json").json
    assert asked["queries"] == 8 and asked["nearest"] == 1  # each finds itself
    assert "mAP" in command("search", "evaluate", index).out


def test_objects_whitening_and_views(
    world: World, weights: Path, command: Command, tmp_path: Path
) -> None:
    to = tmp_path / "objects"
    arguments = ("search", "index", world.truth, "--to", to, "--objects", "--whiten", 6, "--views",
                 "flip", "--pooling", "gem", "--half", *TINY, weights, "--json")  # fmt: skip
    told = command(*arguments).json
    assert (told["vectors"], told["components"]) == (24, 2)  # three colours: two directions
    again = command(*arguments).json  # goes on, with nothing left to do
    assert (again["added"], again["already_there"]) == (0, 24)
    row = garim.read(world.truth).rows[0]
    box = ",".join(str(v) for v in row.objects[0].box.xywh())
    picture = world.truth / row.file_name
    first = command("search", "query", to, picture, "--box", box, "--json").json["neighbours"][0]
    assert first["box"] == row.objects[0].box.xywh()
    assert first["similarity"] == pytest.approx(1, abs=0.02)
    spread = similarity.Index(to).store.vectors(np.arange(24)).std(axis=0)
    assert spread.max() < 2 * spread.min()


def test_compare(world: World, command: Command, tmp_path: Path) -> None:
    first, second, sheet = tmp_path / "a.png", tmp_path / "b.png", tmp_path / "sheet.png"
    canvas = np.full((200, 200, 3), 255, np.uint8)
    canvas[60:140, 40:160] = (30, 60, 160)
    Image.fromarray(canvas).save(first)
    Image.fromarray(np.ascontiguousarray(np.rot90(canvas))).save(second)
    told = command("compare", first, second, "--model", world.model, "--sheet", sheet, "--json")
    assert told.status == 0
    found = told.json
    assert set(found["hu"]) == {"I1", "I2", "I3"} and max(found["hu"].values()) < 0.05
    assert found["contour"] < 0.05 and -1 <= found["embedding"] <= 1.0001
    assert found["copy"]["kind"] == "rotated" and 0 <= found["phash"] <= 64
    assert Image.open(sheet).size[0] > 1000
    same = command("compare", first, first, "--sheet", sheet, "--json").json
    assert (same["phash"], same["contour"], same["embedding"]) == (
        0,
        pytest.approx(0, abs=1e-3),
        None,
    )
    assert "Outlines by Hu moments" in command("compare", first, second, "--sheet", sheet).out


@pytest.mark.parametrize(("words", "message"), [
    (("query", "INDEX", "PICTURE", "--box", "1,2,3"), "needs x,y,width,height"),
    (("query", "INDEX", "PICTURE", "-k", "0"), "at least 1"),
    (("query", "INDEX", "PICTURE", "--box", "500,500,10,10"), "no pixel"),
    (("query", "NOTHING", "PICTURE"), "is no index"),
    (("index", "DATA", "--to", "INDEX", "--whiten", "-1"), "whiten must be at least 0"),
    (("index", "DATA", "--to", "DATA", "--model", "MODEL"), "holds no index"),
    (("index", "DATA", "--to", "NEW", "--model", "MODEL", "--backbone", "vgg16"), "has its own"),
])  # fmt: skip
def test_wrong_use(
    words: tuple[str, ...],
    message: str,
    index: Path,
    world: World,
    command: Command,
    tmp_path: Path,
) -> None:
    places = {"INDEX": index, "PICTURE": world.data / "blue" / "1.png", "DATA": world.data,
              "MODEL": world.model, "NOTHING": tmp_path, "NEW": tmp_path / "new"}  # fmt: skip
    ended = command("search", *(places.get(word, word) for word in words))
    assert ended.status == 2 and message in ended.err


def test_every_option_of_search_has_help(command: Command) -> None:
    for name in ("index", "add", "query", "evaluate"):
        for argument in app["search"][name].assemble_argument_collection(parse_docstring=True):
            assert not argument.show or argument.parameter.help, f"{name}: {argument.name}"
        assert command("search", name, "--help").status == 0


def test_interrupted_indexing_goes_on(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, data, to = garim.load_model(world.model), garim.read(world.data), tmp_path / "index"
    module = importlib.import_module("garim.similarity.index")
    monkeypatch.setattr(module, "PART", 4)
    append, calls = Store.append, []

    def killed(self: Store, *given: Any) -> None:
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        append(self, *given)

    monkeypatch.setattr(Store, "append", killed)
    with pytest.raises(KeyboardInterrupt):
        similarity.index(data, to, model)
    assert len(similarity.Index(to)) == 8
    assert [path.name for path in tmp_path.iterdir()].count("index.unfinished") == 1
    again = similarity.index(data, to, model)
    assert (again.added, again.known, len(again.index)) == (16, 8, 24)
    assert not (tmp_path / "index.unfinished").exists()
    whole = similarity.index(data, tmp_path / "whole", model).index
    assert json.loads((to / "config.json").read_text())["about"] == whole.store.config.about
    numbers = np.arange(24)
    assert np.allclose(again.index.store.vectors(numbers), whole.store.vectors(numbers), atol=1e-4)
