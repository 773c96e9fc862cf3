import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from drawn_pictures import shapes
from garim.errors import DatasetError
from garim.pictures import Pixels
from garim.resizing import imresize
from garim.training.batches import Order
from garim.training.degradation import Degradation, degrade
from garim.training.pairs import Cutting, PairBatches, cut, read_pairs, turned, write_pairs


def cutting(**given: object) -> Cutting:
    chosen: dict[str, object] = {
        "scale": 2, "patch": 16, "whole": False, "most": 99, "flat": 0.0,
        "degradation": Degradation(), "seed": 0,
    }  # fmt: skip
    return Cutting(**{**chosen, **given})  # type: ignore[arg-type]


def draw(folder: Path, count: int = 3) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{number}, 강아지.png" for number in range(count)]
    for number, name in enumerate(names):
        Image.fromarray(shapes(50, 35, number)).save(folder / name)
    return names


def test_the_tables_read_back(tmp_path: Path) -> None:
    names = draw(tmp_path / "data")
    (tmp_path / "data" / "bad.png").write_bytes(b"no")
    Image.new("RGB", (9, 9)).save(tmp_path / "data" / "small.png")
    pairs, failures = write_pairs(
        tmp_path / "data", [*names, "bad.png", "small.png"], tmp_path / "pairs", cutting()
    )
    assert [one.picture for one in failures] == ["bad.png", "small.png"]
    assert "smaller --patch" in failures[1].error
    assert pairs.low.shape == (18, 8, 8, 3) and pairs.high.shape == (18, 16, 16, 3)
    assert isinstance(pairs.high, np.memmap)  # not loaded
    with (tmp_path / "pairs" / "pairs.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(row["picture"] for row in rows) == pairs.pictures
    for row, low, high in zip(rows, pairs.low, pairs.high, strict=True):
        picture = shapes(50, 35, names.index(row["picture"]))[:34]
        left, top, side = (int(row[name]) for name in ("left", "top", "side"))
        assert (high == picture[top : top + side, left : left + side]).all()
        small = imresize(picture, (25, 17))[top // 2 :, left // 2 :]
        assert (low == small[: side // 2, : side // 2]).all()
    assert (read_pairs(tmp_path / "pairs").low == pairs.low).all()


def test_a_broken_file_is_found(tmp_path: Path) -> None:
    names = draw(tmp_path / "data")
    write_pairs(tmp_path / "data", names, tmp_path / "pairs", cutting())
    file = tmp_path / "pairs" / "high.bin"
    data = bytearray(file.read_bytes())
    data[16 * 16 * 3 * 4 + 5] ^= 1
    file.write_bytes(data)
    with pytest.raises(DatasetError, match=r"1 pairs are not .* number 4"):
        read_pairs(tmp_path / "pairs")
    file.write_bytes(data[:-1])
    with pytest.raises(DatasetError, match="holds no pairs, or not all"):
        read_pairs(tmp_path / "pairs")
    with pytest.raises(DatasetError, match="holds no pairs"):
        read_pairs(tmp_path / "data")


def test_whole_most_and_flat(tmp_path: Path) -> None:
    (name, *_) = draw(tmp_path)
    (pair,) = cut(tmp_path / name, cutting(whole=True, patch=24))
    assert (pair.high == imresize(shapes(50, 35), (24, 24))).all()
    assert (pair.low == imresize(pair.high, (12, 12))).all()
    every = cut(tmp_path / name, cutting())
    few = cut(tmp_path / name, cutting(most=2))
    assert len(few) == 2 < len(every)
    assert {(p.left, p.top) for p in few} < {(p.left, p.top) for p in every}
    half = np.zeros((16, 32, 3), np.uint8)
    half[:, 16:] = shapes(16, 16)
    Image.fromarray(half).save(tmp_path / "half.png")
    assert [p.left for p in cut(tmp_path / "half.png", cutting(flat=2.0))] == [16]
    with pytest.raises(DatasetError, match="flat"):
        write_pairs(tmp_path, ["half.png"], tmp_path / "p", cutting(flat=500.0))


def test_batches_repeat_and_turn_together(tmp_path: Path) -> None:
    pairs, _ = write_pairs(tmp_path, draw(tmp_path), tmp_path / "pairs", cutting())
    plain = PairBatches(pairs, None)
    low, high = plain.__getitems__([3, 5])
    assert low.shape == (2, 8, 8, 3) and high.shape == (2, 16, 16, 3)
    assert (high[1].numpy() == pairs.high[5]).all()
    order = Order(len(pairs), 0)
    order.epoch = 2
    mixed = PairBatches(pairs, 7)
    numbers = list(order)[:6]
    first, again = (mixed.__getitems__(numbers) for _ in range(2))
    assert (first[0] == again[0]).all()
    ways = set()
    for number, one, other in zip(numbers, *first, strict=True):
        source = number % len(pairs)
        way = next(w for w in range(8) if (turned(pairs.low[source], w) == one.numpy()).all())
        assert (turned(pairs.high[source], way) == other.numpy()).all()
        ways.add(way)
    assert len(ways) > 2


def made(picture: Pixels, **how: object) -> Pixels:
    size = picture.shape[1] // 2, picture.shape[0] // 2
    return degrade(picture, size, Degradation(**how), np.random.default_rng(0))  # type: ignore[arg-type]


def test_degradations() -> None:
    picture = shapes()
    blurred = ndimage.gaussian_filter(
        picture.astype(float), (1.5, 1.5, 0), mode="nearest", radius=5
    )
    wanted = imresize(np.round(blurred).astype(np.uint8), (32, 24))
    assert np.abs(made(picture, blur=1.5).astype(int) - wanted).max() <= 1
    shifted = ((0, 0, 0), (0, 0, 5), (0, 0, 0))  # a blur convolves: everything moves right
    moved = np.concatenate([picture[:, :1], picture[:, :-1]], axis=1)
    assert (made(picture, kernel=shifted) == imresize(moved, (32, 24))).all()
    clean = made(picture).astype(int)
    assert 3 < np.std(made(picture, noise=5.0) - clean) < 6
    jpeg = made(picture, jpeg=30)
    assert 0 < np.abs(jpeg - clean).mean() < 25
    assert np.abs(jpeg - clean).mean() > np.abs(made(picture, jpeg=95) - clean).mean()


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"blur": -1.0}, "blur must be"),
        ({"noise": float("nan")}, "noise must be"),
        ({"jpeg": 0}, "from 1 to 100"),
        ({"kernel": ((1.0, 1.0),)}, "odd"),
        ({"kernel": ((1.0,), (1.0, 2.0))}, "odd"),
        ({"kernel": ((-1.0,),)}, "above 0"),
    ],
)
def test_degradations_that_cannot_be(how: dict[str, object], told: str) -> None:
    (problem,) = Degradation(**how).problems()  # type: ignore[arg-type]
    assert told in problem
