"""The contour crop, beside the document's code, and extraction without a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import garim
from garim.boxes import Box
from garim.errors import ModelError, SettingsError
from garim.extraction import ContourSettings, ExtractSettings, extract
from garim.extraction.contour import THRESHOLDS, trace
from garim.foreground import ForegroundSettings

DOCUMENT = ContourSettings(preset="document")
HOW = ForegroundSettings()


def photo(seed: int, width: int = 150, height: int = 200) -> np.ndarray:
    """A garment-like shape with folds, on a bright background with some noise."""
    rng = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), 235, np.uint8)
    left, top = int(rng.integers(25, 45)), int(rng.integers(60, 75))
    colour = tuple(int(v) for v in rng.integers(20, 250, 3))
    cv2.rectangle(pixels, (left, top), (left + 70, top + 55), colour, -1)
    for _ in range(6):
        x, y = int(rng.integers(left, left + 70)), int(rng.integers(top, top + 55))
        cv2.line(pixels, (x, y), (x + 5, y + 20), (90, 90, 90), 2)
    return np.clip(pixels + rng.normal(0, 2, pixels.shape), 0, 255).astype(np.uint8)


def of_the_document(rgb: np.ndarray) -> tuple[list[np.ndarray], tuple[int, int, int, int]]:
    """The document's code, line by line; its steps, and its box in its own small picture."""
    img1 = np.ascontiguousarray(rgb[..., ::-1])
    h, w = img1.shape[:2]
    h1, h2 = int(h * 0.2), int(h * 0.7)
    w1, w2 = int(w * 0.05), int(w * 0.95)
    img = img1[h1:h2, w1:w2]
    img = cv2.resize(img, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(img, cv2.COLOR_BGR2GRAY)
    img2 = cv2.adaptiveThreshold(
        gray, 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY, 15, 2
    )
    blur = cv2.medianBlur(img2, 5)
    kernel = np.ones((3, 3), np.uint8)
    closing = cv2.morphologyEx(blur, cv2.MORPH_CLOSE, kernel)
    gradient = cv2.morphologyEx(closing, cv2.MORPH_GRADIENT, kernel)
    contours = cv2.findContours(gradient, cv2.RETR_TREE, cv2.CHAIN_APPROX_TC89_L1)[0]
    rects = [cv2.boundingRect(contours[i]) for i in range(1, len(contours))]
    box = (min(r[0] for r in rects), min(r[1] for r in rects),
           max(r[0] + r[2] for r in rects), max(r[1] + r[3] for r in rects))  # fmt: skip
    return [img[..., ::-1], gray, img2, blur, closing, gradient], box


@pytest.mark.parametrize("seed", range(6))
def test_every_step_is_the_documents(seed: int) -> None:
    pixels = photo(seed, 150 + seed, 200 - 3 * seed)
    steps, box = of_the_document(pixels)
    traced = trace(pixels, DOCUMENT, HOW)
    ours = [one.picture for one in traced.steps[1:-1]]
    assert len(ours) == len(steps)
    assert all(np.array_equal(a, b) for a, b in zip(ours, steps, strict=True))
    small = steps[0].shape[:2]
    height, width = pixels.shape[:2]
    top, left = int(height * 0.2), int(width * 0.05)
    sy, sx = (int(height * 0.7) - top) / small[0], (int(width * 0.95) - left) / small[1]
    expected = Box(box[0] * sx + left, box[1] * sy + top, box[2] * sx + left, box[3] * sy + top)
    assert traced.box == expected


@pytest.mark.parametrize("preset", ["document", "auto"])
@pytest.mark.parametrize("size", [(1, 1), (2, 90), (40, 40)])
def test_a_picture_without_outlines_has_no_box(preset: str, size: tuple[int, int]) -> None:
    even = np.full((*size, 3), 200, np.uint8)
    assert trace(even, replace(DOCUMENT, preset=preset), HOW).box is None


def test_every_number_counts() -> None:
    pixels = photo(1)
    shown = [one.picture for one in trace(pixels, DOCUMENT, HOW).steps[1:-1]]
    for change in (
        {"trim_top": 0.1}, {"trim_bottom": 0.1}, {"trim_sides": 0.1}, {"shrink": 0.5},
        {"threshold": "otsu"}, {"block": 31}, {"offset": 10.0}, {"blur": 3}, {"kernel": 5},
    ):  # fmt: skip
        steps = trace(pixels, replace(DOCUMENT, **change), HOW).steps[1:-1]  # type: ignore[arg-type]
        assert not all(np.array_equal(a, b.picture) for a, b in zip(shown, steps, strict=True)), (
            change
        )


@pytest.mark.parametrize("name", THRESHOLDS)
def test_thresholds_part_black_from_white(name: str) -> None:
    grey = np.full((64, 64), 40, np.uint8)
    grey[20:44, 20:44] = 220
    found = THRESHOLDS[name](grey, DOCUMENT)
    assert set(np.unique(found)) == {0, 255}
    assert found[21, 42] == 255 and (name == "adaptive" or found[18, 18] == 0)


def test_global_and_otsu_miss_white_on_white_which_auto_finds() -> None:
    rng = np.random.default_rng(0)
    shade = np.linspace(225, 250, 128)[None, :, None] * np.ones((128, 1, 3))
    shade[34:94, 34:94] += 5
    pixels = np.clip(shade + rng.normal(0, 0.8, shade.shape), 0, 255).astype(np.uint8)
    truth = garim.boxes.to_array([Box(34, 34, 94, 94)])
    plain = replace(DOCUMENT, trim_top=0, trim_bottom=0, trim_sides=0)
    overlaps = {}
    for name, settings in (
        ("auto", ContourSettings()),
        ("otsu", replace(plain, threshold="otsu")),
        ("global", replace(plain, threshold="global")),
    ):
        box = trace(pixels, settings, HOW).box
        found = garim.boxes.to_array([box or Box(0, 0, 0, 0)])
        overlaps[name] = float(garim.boxes.iou(found, truth)[0, 0])
    assert overlaps["auto"] > 0.85
    assert max(overlaps["otsu"], overlaps["global"]) < 0.5


def test_wrong_settings_are_named_together() -> None:
    wrong = ContourSettings(preset="x", threshold="y", trim_top=0.8, shrink=0, block=4, blur=2,
                            kernel=0)  # fmt: skip
    with pytest.raises(SettingsError) as caught:
        wrong.check(tuple(THRESHOLDS))
    assert len(caught.value.problems) == 7


@pytest.fixture
def garments(tmp_path: Path) -> garim.Dataset:
    (tmp_path / "data" / "tops").mkdir(parents=True)
    for number in range(3):
        Image.fromarray(photo(number)).save(tmp_path / "data" / "tops" / f"{number}.png")
    even = np.full((60, 60, 3), 255, np.uint8)
    Image.fromarray(even).save(tmp_path / "data" / "tops" / "white.png")
    turned = Image.fromarray(np.rot90(photo(0)))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "data" / "tops" / "turned.jpg", quality=100, exif=exif)
    (tmp_path / "data" / "tops" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    return garim.read(tmp_path / "data")


@pytest.mark.parametrize(
    "settings",
    [
        ExtractSettings(method="contour"),
        ExtractSettings(method="contour", contour=DOCUMENT),
        ExtractSettings(method="foreground"),
    ],
    ids=["contour", "document", "foreground"],
)
def test_without_a_model(
    settings: ExtractSettings, garments: garim.Dataset, tmp_path: Path
) -> None:
    found = extract(garments, settings=settings, out=tmp_path / "plan.jsonl")
    told = found.to_dict()
    assert (told["pictures"], told["proposed"], told["no_box"]) == (6, 4, 1)
    assert [Path(one["picture"]).name for one in told["failed"]] == ["broken.png"]
    plan = garim.load_plan(tmp_path / "plan.jsonl")
    assert plan.model is None and plan.method == settings.method
    by_name = {Path(e.picture).name: e for e in plan}
    assert by_name["white.png"].reason and by_name["white.png"].score_after is None
    upright, turned = by_name["0.png"], by_name["turned.jpg"]
    assert upright.size == turned.size == (150, 200)
    assert upright.box is not None and turned.box is not None
    overlap = garim.boxes.iou(*(garim.boxes.to_array([e.box]) for e in (upright, turned)))
    assert overlap[0, 0] > 0.85
    applied = garim.apply(plan, to=tmp_path / "clean")
    assert applied.edits == {"crop": 4}


def test_a_method_that_needs_a_model_says_so(garments: garim.Dataset) -> None:
    for method in (None, "self", "windows"):
        with pytest.raises(ModelError, match="contour or foreground"):
            extract(garments, settings=ExtractSettings(method=method))


def test_unlabelled_pictures_have_boxes_too(garments: garim.Dataset) -> None:
    rows = tuple(replace(row, label=None) for row in garments.rows if "broken" not in row.file_name)
    found = extract(replace(garments, rows=rows), settings=ExtractSettings(method="contour"))
    assert found.to_dict()["proposed"] == 4
