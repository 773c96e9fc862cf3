from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_masks import save
from PIL import Image
from pycocotools import mask as run_lengths

import garim
from garim.boxes import Box
from garim.errors import DatasetError, ModelError, SettingsError
from garim.evaluation import judge_objects
from garim.models.instance_segmenter import (
    FoundObject,
    InstanceCard,
    InstanceSegmenter,
    create_instances,
)
from garim.training.instance_masks import look_at_outlines, target_of
from garim.training.instance_segmentation import InstanceTrainSettings, train_instances

torch.set_num_threads(1)  # networks this small gain nothing from more
TINY = "mobilenetv3_small_050"


def square(y: int, x: int, side: int = 20) -> np.ndarray:
    mask = np.zeros((64, 80), bool)
    mask[y : y + side, x : x + side] = True
    return mask


MASKS = (square(4, 5), square(30, 50))


def bowl(root: Path, pictures: int = 4) -> garim.Dataset:
    """Draw two bright squares per picture, and a mask of each, as the Data Science Bowl does."""
    for number in range(pictures):
        pixels = np.random.default_rng(number).integers(0, 60, (64, 80, 3), dtype=np.uint8)
        for index, mask in enumerate(MASKS):
            pixels[mask] = 220
            save(mask.astype(np.uint8) * 255, root / str(number) / "masks" / f"m{index}.png")
        save(pixels, root / str(number) / "images" / f"{number}.png")
    return garim.read(root)


def coco(root: Path, *segmentations: object) -> garim.Dataset:
    save(np.zeros((64, 80, 3), np.uint8), root / "images" / "a.png")
    annotations = [
        {"id": i, "image_id": 1, "category_id": 1, "bbox": [5, 4, 20, 20], "segmentation": one}
        for i, one in enumerate(segmentations)
    ]
    (root / "annotations").mkdir()
    text = json.dumps({
        "images": [{"id": 1, "file_name": "a.png", "width": 80, "height": 64}],
        "categories": [{"id": 1, "name": "block"}], "annotations": annotations,
    })  # fmt: skip
    (root / "annotations" / "instances_all.json").write_text(text)
    return garim.read(root)


def test_masks_of_files_polygons_and_run_lengths_are_one(tmp_path: Path) -> None:
    coded = run_lengths.encode(np.asfortranarray(MASKS[0].astype(np.uint8)))
    compressed = {"size": [64, 80], "counts": coded["counts"].decode()}
    flat, counts = MASKS[0].T.ravel(), []
    changes = np.flatnonzero(np.diff(flat.astype(np.int8))) + 1
    counts = np.diff([0, *changes, len(flat)]).tolist()
    polygon = [[5, 4, 25, 4, 25, 24, 5, 24]]
    data = coco(tmp_path / "c", polygon, compressed, {"size": [64, 80], "counts": counts})
    (seen,), failures = look_at_outlines(data)
    assert not failures and seen.labels == ("block",) * 3
    assert all(np.array_equal(seen.mask(number), MASKS[0]) for number in range(3))
    (files,), _ = look_at_outlines(bowl(tmp_path / "b", 1))
    assert files.labels == ("object", "object")
    assert np.array_equal(files.mask(0), MASKS[0])


def test_outlines_survive_writing_coco(tmp_path: Path) -> None:
    data = coco(tmp_path / "c", [[5, 4, 25, 4, 25, 24, 5, 24]], [])
    garim.write(data, tmp_path / "out", "coco")
    again = garim.read(tmp_path / "out")
    assert [o.outline for o in again.rows[0].objects] == [o.outline for o in data.rows[0].objects]


def test_bad_masks_are_listed(tmp_path: Path) -> None:
    bowl(tmp_path, 3)
    save(np.zeros((5, 5), np.uint8), tmp_path / "0" / "masks" / "m0.png")
    (tmp_path / "1" / "masks" / "m1.png").write_bytes(b"broken")
    seen, failures = look_at_outlines(garim.read(tmp_path))
    assert [one.name for one in seen] == ["2/images/2.png"]
    assert "5 × 5 pixels, the picture 80 × 64" in failures[0].error
    assert "cannot be opened" in failures[1].error
    broken = coco(tmp_path / "c", {"size": [9, 9], "counts": [81]})
    assert "another size" in look_at_outlines(broken)[1][0].error


def test_targets_are_the_objects_that_are_left() -> None:
    ids = np.zeros((32, 32), np.uint16)
    ids[2:10, 3:9], ids[20, 20], ids[15:18, 30:32] = 1, 2, 3
    target = target_of(ids, np.array([0, 7, 8, 9]))
    assert target["boxes"].tolist() == [[3, 2, 9, 10], [30, 15, 32, 18]]
    assert target["labels"].tolist() == [7, 9]
    assert target["masks"].sum(dim=(1, 2)).tolist() == [48, 6]
    assert target_of(np.zeros((8, 8), np.uint16), np.array([0]))["boxes"].shape == (0, 4)


def found(mask: np.ndarray, score: float) -> FoundObject:
    return FoundObject(label="object", score=score, box=Box(0, 0, 1, 1), mask=mask)


def test_average_precision_is_pycocotools_own(tmp_path: Path) -> None:
    data = bowl(tmp_path, 2)
    perfect = judge_objects(lambda p: [found(m, 0.9) for m in MASKS], data, ("object",))
    assert (perfect.ap, perfect.ap50, perfect.objects, perfect.pictures) == (1, 1, 4, 2)
    shifted = [found(square(4, 8), 0.9), found(MASKS[1], 0.8), found(square(0, 40, 5), 0.95)]
    report = judge_objects(lambda p: shifted, data, ("object",))
    # IoU of the shifted square: 17·20 / (2·400 − 340) = 0.739: right at five of ten thresholds.
    # Behind one false object the precision is 2/3 with both found, 1/3 … with one.
    assert report.ap50 == pytest.approx(2 / 3, abs=1e-3)
    assert 0.2 < report.ap < report.ap50
    nothing = judge_objects(lambda p: [], data, ("object",))
    assert nothing.ap == nothing.ap50 == 0


@pytest.mark.slow
def test_train_save_load_evaluate(tmp_path: Path) -> None:
    data = bowl(tmp_path / "data", 3)
    chosen = InstanceTrainSettings(
        backbone=TINY, weights="none", size=64, longest=80, epochs=1, batch=2, validation=0.3
    )
    made = train_instances(data, chosen, tmp_path / "model")
    assert made.to_dict()["task"] == "instances" and made.model.classes == ("object",)
    assert np.isfinite(made.model.card.metrics["validation_loss"])
    again = garim.load_model(tmp_path / "model")
    assert again.digest() == made.model.digest()
    pixels = np.random.default_rng(0).integers(0, 256, (100, 60, 3), dtype=np.uint8)
    again.network.roi_heads.detections_per_img = 5  # it has learned nothing: they are many
    objects = again.predict(pixels, least=0.0)
    assert all(one.mask.shape == (100, 60) for one in objects)
    scores = [one.score for one in objects]
    assert scores == sorted(scores, reverse=True)
    assert 0 <= garim.evaluate(again, data).ap <= 1


def test_what_cannot_work(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        train_instances(bowl(tmp_path, 1), InstanceTrainSettings(size=8, precision="9", batch=0))
    assert len(caught.value.problems) == 3
    save(np.zeros((40, 40, 3), np.uint8), tmp_path / "plain" / "cat" / "a.png")
    with pytest.raises(DatasetError, match="no picture with masks of single objects"):
        train_instances(garim.read(tmp_path / "plain"))
    with pytest.raises(ModelError, match="strides 4, 8, 16"):
        create_instances("vit_tiny_patch16_224", 1, {}, (0.5,) * 3, (0.5,) * 3)


def test_predictions_are_written(tmp_path: Path, monkeypatch) -> None:
    data = bowl(tmp_path / "data", 1)
    network = create_instances(TINY, 1, {}, (0.5,) * 3, (0.5,) * 3)
    card = InstanceCard(backbone=TINY, classes=("object",), longest=80, mean=(0.5,) * 3,
                        std=(0.5,) * 3)  # fmt: skip
    model = InstanceSegmenter(network, card)
    monkeypatch.setattr(
        InstanceSegmenter, "predict", lambda self, p, least: [found(m, 0.9) for m in MASKS]
    )
    done = garim.predict(model, data.path(data.rows[0]), to=tmp_path / "out")
    (mask,) = (tmp_path / "out" / "masks").iterdir()
    values = np.array(Image.open(mask))
    assert np.array_equal(values == 1, MASKS[0]) and np.array_equal(values == 2, MASKS[1])
    assert len(list((tmp_path / "out" / "overlays").iterdir())) == 1
    assert done.rows[0].to_dict()["objects"][0]["label"] == "object"
