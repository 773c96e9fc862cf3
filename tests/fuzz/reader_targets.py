"""Every reader of files that strangers wrote, in one table: what is read, and how.

The quick test (`test_fuzz_readers`) and the long run (``benchmarks/fuzz_readers.py``) share it. A
reader passes a case when it reads it, or raises an error of `garim.errors`.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import polars as pl
import torch
from mutations import mutated
from PIL import Image

from garim import formats, pictures
from garim import plan as plans
from garim.boxes import Box
from garim.dataset import Selection
from garim.dataset import read as read_dataset
from garim.errors import GarimError, PictureError
from garim.formats import archive
from garim.formats.rows import Contents, Object, Row
from garim.models import weights
from garim.models.classifier import Card, Classifier
from garim.models.detector import Detector, DetectorCard, create_detector
from garim.models.embedder import Embedder, EmbedderCard
from garim.models.networks import create
from garim.models.saved import load as load_model
from garim.models.upscaler import Upscaler, UpscalerCard, create_upscaler
from garim.plan import Edit, Plan, Subject
from garim.similarity.index import SCHEMA, Index
from garim.similarity.store import Store, StoreConfig

KINDS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "AVIF", "JPEG2000")
"""Kinds of pictures that are changed, where Pillow can write them."""

TINY = {"width": 4}
GREY = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Reader:
    """One reader: how a valid input is made, which of its files are changed, and how it is read."""

    name: str
    make: Callable[[Path], None]
    """Writes a valid input into a folder."""
    read: Callable[[Path], object]
    """Reads the input in the folder, and uses what it read."""
    changed: Callable[[Path], bool] = lambda path: path.suffix.lower() not in pictures.SUFFIXES
    """Tells which of the files are changed; by default all but the pictures."""


def draw(path: Path, kind: str = "PNG", side: int = 12, mode: str = "RGB") -> None:
    """Draw noise, the same every time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 256, (side, side + 3, 3), dtype=np.uint8)
    Image.fromarray(noise).convert(mode).save(path, kind)


def _all_pictures(folder: Path) -> None:
    for kind in KINDS:
        if kind in Image.SAVE:
            draw(folder / f"{kind.lower()}.img", kind, 32 if kind == "ICO" else 12)
    draw(folder / "grey.img", "PNG", mode="I;16")
    draw(folder / "palette.img", "PNG", mode="P")
    draw(folder / "print.img", "JPEG", mode="CMYK")
    with Image.open(folder / "jpeg.img") as image:
        exif = image.getexif()
        exif[0x0112] = 6
        image.save(folder / "turned.img", "JPEG", exif=exif)


def _open_picture(folder: Path) -> None:
    """Open the changed picture in every way; the error counts that all of them would raise."""
    path = folder / (folder / "changed.txt").read_text()
    pictures.is_picture(path)
    with suppress(PictureError):
        pictures.open_mask(path)
    with suppress(PictureError):
        pictures.header(path)
    pictures.open_picture(path)


def _contents(folder: Path) -> Contents:
    boxes = (Object("dog", Box(1, 2, 8.5, 9)), Object("고양이", Box(0, 0, 3, 3)))
    rows = (
        Row(file_name="a/1.png", label="dog", split="train", objects=boxes),
        Row(file_name="a/2.png", label="고양이", split="train", objects=boxes[1:], edits=("crop",),
            source="whole.png", source_box=Box(1, 1, 9, 9)),
        Row(file_name="b/3.png", label="dog", split="test", objects=boxes, edits=("crop",),
            source="whole.png", source_box=Box(1, 1, 9, 9)),
    )  # fmt: skip
    for row in rows:
        draw(folder / row.file_name)
    return Contents(rows=rows, classes=("고양이", "dog"))


def _written(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        formats.write(_contents(folder.with_name("pictures")), folder.with_name("pictures"),
                      folder, name)  # fmt: skip

    return make


def _used(path: Path, name: str | None = None) -> None:
    """Read a dataset, and do with its rows what every verb does."""
    formats.detect(path)
    found = read_dataset(path, Selection(format=name))
    found.counts()
    found.fingerprint()
    found.table()
    json.dumps([failure.to_dict() for failure in found.failures]).encode()


def _of_format(name: str) -> Reader:
    return Reader(name, _written(name), lambda folder: _used(folder, name))


def _parquet(folder: Path) -> None:
    _written("huggingface")(folder)
    for file in list(folder.rglob("metadata.jsonl")):
        pl.read_ndjson(file).write_parquet(file.with_suffix(".parquet"))
        file.unlink()


def _zip(folder: Path) -> None:
    _contents(folder.with_name("pictures"))
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "data.zip", "w", zipfile.ZIP_DEFLATED) as made:
        for file in sorted(folder.with_name("pictures").rglob("*.png")):
            made.write(file, file.relative_to(folder.with_name("pictures")))
        made.writestr("고양이/노트.txt", "x" * 100)


def _unpacked(inside: Callable[[Path], Path]) -> Callable[[Path], None]:
    """Unpack and read; whatever appears outside the cache is an escape."""

    def read(folder: Path) -> None:
        before = _listing(folder.parent)
        try:
            _used(inside(folder))
        finally:
            shutil.rmtree(archive.cache_folder(), ignore_errors=True)
            escaped = _listing(folder.parent) - before
            assert not escaped, f"written outside: {sorted(escaped)}"

    return read


def _listing(folder: Path) -> set[str]:
    cache = archive.cache_folder().parent
    return {str(one) for one in folder.rglob("*") if not one.is_relative_to(cache)}


def _plan(folder: Path) -> None:
    edits = (
        Edit(picture="a/1.png", edit="crop", label="dog", digest="0" * 32, size=(15, 12),
             box=Box(1, 2, 8, 9), score_before=0.5, score_after=0.9),
        Edit(picture="a/2.png", edit="relabel", label="dog", to="cat", reason="looks like a cat"),
        Edit(picture="a/3.png", edit="drop", kept=Subject(picture="a/1.png", size=(15, 12))),
        Edit(picture="a/4.png", edit="move", to="test"),
    )  # fmt: skip
    folder.mkdir(parents=True)
    plan = Plan(edits=edits, dataset=Path("data"), method="self", settings={"a": 1})
    plan.save(folder / "plan.jsonl")
    from garim.plan.decisions import Decisions

    proposed = plans.reading.proposals(folder / "plan.jsonl")
    decisions = Decisions(folder / "plan.jsonl")
    decisions.decide((proposed.keys[:1], {"state": "accepted"}))
    stays = {"picture": "a/3.png"}
    decisions.decide((proposed.keys[2:3], {"keep": stays}), (proposed.keys[1:2], {"keep": None}))


def _load_plan(folder: Path) -> None:
    plan = plans.load(folder / "plan.jsonl")
    json.dumps([edit.to_dict() for edit in plan.edits]).encode()
    plan.digest()
    plan.counts()


def _classifier(folder: Path) -> None:
    card = Card(architecture="small_cnn", options=TINY, classes=("cat", "dog"), size=16, mean=GREY,
                std=GREY, metrics={"accuracy": 0.5})  # fmt: skip
    Classifier(create("small_cnn", 2, TINY), card).save(folder)


def _embedder(folder: Path) -> None:
    card = EmbedderCard(architecture="small_cnn", options=TINY, outputs=2, size=16, mean=GREY,
                        std=GREY)  # fmt: skip
    Embedder(create("small_cnn", 2, TINY), card).save(folder)


def _detector(folder: Path) -> None:
    card = DetectorCard(
        network="fcos", backbone="test_resnet", classes=("dog",), size=64, mean=GREY, std=GREY
    )
    Detector(create_detector(card), card).save(folder)


def _upscaler(folder: Path) -> None:
    card = UpscalerCard(architecture="compact", options={"width": 4, "depth": 1})
    Upscaler(create_upscaler("compact", 2, card.options), card).save(folder)


def _model(name: str, make: Callable[[Path], None]) -> Reader:
    return Reader(name, make, load_model, lambda path: path.is_file())


def _weights(folder: Path) -> None:
    folder.mkdir(parents=True)
    state = {"a.weight": torch.zeros(2, 3), "a.bias": torch.zeros(2)}
    torch.save({"state_dict": state}, folder / "weights.pth")


def _index(folder: Path) -> None:
    _embedder(folder / "model")
    about = {"model": "x", "source": "x", "settings": {}, "dataset": {"path": "d"}}
    store = Store.create(folder, StoreConfig(components=4, about=about))
    rows = [(f"{n}.png", "/data", "dog", None, None, str(n)) for n in range(6)]
    store.append(np.eye(6, 4, dtype=np.float32), pl.DataFrame(rows, schema=SCHEMA, orient="row"))


def _open_index(folder: Path) -> None:
    index = Index(folder)
    index.labels()
    _ = index.settings
    index.to_dict()
    index.with_digest("1")
    numbers, _ = index.store.nearest(np.eye(1, index.store.config.components, dtype="f4"), 3)
    index.store.rows(numbers[0])


READERS: dict[str, Reader] = {
    one.name: one
    for one in (
        Reader("pictures", _all_pictures, _open_picture, lambda path: path.suffix == ".img"),
        Reader("zip", _zip, _unpacked(lambda folder: folder / "data.zip")),
        *map(
            _of_format, (name for name in formats.FORMATS if name not in {"folder", "webdataset"})
        ),
        Reader("webdataset", _written("webdataset"), _unpacked(lambda folder: folder)),
        Reader("parquet", _parquet, lambda folder: _used(folder, "huggingface")),
        Reader("plan", _plan, _load_plan),
        _model("classifier", _classifier),
        _model("embedder", _embedder),
        _model("detector", _detector),
        _model("upscaler", _upscaler),
        Reader("weights", _weights, lambda folder: weights.load_file_state(folder / "weights.pth")),
        Reader("index", _index, _open_index, lambda path: path.parent.name != "model"),
    )
}
"""Every reader by its name."""


class Bench:
    """A valid input on the disk, one file of which is changed for each case and then put back.

    Args:
        reader: a line of `READERS`.
        folder: a new or empty folder.
    """

    def __init__(self, reader: Reader, folder: Path) -> None:
        self.reader, self.folder = reader, folder / "data"
        os.environ["GARIM_CACHE"] = str(folder / "cache")
        reader.make(self.folder)
        files = sorted(one for one in self.folder.rglob("*") if one.is_file())
        self.valid = {one: one.read_bytes() for one in files if reader.changed(one)}

    def case(self, random: Random) -> tuple[Path, bytes]:
        """Draw a file and its new content."""
        file = random.choice(list(self.valid))
        return file, mutated(self.valid[file], file.name, random)

    def run(self, file: Path, content: bytes) -> str | None:
        """Read the input with one file changed; give the error that Garim raised, if it did."""
        file.write_bytes(content)
        if self.reader.name == "pictures":
            (self.folder / "changed.txt").write_text(file.name)
        try:
            self.reader.read(self.folder)
        except GarimError as error:
            str(error).encode()
            return type(error).__name__
        finally:
            file.write_bytes(self.valid[file])
        return None
