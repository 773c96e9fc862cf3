"""Draw the pictures of docs/how-extraction-works.md, on the drawn demo data.

    python tools/extraction_pictures.py [MODEL DATA]

Without a model it draws the data and trains one, which takes some minutes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import garim
from garim import pictures
from garim.dataset import Dataset
from garim.demo.messy import draw_dataset
from garim.demo.run import TRAINING
from garim.models.instances import instances
from garim.models.localizer import evidence
from garim.pictures import Pixels
from garim.training import composites

DOCS = Path(__file__).resolve().parent.parent / "docs"
SIDE, COLUMNS = 160, 6
RED, AMBER = (220, 30, 30), (250, 170, 40)


def main() -> None:
    """Draw both pictures."""
    if len(sys.argv) == 3:
        draw(garim.load_model(Path(sys.argv[1])), train_split(Path(sys.argv[2])))
        return
    with tempfile.TemporaryDirectory() as scratch:
        draw_dataset(Path(scratch) / "data")
        data = train_split(Path(scratch) / "data")
        draw(garim.train(data, TRAINING, Path(scratch) / "model").classifier, data)


def train_split(folder: Path) -> Dataset:
    """Read the part that the demo trains on."""
    return garim.read(folder, garim.Selection(split=("train",)))


def draw(model: garim.Classifier, data: Dataset) -> None:
    """Look at a hundred training pictures; draw cut-outs, scenes and votes."""
    assert model.localizer is not None
    rng = np.random.default_rng(2)
    chosen = [data.rows[i] for i in rng.permutation(len(data))]
    seen: list[Pixels] = []
    numbers: list[int] = []
    for row in chosen:
        if len(seen) == 100:
            break
        try:
            seen.append(pictures.square(data.path(row), model.localizer.size))
        except garim.PictureError:
            continue
        numbers.append(model.classes.index(row.label or ""))
    scores, boxes = model.localized(np.stack(seen))
    found = [evidence(torch.from_numpy(s), n).numpy() for s, n in zip(scores, numbers, strict=True)]
    save(DOCS / "pasted_scenes.png", scenes(rng, seen, found, numbers))
    counts = [
        len(list(instances(s, n, b, 1, 1)))
        for s, b, n in zip(scores, boxes, numbers, strict=True)
    ]  # fmt: skip
    clearest = sorted(range(len(seen)), key=lambda i: -min(counts[i], 2))[:6]
    rows = [votes(seen[i], scores[i], boxes[i], numbers[i], found[i]) for i in clearest]
    save(DOCS / "votes.png", [np.vstack(rows[:3]), np.vstack(rows[3:])])


def scenes(
    rng: np.random.Generator, seen: list[Pixels], found: list[NDArray[np.float32]],
    numbers: list[int],
) -> list[Pixels]:  # fmt: skip
    """A row of cut-outs over two rows of scenes."""
    cut = [composites.cut_out(*one) for one in zip(seen, found, numbers, strict=True)]
    kept = composites.best(cut)
    first = [own[0] for own in list(kept.values())[:COLUMNS]]
    above = [resized(one.pixels * one.mask[..., None] + 255 * (1 - one.mask[..., None]))
             for one in first]  # fmt: skip
    made = [composites.compose(rng, seen, kept) for _ in range(2 * COLUMNS)]
    below = [boxed(scene) for scene in made]
    rows = (above, below[:COLUMNS], below[COLUMNS:])
    return [np.vstack(column) for column in zip(*rows, strict=True)]


def boxed(scene: composites.Scene) -> Pixels:
    """A scene with the boxes of what is still to be seen of its objects."""
    image = Image.fromarray(resized(scene.pixels))
    for number in range(1, len(scene.targets) + 1):
        rows, columns = np.nonzero(scene.owner == number)
        if len(rows):
            ends = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            outline(image, ends / len(scene.owner), RED, 2)
    return np.asarray(image)


def votes(
    picture: Pixels, scores: NDArray[np.float32], boxes: NDArray[np.float32], number: int,
    own: NDArray[np.float32],
) -> Pixels:  # fmt: skip
    """Picture, evidence, votes and boxes, side by side."""
    plain = resized(picture)
    heat = cv2.applyColorMap(
        ((np.clip(own, -3, 3) + 3) / 6 * 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS
    )
    shown = 0.35 * plain + 0.65 * resized(heat[..., ::-1])
    voting, final = Image.fromarray(plain), Image.fromarray(plain)
    for row, column in np.argwhere(own > 0)[::3]:
        outline(voting, boxes[:, row, column], AMBER, 1)
    for place, one in enumerate(instances(scores, number, boxes, 1, 1)):
        outline(final, np.array(one.box.xyxy()), AMBER if place else RED, 2)
    return np.hstack([plain, shown.astype(np.uint8), np.asarray(voting), np.asarray(final)])


def resized(pixels: NDArray[np.generic]) -> Pixels:
    """Give a picture the size that is shown."""
    return np.asarray(Image.fromarray(pixels.astype(np.uint8)).resize((SIDE, SIDE)))


def outline(image: Image.Image, ends: NDArray[np.floating], colour: tuple[int, int, int],
            width: int) -> None:  # fmt: skip
    """Draw a box given as shares of the sides."""
    ImageDraw.Draw(image).rectangle(tuple(ends * (SIDE - 1)), outline=colour, width=width)


def save(path: Path, columns: list[Pixels]) -> None:
    """Save columns of equal height side by side."""
    pictures.save(Image.fromarray(np.hstack(columns)), path)
    print(path)


if __name__ == "__main__":
    main()
