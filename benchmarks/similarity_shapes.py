"""How well outlines and embeddings bring the same shapes together, and what a change of view does.

    python benchmarks/similarity_shapes.py [--data DIR] [--weights FILE] [--json FILE] [--sheet PNG]

`mpeg7`: 70 classes of 20 silhouettes. Bullseye: the share of a class among the 40 most alike, the
shape itself included, over all 1,400. Embeddings: MobileNetV2 (ImageNet) on the drawn silhouettes.
Then one silhouette of each class is changed as if it were seen from elsewhere, and has to find
itself among all: the share that come first, by method and change.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

import garim
from garim.foreground import largest_contour
from garim.models.embedder import Embedder
from garim.report.sheet import compared_sheet
from garim.similarity import EmbedSettings
from garim.similarity.contours import HU, height_distances, heights, hu_distances
from garim.similarity.embeddings import embedder_of
from garim.streaming import chunks, showing_progress, track
from harness import leave, parsed, parser, starting, there

SIDE, MARGIN = 256, 40
CHANGES = ("turned 40°", "tilted 30°", "tilted 45°", "tilted 60°", "a quarter cut off")


def main() -> None:
    """Compare everything with everything, then the changed with all; print, write."""
    options = _options()
    folder = there(options.data / "mpeg7" / "images")
    paths = sorted(folder.glob("*.png"))
    labels = np.array([path.stem.rpartition("-")[0] for path in paths])
    masks = [_mask(path) for path in paths]
    embedder = embedder_of(None, EmbedSettings(
        backbone="mobilenetv2_100", **starting(options.weights)))  # fmt: skip
    with showing_progress():
        found = Shapes(masks, embedder)
        bullseye = {name: score(found.all(name), labels) for name in found.METHODS}
        chosen = [int(np.flatnonzero(labels == name)[0]) for name in np.unique(labels)]
        views = {change: [changed(masks[i], change) for i in chosen] for change in CHANGES}
        first = {c: found.first(views[c], chosen) for c in CHANGES}
    result = {"bullseye": bullseye, "found_first": first, "seconds": found.seconds}
    print(json.dumps(result, indent=1))
    leave(options.json, result)
    if options.sheet:
        _sheet(masks, views, chosen, found).save(options.sheet)


def _options() -> argparse.Namespace:
    command_line = parser(__doc__, weights=True)
    command_line.add_argument("--sheet", type=Path)
    return parsed(command_line)


def _mask(path: Path) -> np.ndarray:
    """Give a silhouette in the middle of a square, white on black, uint8 ``(SIDE, SIDE)``."""
    grey = np.asarray(garim.pictures.open_picture(path).image.convert("L"))
    inside = (grey > 127).astype(np.uint8) * 255
    return _centred(inside)


def _centred(inside: np.ndarray) -> np.ndarray:
    x, y, width, height = cv2.boundingRect(inside)
    scale = (SIDE - 2 * MARGIN) / max(width, height)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small = cv2.resize(inside[y : y + height, x : x + width], size, interpolation=cv2.INTER_AREA)
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    canvas[top : top + size[1], left : left + size[0]] = small
    return (canvas > 127).astype(np.uint8) * 255


def changed(mask: np.ndarray, change: str) -> np.ndarray:
    """Show a silhouette from elsewhere; as large and as central as before."""
    middle = SIDE / 2
    if change.startswith("turned"):
        turn = cv2.getRotationMatrix2D((middle, middle), 40, 0.8)
        return _centred(cv2.warpAffine(mask, turn, (SIDE, SIDE)))
    if change.startswith("tilted"):
        return _centred(cv2.warpPerspective(mask, _tilt(float(change[7:-1])), (SIDE, SIDE)))
    cut = mask.copy()
    x, _, width, _ = cv2.boundingRect(mask)
    cut[:, x + round(0.75 * width) :] = 0
    return _centred(cut)


def _tilt(degrees: float) -> np.ndarray:
    """Map of a plane that is turned around its upright axis, seen from twice its width away."""
    angle, far, middle = np.radians(degrees), 2 * SIDE, SIDE / 2
    corners = np.array([[0, 0], [SIDE, 0], [SIDE, SIDE], [0, SIDE]], np.float32)
    x, y = (corners - middle).T
    depth = far / (far + x * np.sin(angle))
    seen = np.column_stack([x * np.cos(angle) * depth, y * depth]) + middle
    return cv2.getPerspectiveTransform(corners, seen.astype(np.float32))


class Shapes:
    """All silhouettes, described in every way."""

    METHODS = (*HU, "height functions", "embedding")

    def __init__(self, masks: list[np.ndarray], embedder: Embedder) -> None:
        self.embedder = embedder
        self.described = self._of(masks)
        self.seconds: dict[str, float] = {}

    def _of(self, masks: list[np.ndarray]) -> dict[str, np.ndarray]:
        contours = [largest_contour(mask) for mask in masks]
        moments = [cv2.HuMoments(cv2.moments(c)).ravel() for c in contours]
        vectors = [self.embedder(np.stack([self._drawn(m) for m in part]))
                   for part in chunks(track(masks, "Embedding", len(masks)), 32)]  # fmt: skip
        return {"hu": np.array(moments), "heights": np.stack([heights(c) for c in contours]),
                "vectors": np.concatenate(vectors)}  # fmt: skip

    def _drawn(self, mask: np.ndarray) -> np.ndarray:
        side = self.embedder.side
        return np.repeat(cv2.resize(255 - mask, (side, side))[..., None], 3, axis=2)

    def all(self, method: str) -> np.ndarray:
        """Give the distances of all from all."""
        started, count = time.perf_counter(), len(self.described["hu"])
        apart = np.zeros((count, count), np.float32)
        for i in track(range(count), method, count):
            apart[i, i:] = self.apart(self.described, i, method, slice(i, None))
            apart[i:, i] = apart[i, i:]
        self.seconds[method] = round(time.perf_counter() - started, 1)
        return apart

    def apart(self, of: dict[str, np.ndarray], i: int, method: str, to: slice) -> np.ndarray:
        """Give the distances of one silhouette from some of all."""
        if method in HU:
            return hu_apart(of["hu"][i], self.described["hu"][to], method)
        if method == "embedding":
            return 1 - self.described["vectors"][to] @ of["vectors"][i]
        return height_distances(of["heights"][i], self.described["heights"][to])

    def first(self, views: list[np.ndarray], chosen: list[int]) -> dict[str, float]:
        """Give the share of changed silhouettes whose original is the most alike of all."""
        of = self._of(views)
        result = {}
        for method in self.METHODS:
            each = [self.apart(of, i, method, slice(None)) for i in range(len(views))]
            result[method] = float(
                np.mean([one.argmin() == c for one, c in zip(each, chosen, strict=True)])
            )
        return result


def hu_apart(one: np.ndarray, others: np.ndarray, way: str) -> np.ndarray:
    """``cv2.matchShapes`` of one contour and many by their Hu moments, which are known already."""
    a, b = np.broadcast_to(one, others.shape), others
    counts = (np.abs(a) > 1e-5) & (np.abs(b) > 1e-5)
    with np.errstate(all="ignore"):
        ma, mb = (np.sign(v) * np.log10(np.abs(v)) for v in (a, b))
        each = {"I1": np.abs(1 / ma - 1 / mb), "I2": np.abs(mb - ma), "I3": np.abs((ma - mb) / ma)}
    found = np.where(counts, each[way], 0)
    return found.max(axis=1) if way == "I3" else found.sum(axis=1)


def score(apart: np.ndarray, labels: np.ndarray) -> float:
    """Give the bullseye score: hits among the first 2·m of each class of m."""
    order = np.argsort(apart, axis=1, kind="stable")[:, :40]
    return float(np.mean((labels[order] == labels[:, None]).sum(axis=1) / 20))


def _sheet(
    masks: list[np.ndarray], views: dict[str, list[np.ndarray]], chosen: list[int], found: Shapes
) -> Image.Image:
    """Show some silhouettes, their other views, and how far I1 and the embedding see them apart."""
    cards = []
    for number in (1, 9, 16, 25, 34, 60):
        cards.append(([(_picture(masks[chosen[number]]), "")], "original"))
        for change in CHANGES:
            view = views[change][number]
            of = found._of([view])
            hu = hu_distances(largest_contour(masks[chosen[number]]), largest_contour(view))["I1"]
            own = slice(chosen[number], chosen[number] + 1)
            rank = {m: _rank(found.apart(of, 0, m, slice(None)), own.start)
                    for m in ("I1", "height functions", "embedding")}  # fmt: skip
            places = ", ".join(f"{name.split()[0]} #{place}" for name, place in rank.items())
            text = f"{hu:.2f}; {places}"
            cards.append(([(_picture(view), change)], text))
    return compared_sheet(cards, columns=1 + len(CHANGES), cell=SIDE)


def _rank(apart: np.ndarray, own: int) -> int:
    return int((apart < apart[own]).sum()) + 1


def _picture(mask: np.ndarray) -> Image.Image:
    return Image.fromarray(255 - mask).convert("RGB")


if __name__ == "__main__":
    main()
