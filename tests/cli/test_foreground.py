"""``garim cutout``, ``garim contours``, and extraction without a model, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

import garim
from conftest import Command, World

GREEN, RED = (60, 120, 60), (210, 40, 30)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two red discs on green, one of them upright by its EXIF only, and an even picture."""
    folder = tmp_path / "photos"
    folder.mkdir()
    pixels = np.full((60, 90, 3), GREEN, np.uint8)
    cv2.circle(pixels, (30, 30), 15, RED, -1, cv2.LINE_AA)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(pixels).save(folder / "one.png", icc_profile=profile)
    turned = Image.fromarray(np.rot90(pixels))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(folder / "one.jpg", quality=100, exif=exif)
    Image.new("RGB", (40, 40), "white").save(folder / "even.png")
    return folder


def test_cutout(photos: Path, command: Command, tmp_path: Path) -> None:
    before = {p: p.read_bytes() for p in photos.iterdir()}
    out = tmp_path / "out"
    ended = command("cutout", photos, "--out", out, "--json")
    told = ended.json
    assert (ended.status, told["pictures"], told["written"], told["kept"]) == (3, 3, 2, 0)
    assert [Path(one["picture"]).name for one in told["failed"]] == ["even.png"]
    found = Image.open(out / "one.png.png")
    assert (found.mode, found.size) == ("RGBA", (90, 60))
    assert found.info["icc_profile"]
    pixels = np.asarray(found)
    assert pixels[30, 30].tolist() == [*RED, 255] and pixels[5, 80, 3] == 0
    assert np.abs(np.asarray(Image.open(out / "one.jpg.png")).astype(int) - pixels).mean() < 4
    assert {p: p.read_bytes() for p in photos.iterdir()} == before

    again = command("cutout", photos, "--out", out, "--json").json
    assert (again["written"], again["kept"]) == (0, 2)
    refused = command("cutout", photos, "--out", out, "--background", "white")
    assert refused.status == 2 and "other settings" in refused.err


def test_cutout_lists_what_is_no_picture(photos: Path, command: Command, tmp_path: Path) -> None:
    notes = photos / "notes.txt"
    notes.write_text("notes")
    ended = command("cutout", notes, photos / "one.png", "--out", tmp_path / "out", "--json")
    assert (ended.status, ended.json["written"]) == (3, 1)
    assert [one["picture"] for one in ended.json["failed"]] == [str(notes)]


def test_cutout_never_writes_among_the_pictures(photos: Path, command: Command) -> None:
    assert command("cutout", photos, "--out", photos).status == 2
    assert len(list(photos.iterdir())) == 3


@pytest.mark.parametrize("background", ["white", "#0000ff", "blur", "picture"])
def test_backgrounds(background: str, photos: Path, command: Command, tmp_path: Path) -> None:
    Image.new("RGB", (300, 20), (0, 0, 255)).save(tmp_path / "blue.png")
    name = tmp_path / "blue.png" if background == "picture" else background
    ended = command("cutout", photos / "one.png", "--out", tmp_path / "out", "--background", name,
                    "--format", "webp", "--quiet")  # fmt: skip
    assert ended.status == 0
    pixels = np.asarray(Image.open(tmp_path / "out" / "one.webp").convert("RGB")).astype(int)
    behind = {"white": (255, 255, 255), "blur": GREEN}.get(background, (0, 0, 255))
    assert np.abs(pixels[5:12, 60:85] - behind).max() <= 8
    assert np.abs(pixels[25:35, 25:35] - RED).max() <= 12


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--background", "nowhere.png"), "nowhere.png"),
        (("--format", "gif"), "png or webp"),
        (("--method", "magic"), "magic"),
        (("--method", "onnx"), "set weights to FILE.onnx"),
    ],
)
def test_wrong_use(
    options: tuple[str, ...], said: str, photos: Path, command: Command, tmp_path: Path
) -> None:
    ended = command("cutout", photos, "--out", tmp_path / "out", *options)
    assert ended.status == 2 and said in ended.err
    assert not (tmp_path / "out").exists()


def test_contours(photos: Path, command: Command, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ended = command("contours", photos / "one.png", "--out", out, "--thresholds", "--json")
    assert (ended.status, ended.json["foreground"]) == (0, 1)
    assert {Path(one).name for one in ended.json["files"]} == {p.name for p in out.iterdir()}
    told = json.loads((out / "contours.json").read_text())
    x, y, width, height = told["foreground"][0]["box"]
    assert np.abs(np.array([x, y, width, height]) - [15, 15, 31, 31]).max() <= 2
    tree = ElementTree.parse(out / "foreground.svg").getroot()  # noqa: S314 - ours
    assert tree.attrib["viewBox"] == "0 0 90 60" and len(tree) == 1
    assert Image.open(out / "thresholds.png").width > Image.open(out / "contours.png").width


def test_extract_without_a_model(world: World, command: Command, tmp_path: Path) -> None:
    out = tmp_path / "plan.jsonl"
    ended = command("extract", world.data, "--method", "contour", "--contour.preset", "document",
                    "--contour.trim-top", 0, "--show-steps", tmp_path / "steps", "--out", out,
                    "--json")  # fmt: skip
    assert (ended.status, ended.json["pictures"]) == (0, 24)
    assert len(list((tmp_path / "steps").iterdir())) == 8
    noted = garim.load_plan(out).settings["contour"]
    assert (noted["preset"], noted["trim_top"], noted["trim_bottom"]) == ("document", 0, 0.3)
    told = command("extract", world.data, "--out", out)
    assert told.status == 2 and "contour or foreground" in told.err


def test_extract_with_a_model_notes_the_scores(
    world: World, command: Command, tmp_path: Path
) -> None:
    out = tmp_path / "plan.jsonl"
    ended = command("extract", world.data, "--model", world.model, "--method", "foreground",
                    "--out", out, "--json")  # fmt: skip
    assert ended.status == 0
    plan = garim.load_plan(out)
    assert plan.model and all(e.score_before is not None for e in plan)
