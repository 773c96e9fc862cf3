"""Masks from labels alone, on drawn pictures whose masks are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import garim
from garim.boxes import Box
from garim.errors import DatasetError, ModelError, SettingsError
from garim.evaluation.segmentation import class_ious, confusion
from garim.extraction import MadeMasks, MaskSettings, make_masks
from garim.extraction.competition import decided, shares_of
from garim.formats.rows import Object, Row
from garim.models.classifier import Card, Classifier
from garim.models.localizer import Localizer
from garim.training.masks import VOID, look_at_masks, rule_of, usable

SIDE, GRID, EACH = 96, 12, 4
CLASSES = ("red", "blue")
SETTINGS = MaskSettings(runtime="torch")


class Colours(nn.Module):
    """A network whose feature map is how red and how blue each cell is."""

    def forward_intermediates(self, x: Tensor, intermediates_only: bool = True) -> list[Tensor]:
        """Average the difference of red and blue over each cell."""
        side = x.shape[-1] // GRID
        return [nn.functional.avg_pool2d(x[:, :1] - x[:, 2:], side)]


class ColourLocalizer(Localizer):
    """Evidence of the right colour, smeared over the cells around."""

    def __init__(self) -> None:
        super().__init__([1], len(CLASSES), GRID, SIDE)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Red and blue against a constant background."""
        seen = nn.functional.avg_pool2d(maps[0], 3, stride=1, padding=1)
        scores = torch.cat([torch.ones_like(seen), 12 * seen - 1, -12 * seen - 1], dim=1)
        return scores, torch.zeros(len(seen), 4, GRID, GRID)


@pytest.fixture
def classifier() -> Classifier:
    card = Card(architecture="colours", classes=CLASSES, size=SIDE, mean=(0, 0, 0), std=(1, 1, 1))
    return Classifier(Colours(), card, localizer=ColourLocalizer())


Drawn = tuple[garim.Dataset, dict[str, np.ndarray[Any, np.dtype[np.uint8]]]]


@pytest.fixture
def drawn(tmp_path: Path) -> Drawn:
    """Slanted bars of both colours on grey, or of one, and their masks by the picture's name."""
    rng, rows, truth = np.random.default_rng(0), [], {}
    for number in range(EACH):
        picture = np.full((SIDE, SIDE, 3), 130, np.uint8)
        mask = np.zeros((SIDE, SIDE), np.uint8)
        name, held = f"{number}.png", CLASSES if number % 3 else CLASSES[:1]
        for label in held:
            x = (16 if label == "red" else 56) + int(rng.integers(0, 8))
            ends = (x, 20), (x + 24, 76)
            colour = (215, 50, 45) if label == "red" else (40, 60, 210)
            cv2.line(picture, *ends, colour, 11)
            cv2.line(mask, *ends, 1 + CLASSES.index(label), 11)
            rows.append(Row(file_name=name, label=label))
        noisy = picture + rng.normal(0, 6, picture.shape)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(tmp_path / name)
        truth[Path(name).stem] = mask
    data = garim.Dataset(root=tmp_path, rows=tuple(rows), classes=CLASSES, origin=tmp_path)
    return data, truth


def masks_in(found: MadeMasks) -> dict[str, np.ndarray[Any, np.dtype[np.uint8]]]:
    return {one.stem: np.array(Image.open(found.mask_of(one))) for one in found.pictures}


def miou(made: dict[str, Any], truth: dict[str, Any]) -> float:
    """Mean IoU; what is void in the masks counts as background."""
    names = made.keys() & truth.keys()
    matrix = sum(confusion(truth[n], np.where(made[n] == VOID, 0, made[n]), 3) for n in names)
    return float(class_ious(np.asarray(matrix)).mean())


def boxed(truth: dict[str, Any]) -> dict[str, Any]:
    """Fill the true box of each label: what no mask may be worse than."""
    filled = {name: np.zeros_like(mask) for name, mask in truth.items()}
    for name, mask in truth.items():
        for number in (1, 2):
            left, top, width, height = cv2.boundingRect((mask == number).astype(np.uint8))
            filled[name][top : top + height, left : left + width][:] = number
    return filled


def test_masks_are_better_than_filled_boxes(
    drawn: Drawn, classifier: Classifier, tmp_path: Path
) -> None:
    data, truth = drawn
    found = make_masks(data, classifier, tmp_path / "to", SETTINGS)
    made = masks_in(found)
    assert len(found.pictures) == EACH and not found.failures
    assert miou(boxed(truth), truth) < 0.6
    assert miou(made, truth) > 0.75
    judged = [made[name] != VOID for name in truth]
    right = [made[name] == truth[name] for name in truth]
    assert np.mean([r[j].mean() for r, j in zip(right, judged, strict=True)]) > 0.95


def test_a_segmenter_can_read_them(drawn: Drawn, classifier: Classifier, tmp_path: Path) -> None:
    data, _ = drawn
    splits = ("train", "validation", "test")
    rows = [replace(row, split=splits[int(row.file_name[0]) % 3]) for row in data]
    found = make_masks(replace(data, rows=tuple(rows)), classifier, tmp_path / "to", SETTINGS)
    read = garim.read(found.to)
    assert read.splits == ("train", "validation")  # masks that were guessed are no truth
    masked, failures = look_at_masks(read)
    rule = rule_of(read, masked)
    assert (rule.classes, rule.void) == (("background", *CLASSES), VOID)
    assert len(usable(masked, rule, failures)) == len(found.pictures) == 3 and not failures


@pytest.mark.parametrize(
    ("changed", "holds"),
    [
        (MaskSettings(sure=1), lambda old, new: new["void"] > old["void"]),
        (MaskSettings(sure_background=1), lambda old, new: new["void"] > old["void"]),
        (MaskSettings(matte=False), lambda old, new: new["background"] < old["background"]),
        (MaskSettings(patches=0), lambda old, new: new != old),
        (MaskSettings(foreground=garim.ForegroundSettings(longest=64)),
         lambda old, new: new != old),
    ],
)  # fmt: skip
def test_every_setting_has_an_effect(
    changed: MaskSettings,
    holds: Callable[[Any, Any], bool],
    drawn: Drawn,
    classifier: Classifier,
    tmp_path: Path,
) -> None:
    data = replace(drawn[0], rows=drawn[0].rows[:3])
    old, new = (
        make_masks(data, classifier, tmp_path / name, replace(one, runtime="torch")).shares()
        for name, one in (("old", SETTINGS), ("new", changed))
    )
    assert holds(old, new)


def test_a_strong_label_leaves_room_for_a_weak_one() -> None:
    evidence = np.zeros((3, 8, 8), np.float32)
    evidence[1], evidence[2, :, 4:] = 2, 1.5
    picture = np.zeros((32, 32, 3), np.uint8)

    def won(balance: float) -> int:
        settings = MaskSettings(balance=balance, patches=0)
        shares = shares_of(evidence, picture, None, ([], []), settings)
        assert np.allclose(shares.sum(axis=0), 1, atol=1e-5)
        return int((shares[:, :, 20:].argmax(axis=0) == 2).sum())

    assert won(0) == 0 and won(1) == 12 * 32


def test_what_no_label_of_a_picture_names_is_void_with_rivals(
    drawn: Drawn, classifier: Classifier, tmp_path: Path
) -> None:
    rows = [replace(row, label=CLASSES[0], objects=()) for row in drawn[0].rows[:6]]
    data = replace(drawn[0], rows=tuple({row.file_name: row for row in rows}.values()))
    alone, rivals = (
        make_masks(data, classifier, tmp_path / str(on), replace(SETTINGS, rivals=on)).shares()
        for on in (False, True)
    )
    assert rivals["void"] > alone["void"] == 0


def test_what_shows_a_class_that_the_picture_does_not_have_stays_void() -> None:
    evidence = np.zeros((3, 8, 8), np.float32)
    evidence[1, :, :4], evidence[2, :, 4:] = 9, 9
    picture = np.zeros((32, 32, 3), np.uint8)
    settings = MaskSettings(patches=0)
    shares = shares_of(evidence, picture, None, ([],), settings)
    mask = decided(shares, [7], (32, 32), settings)
    assert set(np.unique(mask[:, :12])) == {7} and set(np.unique(mask[:, 20:])) == {VOID}


def test_boxes_bound_their_label(drawn: Drawn, classifier: Classifier, tmp_path: Path) -> None:
    data, _ = drawn
    upper = Object("red", Box(0, 0, SIDE, 48))
    boxed_rows = tuple(replace(row, objects=(upper,)) for row in data if row.label == "red")
    bound = replace(data, rows=boxed_rows)
    inside = masks_in(make_masks(bound, classifier, tmp_path / "a", SETTINGS))
    assert all((m[:44] == 1).any() and not (m[56:] == 1).any() for m in inside.values())
    loose = replace(SETTINGS, boxes=False)
    anywhere = masks_in(make_masks(bound, classifier, tmp_path / "b", loose))
    assert all((m[56:] == 1).any() for m in anywhere.values())


def test_a_run_goes_on(drawn: Drawn, classifier: Classifier, tmp_path: Path) -> None:
    data, _ = drawn
    first = make_masks(data, classifier, tmp_path / "to", SETTINGS)
    first.mask_of(first.pictures[2]).unlink()
    kept = first.mask_of(first.pictures[0]).stat().st_mtime_ns
    again = make_masks(data, classifier, tmp_path / "to", SETTINGS)
    assert (again.kept, again.pictures) == (EACH - 1, first.pictures)
    assert first.mask_of(first.pictures[0]).stat().st_mtime_ns == kept
    with pytest.raises(SettingsError, match="other settings"):
        make_masks(data, classifier, tmp_path / "to", replace(SETTINGS, sure=0.9))


def test_bad_pictures_are_listed(drawn: Drawn, classifier: Classifier, tmp_path: Path) -> None:
    data, _ = drawn
    (tmp_path / "broken.png").write_bytes(b"no picture")
    strange = [Row(file_name="broken.png", label="red"), Row(file_name="1.png", label="green"),
               Row(file_name="2.png")]  # fmt: skip
    rows = (*(row for row in data if row.file_name[0] not in "12"), *strange)
    data = replace(data, rows=rows, classes=(*CLASSES, "green"))
    found = make_masks(data, classifier, tmp_path / "to", SETTINGS)
    reasons = {one.picture: one.error for one in found.failures}
    assert set(reasons) == {"broken.png", "1.png", "2.png"}
    assert "'green'" in reasons["1.png"] and "no label" in reasons["2.png"]
    assert len(found.pictures) == EACH - 2
    assert found.to_dict()["pictures"] == len(found.pictures) + 3


def test_what_cannot_work_is_refused(drawn: Drawn, classifier: Classifier, tmp_path: Path) -> None:
    data, _ = drawn
    wrong = MaskSettings(sure=0, balance=2, patches=-1)
    with pytest.raises(SettingsError) as error:
        make_masks(data, classifier, tmp_path / "to", wrong)
    assert len(error.value.problems) == 3
    with pytest.raises(ModelError, match="no localizer"):
        make_masks(data, Classifier(Colours(), classifier.card), tmp_path / "to")
    tested = tuple(replace(row, split="test") for row in data)
    with pytest.raises(DatasetError, match="test split"):
        make_masks(replace(data, rows=tested), classifier, tmp_path / "to")
    with pytest.raises(SettingsError, match="background"):
        make_masks(replace(data, classes=(*CLASSES, "background")), classifier, tmp_path / "to")
