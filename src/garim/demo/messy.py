"""The demo dataset on disk: class folders as people have them, and the truth about each picture.

A split of a class is a row of numbered *slots*. What a slot holds follows from the seed, the split,
the class and the number alone, so that a larger dataset starts with the pictures of a smaller one.
"""

from __future__ import annotations

import csv
import io
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from garim import files, pictures
from garim.demo.creatures import CREATURES
from garim.demo.drawing import Random
from garim.demo.scenes import Scene, draw_scene
from garim.errors import DatasetError
from garim.formats.rows import Object

CLASSES = tuple(CREATURES)
COLUMNS = ("file", "split", "label", "object", "xmin", "ymin", "xmax", "ymax")

# One slot in this many has the property; each class starts counting elsewhere.
_MIXED_EVERY = 4
_WRONG_EVERY = 25
_DUPLICATE_EVERY = 33
_TURNED_EVERY = 29
_PNG_EVERY = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthPicture:
    """What one file of the dataset really is."""

    file_name: str
    """Relative to the dataset's folder, with ``/``, spelled as on the disk."""
    split: str
    label: str
    """The class whose folder it lies in."""
    shows: str
    """The class of the creature that is meant; of a broken file, the folder's."""
    objects: tuple[Object, ...] = ()
    """Every creature in it, the one that is meant first; boxes in upright pixels."""
    faults: tuple[str, ...] = ()
    """``wrong_label``, ``duplicate_of:<file>``, ``broken``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Everything about a dataset that Garim is asked to find out."""

    name: str
    """Name of the dataset's folder."""
    classes: tuple[str, ...]
    pictures: tuple[TruthPicture, ...]
    strays: tuple[str, ...] = ()
    """Files that are no pictures, relative to the dataset's folder."""


def draw_dataset(
    folder: Path, *, pictures_per_class: int = 110, test_per_class: int = 30, seed: int = 0
) -> Truth:
    """Draw a messy dataset: ``train`` has faults, ``test`` has right labels and no copies.

    Broken and stray files come on top of ``pictures_per_class``. The same arguments give the same
    bytes.

    Args:
        folder: where to; must not exist or be empty.
        pictures_per_class: files of each class in ``train``.
        test_per_class: files of each class in ``test``.
        seed: another seed draws other pictures.

    Raises:
        DatasetError: the folder holds something already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DatasetError(f"{folder} is not empty; name a new folder for the demo dataset")
    truth: list[TruthPicture] = []
    for split, count in (("train", pictures_per_class), ("test", test_per_class)):
        for label in CLASSES:
            slots = (_Slot(seed, split, label, number) for number in range(count))
            truth += [_write_slot(folder, slot) for slot in slots]
    truth += _write_broken(folder, truth)
    strays = _write_strays(folder)
    return Truth(name=folder.name, classes=CLASSES, pictures=tuple(truth), strays=strays)


def write_truth(truth: Truth, path: Path) -> None:
    """Write a CSV that Garim's csv format reads, one line per creature.

    It is meant to stand beside the dataset's folder: ``file`` begins with that folder's name.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for picture in truth.pictures:
        for item in picture.objects:
            file = f"{truth.name}/{picture.file_name}"
            corners = (f"{value:g}" for value in item.box.xyxy())
            writer.writerow([file, picture.split, picture.label, item.label, *corners])
    files.write_text(path, text.getvalue())


@dataclass(frozen=True, slots=True)
class _Slot:
    seed: int
    split: str
    label: str
    number: int

    def rng(self, purpose: str) -> Random:
        """Give random numbers that no other slot and no other purpose draws."""
        key = f"{self.split}/{self.label}/{self.number}/{purpose}"
        return np.random.default_rng([self.seed, zlib.crc32(key.encode())])

    def happens(self, every: int) -> bool:
        """Tell whether a property that one slot in ``every`` has falls on this one."""
        start = (CLASSES.index(self.label) * 7 + every // 2) % every
        return self.number % every == start

    @property
    def is_wrong(self) -> bool:
        """Whether the picture shows a class other than its folder's."""
        return self.split == "train" and self.happens(_WRONG_EVERY)

    @property
    def original(self) -> _Slot | None:
        """The slot that this one repeats."""
        if self.split != "train" or self.is_wrong or not self.happens(_DUPLICATE_EVERY):
            return None
        earlier = (_Slot(self.seed, self.split, self.label, n) for n in range(self.number))
        sound = [slot for slot in earlier if not slot.is_wrong and slot.original is None]
        return sound[self.rng("original").integers(len(sound))] if sound else None

    @property
    def encoding(self) -> str | None:
        """A rare way to store the picture, or None."""
        return _RARE.get((self.split, CLASSES.index(self.label), self.number))

    @property
    def file_name(self) -> str:
        """Where the picture is stored, relative to the dataset's folder."""
        # 7919 and 10,000 share no factor: names look scraped, and none comes twice in a folder.
        number = (self.number * 7919 + zlib.crc32(self.label.encode())) % 10_000
        stem = self.rng("name").choice(_STEMS).format(number)
        korean = _KOREAN.get((self.split, CLASSES.index(self.label), self.number))
        is_png = self.happens(_PNG_EVERY) or self.encoding not in {None, "cmyk"}
        return f"{self.split}/{self.label}/{korean or stem}{'.png' if is_png else '.jpg'}"

    def scene(self) -> tuple[str, Scene]:
        """Draw the picture; give the class that it is meant to show too."""
        rng = self.rng("scene")
        strangers = [name for name in CLASSES if name != self.label]
        if self.is_wrong:
            shows = str(rng.choice(strangers))
            return shows, draw_scene(shows, [], rng)
        mixed = self.happens(_MIXED_EVERY)
        others = rng.choice(strangers, int(rng.integers(1, 4))).tolist() if mixed else []
        return self.label, draw_scene(self.label, others, rng)


_STEMS = ("IMG_{:04}", "{:04}", "photo ({})", "wallpaper-{}", "a7{:06x}")
_RARE = {
    ("train", 0, 1): "cmyk",
    ("train", 1, 2): "palette",
    ("train", 2, 1): "sixteen_bit",
    ("train", 3, 2): "alpha",
}
"""Encodings by split, class and number of the slot."""

_KOREAN = {
    ("train", 4, 1): unicodedata.normalize("NFC", "작은 새 사진"),
    ("train", 5, 1): unicodedata.normalize("NFD", "거북이 그림"),
}
"""File names by split, class and number of the slot: one composed, one decomposed."""


def _write_slot(folder: Path, slot: _Slot) -> TruthPicture:
    if original := slot.original:
        return _write_duplicate(folder, slot, original)
    shows, scene = slot.scene()
    _save(scene.image, folder / slot.file_name, slot)
    faults = ("wrong_label",) if slot.is_wrong else ()
    return _truth(slot, slot.file_name, shows, scene.objects, faults)


def _truth(
    slot: _Slot,
    file_name: str,
    shows: str,
    objects: tuple[Object, ...],
    faults: tuple[str, ...],
) -> TruthPicture:
    return TruthPicture(
        file_name=file_name,
        split=slot.split,
        label=slot.label,
        shows=shows,
        objects=objects,
        faults=faults,
    )


def _write_duplicate(folder: Path, slot: _Slot, original: _Slot) -> TruthPicture:
    """Write a copy of an earlier slot: the same bytes, or resized and compressed again."""
    rng, source = slot.rng("duplicate"), folder / original.file_name
    (shows, scene), stem = original.scene(), slot.file_name.rpartition(".")[0]
    objects = scene.objects
    if rng.random() < 0.5:
        name = stem + source.suffix
        files.copy(source, folder / name)
    else:
        name, shrink = f"{stem}.jpg", rng.uniform(0.7, 1.0)
        before = scene.image.size
        after = round(before[0] * shrink), round(before[1] * shrink)
        pictures.save(scene.image.resize(after), folder / name, int(rng.integers(55, 80)))
        sx, sy = after[0] / before[0], after[1] / before[1]
        objects = tuple(Object(o.label, o.box.scale(sx, sy).rounded()) for o in objects)
    return _truth(slot, name, shows, objects, (f"duplicate_of:{original.file_name}",))


def _save(image: Image.Image, path: Path, slot: _Slot) -> None:
    rng = slot.rng("file")
    quality = int(rng.integers(75, 93))
    if slot.encoding:
        pictures.save(ENCODINGS[slot.encoding](image), path, quality)
    elif path.suffix == ".jpg" and slot.happens(_TURNED_EVERY):
        _save_turned(image, path, quality, rng)
    else:
        pictures.save(image, path, quality)


def _save_turned(image: Image.Image, path: Path, quality: int, rng: Random) -> None:
    """Save as a camera does that was held askew: turned pixels and a note how to put them right."""
    orientation, undo = list(_ORIENTATIONS.items())[rng.integers(len(_ORIENTATIONS))]
    pictures.save(image.transpose(undo), path, quality)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    note = exif.tobytes()
    data = path.read_bytes()
    segment = b"\xff\xe1" + (len(note) + 2).to_bytes(2, "big") + note
    files.write_bytes(path, data[:2] + segment + data[2:])


_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}
"""EXIF orientations and the turn from the upright picture to the stored one."""


def _sixteen_bit(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)


def _alpha(image: Image.Image) -> Image.Image:
    """Make a thin frame half transparent."""
    alpha = np.full(image.size[::-1], 120, dtype=np.uint8)
    alpha[4:-4, 4:-4] = 255
    image = image.convert("RGBA")
    image.putalpha(Image.fromarray(alpha))
    return image


ENCODINGS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "cmyk": lambda image: image.convert("CMYK"),
    "palette": lambda image: image.quantize(128),
    "sixteen_bit": _sixteen_bit,
    "alpha": _alpha,
}
"""Rare but legal ways to store a picture."""


def _write_broken(folder: Path, truth: list[TruthPicture]) -> Iterator[TruthPicture]:
    """Write the files of `BROKEN`, one class after the other, spoiling the first sound JPEG."""
    sound = next((p.file_name for p in truth if p.file_name.endswith(".jpg")), None)
    jpeg = (folder / sound).read_bytes() if sound else b"\xff\xd8\xff"
    for number, (name, spoil) in enumerate(BROKEN.items()):
        label = CLASSES[number % len(CLASSES)]
        file_name = f"train/{label}/{name}"
        files.write_bytes(folder / file_name, spoil(jpeg))
        yield TruthPicture(
            file_name=file_name, split="train", label=label, shows=label, faults=("broken",)
        )


def _noise(_jpeg: bytes, size: int) -> bytes:
    return np.random.default_rng(size).bytes(size)


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "DSC_0917.jpg": lambda jpeg: jpeg[: len(jpeg) // 2],
    "DSC_0918.jpg": lambda jpeg: jpeg[:180],
    "download.jpg": lambda _: b"",
    "index.jpg": lambda _: b"<!doctype html><title>404 Not Found</title>\n",
    "thumb-001.png": partial(_noise, size=2048),
    "screenshot.png": lambda jpeg: b"\x89PNG\r\n\x1a\n" + jpeg[:64],
}
"""Files that no program can open, by name, made from a sound JPEG."""


def _write_strays(folder: Path) -> tuple[str, ...]:
    """Write files that are no pictures and do not pretend to be."""
    strays = {
        "README.txt": b"Creatures, collected from the web.\n",
        f"train/{CLASSES[0]}/.DS_Store": b"\x00\x00\x00\x01Bud1\x00",
    }
    for name, data in strays.items():
        files.write_bytes(folder / name, data)
    return tuple(strays)
