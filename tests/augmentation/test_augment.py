"""Augmenting: balanced, seeded, only what is trained on; boxes and masks follow; no leaks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional

import garim
from garim import dataset, pictures
from garim.augmentation import AugmentSettings, augment
from garim.augmentation.moves import Move, followed, warped
from garim.augmentation.policies import POLICIES
from garim.boxes import Box, iou, to_array
from garim.dataset import Dataset
from garim.errors import DatasetError, SettingsError
from garim.formats.rows import Object, Row

RED = (220, 30, 30)


def drawn(root: Path, counts: dict[str, int], split: str = "") -> Dataset:
    """Draw a red rectangle on grey noise, with its box and its mask."""
    rng, rows = np.random.default_rng(len(split)), []
    for label, count in counts.items():
        for number in range(count):
            values = rng.integers(90, 160, (60, 80, 3), dtype=np.uint8)
            x, y = (int(v) for v in rng.integers(20, 35, 2))
            values[y : y + 16, x : x + 24] = RED
            mask = np.zeros((60, 80), np.uint8)
            mask[y : y + 16, x : x + 24] = 1
            name = "/".join(filter(None, (split, label, f"{number}.png")))
            for part, array in ((name, values), (f"masks/{split}{label}{number}.png", mask)):
                (root / part).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(root / part)
            rows.append(Row(file_name=name, label=label, split=split or None,
                            mask_file_name=f"masks/{split}{label}{number}.png",
                            objects=(Object(label, Box(x, y, x + 24, y + 16)),)))  # fmt: skip
    return Dataset(root=root, rows=tuple(rows), classes=tuple(sorted(counts)), origin=root)


def red_of(path: Path) -> np.ndarray:
    values = pictures.to_array(pictures.open_picture(path).image).astype(int)
    return np.asarray((values[..., 0] - values[..., 1] > 60) & (values[..., 0] > 120))


@pytest.mark.parametrize("move", [
    Move(angle=33), Move(shift=(0.1, -0.2)), Move(zoom=(1.2, 1.2)), Move(flip=True),
    Move(angle=-20, shift=(0.05, 0.1), zoom=(0.8, 0.8)),
])  # fmt: skip
def test_moves_equal_torchvision(move: Move) -> None:
    rng = np.random.default_rng(0)
    picture = np.kron(rng.integers(0, 256, (6, 8, 3)), np.ones((10, 10, 1))).astype(np.uint8)
    box, matrix = Box(30, 20, 50, 38), move.matrix(80, 60)
    image = tv_tensors.Image(torch.from_numpy(picture.copy()).permute(2, 0, 1))
    boxes = tv_tensors.BoundingBoxes(
        [list(box.xyxy())], format="XYXY", canvas_size=(60, 80), dtype=torch.float32
    )  # type: ignore[call-overload]
    options = {"translate": [move.shift[0] * 80, move.shift[1] * 60], "scale": move.zoom[0],
               "shear": [0.0, 0.0]}  # fmt: skip
    if move.flip:
        image, boxes = functional.horizontal_flip(image), functional.horizontal_flip(boxes)
    expected = functional.affine(image, angle=move.angle, interpolation=2, **options)
    expected_box = functional.affine(boxes, angle=move.angle, **options)
    found, visible = followed(box, matrix, 80, 60)
    assert visible == pytest.approx(1)
    assert found.xyxy() == pytest.approx(expected_box[0].tolist(), abs=1.01)
    inside = functional.affine(torch.ones(1, 60, 80), angle=move.angle, **options)[0] > 0
    apart = np.abs(warped(picture, matrix).astype(int) - expected.permute(1, 2, 0).numpy())
    assert apart[inside.numpy()].mean() < 6  # the same but for rounding of edges


def test_classes_are_filled_up_and_nothing_else_changes(tmp_path: Path) -> None:
    train = drawn(tmp_path / "in", {"big": 7, "small": 2}, "train")
    test = drawn(tmp_path / "in", {"big": 1, "small": 1}, "test")
    data = replace(train, rows=(*train.rows, *test.rows))
    found = augment(data, AugmentSettings(per_class=6), tmp_path / "out")
    assert found.copies == {"small": 4} and not found.failures
    counts = garim.read(tmp_path / "out").counts()
    assert counts == {"train": {"big": 7, "small": 6}, "test": {"big": 1, "small": 1}}
    times = Counter(row.source for row in found.dataset if row.label == "small" and row.edits)
    assert sorted(times.values()) == [2, 2]  # each picture the same number of times
    for row in data.rows:
        assert (tmp_path / "out" / row.file_name).read_bytes() == data.path(row).read_bytes()


@pytest.mark.parametrize("policy", POLICIES)
def test_boxes_and_masks_follow(tmp_path: Path, policy: str) -> None:
    data = drawn(tmp_path / "in", {"a": 2})
    found = augment(data, AugmentSettings(per_class=12, policy=policy), tmp_path / "out")
    copies = [row for row in found.dataset if row.edits]
    assert len(copies) == 10
    exact = POLICIES[policy].angle == 0
    for row in copies:
        red = red_of(found.dataset.path(row))
        mask, _ = pictures.open_mask(found.dataset.root / (row.mask_file_name or ""))
        both, either = (red & (mask == 1)).sum(), (red | (mask == 1)).sum()
        assert POLICIES[policy].saturation or both / either > 0.7  # else red is no more
        ys, xs = np.nonzero(mask)
        tight = Box(xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
        (one,) = row.objects
        assert iou(to_array([one.box]), to_array([tight]))[0, 0] > (0.85 if exact else 0.7)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    data = drawn(tmp_path / "in", {"a": 3})
    outs = [augment(data, AugmentSettings(per_class=8, policy="strong", seed=seed), tmp_path / name)
            for seed, name in ((1, "one"), (1, "two"), (2, "three"))]  # fmt: skip
    one, two, three = ({row.file_name: out.dataset.path(row).read_bytes() for row in out.dataset}
                       for out in outs)  # fmt: skip
    assert one == two and one != three


def test_large_pictures_are_made_smaller_with_their_boxes(tmp_path: Path) -> None:
    data = drawn(tmp_path / "in", {"a": 1})
    settings = AugmentSettings(per_class=2, policy="flip-only", longest=40, seed=3)
    (copy,) = [row for row in augment(data, settings, tmp_path / "out").dataset if row.edits]
    assert pictures.header(tmp_path / "out" / copy.file_name).width == 40
    assert copy.objects[0].box.width == pytest.approx(12)


def test_a_box_that_leaves_the_picture_is_left_out() -> None:
    box, visible = followed(Box(0, 0, 10, 10), Move(shift=(-0.08, 0)).matrix(100, 50), 100, 50)
    assert box == Box(0, 0, 2, 10) and visible == pytest.approx(0.2)


def test_copies_stay_with_their_source(tmp_path: Path) -> None:
    data = drawn(tmp_path / "in", {"a": 6})
    out = augment(data, AugmentSettings(per_class=24, policy="strong"), tmp_path / "out").dataset
    parted = garim.split(out, garim.SplitSettings(test=0.3, validation=0.2))
    sides: dict[str | None, set[str | None]] = {}
    for row in parted:
        sides.setdefault(row.source, set()).add(row.split)
    assert {len(one) for one in sides.values()} == {1}
    assert {row.split for row in parted} == {"train", "validation", "test"}


def test_a_source_that_names_a_site_joins_nothing(tmp_path: Path) -> None:
    data = drawn(tmp_path / "in", {"a": 4})
    rows = tuple(replace(row, source="flickr") for row in data.rows)
    names = [row.file_name for row in rows]
    assert len(set(dataset.related(replace(data, rows=rows), names))) == 4


def test_an_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = drawn(tmp_path / "in", {"a": 2})
    settings, saved, made = AugmentSettings(per_class=6), pictures.save, []

    def save(image: Image.Image, path: Path) -> None:
        made.append(path)
        if len(made) == 5:
            raise KeyboardInterrupt
        saved(image, path)

    monkeypatch.setattr(pictures, "save", save)
    with pytest.raises(KeyboardInterrupt):
        augment(data, settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    again = augment(data, settings, tmp_path / "out")
    assert len(again.dataset) == 6 and len(made) < 2 * 8
    with pytest.raises(DatasetError, match="not empty"):
        augment(data, settings, tmp_path / "out")


def test_broken_pictures_are_listed_and_made_up_for(tmp_path: Path) -> None:
    data = drawn(tmp_path / "in", {"a": 4, "b": 5})
    data.path(data.rows[0]).write_bytes(b"broken")
    for cut in (1, 4):  # their headers are whole
        whole = data.path(data.rows[cut]).read_bytes()
        data.path(data.rows[cut]).write_bytes(whole[: len(whole) // 2])
    found = augment(data, AugmentSettings(per_class=5), tmp_path / "out")
    assert {one.picture for one in found.failures} == {"a/0.png", "a/1.png", "b/0.png"}
    assert len(found.failures) == 3
    assert found.dataset.counts()["all"] == {"a": 5, "b": 5}
    assert found.copies == {"a": 3, "b": 1}


def test_a_picture_whose_mask_is_broken_is_not_copied(tmp_path: Path) -> None:
    data = drawn(tmp_path / "in", {"a": 3})
    broken = data.rows[1].mask_file_name or ""
    (data.root / broken).write_bytes(b"broken")
    found = augment(data, AugmentSettings(per_class=5), tmp_path / "out")
    assert [one.picture for one in found.failures] == [broken]
    assert len(found.dataset) >= 5
    assert "a/1.png" not in {row.source for row in found.dataset if row.edits}


def test_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"per_class(.|\n)*there is no policy"):
        AugmentSettings(per_class=0, policy="nothing").check()
    data = drawn(tmp_path / "in", {"a": 1})
    bare = replace(data, rows=tuple(replace(r, label=None, objects=()) for r in data.rows))
    with pytest.raises(DatasetError, match="no picture with a label"):
        augment(bare, to=tmp_path / "out")
