from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn_masks import NAMES, draw, save
from PIL import Image

from garim import dataset
from garim.errors import Failure, PictureError
from garim.models.palette import voc_palette
from garim.pictures import open_mask
from garim.training.masks import (
    VOC_CLASSES,
    VOID,
    Cropping,
    MaskedCrops,
    MaskRule,
    draw_crop,
    look_at_masks,
    palette_of,
    rule_of,
    usable,
)

PLAIN = Cropping(size=64, longest=64, mean=(0.5,) * 3, jitter=1.0, flip=False, light=False)


def one(root: Path, values: np.ndarray, mode: str = "L", **rows: object) -> dataset.Dataset:
    """A dataset of one picture with this mask."""
    save(np.zeros((*values.shape, 3), np.uint8), root / "images" / "a.png")
    (root / "masks").mkdir(parents=True)
    image = Image.fromarray(values)
    if mode == "P":
        image = Image.frombytes("P", image.size, values.tobytes())
        image.putpalette([v for colour in voc_palette(21) for v in colour])
    image.convert(mode).save(root / "masks" / "a.png") if mode in {"RGB", "1"} else image.save(
        root / "masks" / "a.png"
    )
    return dataset.read(root)


def test_palette_and_grey_masks_give_their_numbers(tmp_path: Path) -> None:
    values = np.array([[0, 5, 15], [255, 1, 2]], np.uint8)
    for mode in ("L", "P"):
        data = one(tmp_path / mode, values, mode)
        found, palette = open_mask(data.root / "masks" / "a.png")
        assert np.array_equal(found, values)
        assert len(palette) >= 63 if mode == "P" else not palette
    seen, _ = look_at_masks(data)
    assert palette_of(seen, 21) == voc_palette(21)


def test_masks_in_colour_are_refused(tmp_path: Path) -> None:
    data = one(tmp_path, np.zeros((4, 4), np.uint8), "RGB")
    seen, (failure,) = look_at_masks(data)
    assert not seen
    assert "class numbers; this one is RGB" in failure.error
    with pytest.raises(PictureError, match="RGB"):
        open_mask(tmp_path / "masks" / "a.png")


def test_every_bad_picture_is_listed_and_the_rest_goes_on(tmp_path: Path) -> None:
    draw(tmp_path, train=6, test=1)
    masks = tmp_path / "train" / "masks"
    (masks / "0.png").unlink()
    save(np.zeros((10, 20), np.uint8), masks / "1.png")
    save(np.full((51, 61), 9, np.uint8), masks / "2.png")
    (masks / "3.png").write_bytes(b"no picture")
    save(np.zeros((5, 5), np.uint8), masks / "stray.png")
    data = dataset.read(tmp_path)
    seen, failures = look_at_masks(data)
    good = usable(seen, rule_of(data, seen, NAMES), failures)
    assert [Path(m.name).name for m in good] == ["0.png", "4.png", "5.png"]
    assert [f.error.split(";")[0] for f in failures] == [
        "has no mask",
        "its mask train/masks/1.png has 20 × 10 pixels, the picture 61 × 50",
        "its mask train/masks/3.png: cannot be opened: not a picture in a format that Garim reads, "
        "or its header is broken",
        "its mask holds the value 9",
    ]
    assert data.failures == (
        Failure("train/masks/stray.png", "a mask without a picture in train/images"),
    )


def names_of(data: dataset.Dataset, *given: str, void: int = VOID) -> tuple[str, ...]:
    return rule_of(data, look_at_masks(data)[0], given, void).classes


def test_where_names_come_from(tmp_path: Path) -> None:
    data = one(tmp_path, np.array([[0, 1, 2, 255]], np.uint8))
    assert names_of(data) == ("0", "1", "2")
    assert names_of(data, "a", "b", "c", "d") == ("a", "b", "c", "d")
    labelled = replace(data, rows=(replace(data.rows[0], label="cat"),), classes=("cat", "dog"))
    assert names_of(labelled) == ("background", "cat", "dog")
    (tmp_path / "labels.txt").write_text("sky\nroad\ncar\n")
    assert names_of(data) == ("sky", "road", "car")
    (tmp_path / "labels.txt").write_text("too\nfew\n")
    assert names_of(data) == ("0", "1", "2")
    (tmp_path / "masks").rename(tmp_path / "SegmentationClass")
    assert names_of(dataset.read(tmp_path)) == VOC_CLASSES


def test_black_and_white_masks(tmp_path: Path) -> None:
    data = one(tmp_path, np.array([[0, 255, 255]], np.uint8))
    (seen,), _ = look_at_masks(data)
    rule = rule_of(data, [seen])
    assert (rule.classes, rule.white) == (("background", "object"), True)
    assert rule.read(seen.mask).tolist() == [[0, 1, 1]]
    assert rule.counts(seen).tolist() == [1, 2]


def test_void_has_any_value(tmp_path: Path) -> None:
    data = one(tmp_path, np.array([[0, 1, 7, 7]], np.uint8))
    (seen,), _ = look_at_masks(data)
    rule = MaskRule(classes=("a", "b"), void=7)
    assert rule.read(seen.mask).tolist() == [[0, 1, VOID, VOID]]
    assert rule.stranger(seen.counts) is None
    assert MaskRule(classes=("a", "b"), void=-1).stranger(seen.counts) == 7


def pair(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture whose red is its mask's class: they must stay together."""
    mask = np.zeros((height, width), np.uint8)
    mask[10:30, 20:50] = 1
    return np.stack([mask * 200] * 3, axis=2), mask


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("size", [(64, 64), (40, 60), (90, 130)])
def test_picture_and_mask_are_cropped_alike(seed: int, size: tuple[int, int]) -> None:
    picture, mask = pair(*size)
    cropping = replace(PLAIN, jitter=2.0, flip=True)
    crop, classes = draw_crop(picture, mask, cropping, np.random.default_rng(seed))
    assert crop.shape == (64, 64, 3) and classes.shape == (64, 64)
    inside = classes != VOID
    assert ((crop[..., 0] > 100) == (classes == 1))[inside].mean() > 0.93


def test_what_fits_is_left_as_it_is() -> None:
    picture, mask = pair(64, 64)
    crop, classes = draw_crop(picture, mask, PLAIN, np.random.default_rng(0))
    assert np.array_equal(crop, picture) and np.array_equal(classes, mask)


def test_crops_depend_on_the_seed_and_the_epoch_only(tmp_path: Path) -> None:
    data = draw(tmp_path, train=3, test=0).where(split=["train"])
    seen, _ = look_at_masks(data)
    rule, cropping = rule_of(data, seen), replace(PLAIN, jitter=1.5, flip=True, light=True)
    held = MaskedCrops(seen, rule, cropping, 0)
    opened = MaskedCrops(seen, rule, cropping, 0)
    opened._held = None
    other = MaskedCrops(seen, rule, cropping, 1)
    numbers = [0, 2, 4]  # the second epoch starts at 3
    for mine, theirs in zip(held.__getitems__(numbers), opened.__getitems__(numbers), strict=True):
        assert (mine == theirs).all()
    assert (held[0][0] != other[0][0]).any()
    assert (held[0][0] != held[3][0]).any()
    assert held[0][1].max() <= 2 or held[0][1].max() == VOID
