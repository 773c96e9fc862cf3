"""Which way to compare photos brings garments of one kind together?

    python benchmarks/similarity_retrieval.py [--data DIR] [--weights FILE] [--json FILE]
        [--sheet PNG]

`clothing5`, the test split: each picture asks for the others (leave one out). What is learned (the
whitening, the fine-tuned projection, the classifier whose boxes are cut out) is learned on train
and validation. All embeddings are of one MobileNetV2 with ImageNet weights; outlines are those of
the classical foreground, each picture compared with each other by the same measure.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

import garim
from garim import similarity
from garim.models.embedder import Embedder
from garim.report.similarity_page import answer_sheet
from garim.similarity.compare import look
from garim.similarity.contours import height_distances, heights, hu_distances
from garim.similarity.embeddings import embed, embedder_of, items_of
from garim.similarity.retrieval import retrieval_report
from garim.streaming import showing_progress, stream, track
from garim.training import TrainSettings
from garim.training.embedders import train_embedder, whitening
from harness import leave, parsed, parser, starting, there

BINS, COMPONENTS = 8, 128


def main() -> None:
    """Measure all, print, write."""
    options = _options()
    folder = there(options.data / "clothing5")
    warnings.simplefilter("ignore")
    data = garim.read(folder)
    test = data.where(split=["test"])
    known = data.where(split=["train", "validation"])
    network = {"backbone": "mobilenetv2_100", **starting(options.weights)}
    with showing_progress(), tempfile.TemporaryDirectory() as temporary:
        rows = list(_rows(known, test, network, Path(temporary), options.sheet))
    for row in rows:
        print(" ".join(f"{v:.3f}" if isinstance(v, float) else f"{v:34}" for v in row.values()))
    leave(options.json, rows)


def _options() -> argparse.Namespace:
    command_line = parser(__doc__, weights=True)
    command_line.add_argument("--sheet", type=Path)
    return parsed(command_line)


def _rows(known, test, network, folder: Path, sheet: Path | None):
    labels = [row.label for row in test]

    def row(name: str, alike: Callable[[], np.ndarray]) -> dict[str, float | str]:
        started = time.perf_counter()
        values = alike().astype(np.float32)
        judged = retrieval_report(iter([(list(range(len(values))), values)]), labels, labels)
        figures = {n: getattr(judged, n) for n in ("map", "precision_at_10", "nearest")}
        return {"method": name, **figures, "seconds": round(time.perf_counter() - started, 1)}

    yield row("chance", lambda: np.random.default_rng(0).random((len(labels),) * 2))
    yield row("colour histogram", lambda: _by_colour(test))
    outlines = [_outline(test.path(one)) for one in track(test.rows, "Outlines", len(test))]
    for way in ("I1", "I2", "I3"):
        yield row(f"outline, Hu moments {way}", lambda way=way: _by_hu(outlines, way))
    yield row("outline, height functions", lambda: _by_heights(outlines))
    plain = embedder_of(None, similarity.EmbedSettings(**network))
    yield row("embedding, whole picture", lambda: _cosines(plain, test))
    flipped = embedder_of(None, similarity.EmbedSettings(**network, views="flip"))
    yield row("embedding, mirror image too", lambda: _cosines(flipped, test))
    gem = embedder_of(None, similarity.EmbedSettings(**network, pooling="gem"))
    yield row("embedding, GeM pooling", lambda: _cosines(gem, test))
    learned = whitening(_vectors(plain, known), COMPONENTS)
    yield row("embedding, whitened to 128", lambda: _cosines(plain.projected(learned, {}), test))
    yield from _of_objects(known, test, network, plain, folder, row)
    tuned = train_embedder(known, TrainSettings(**network), folder / "tuned", COMPONENTS).embedder
    yield row("embedding, fine-tuned on labels", lambda: _cosines(tuned, test))
    if sheet:
        _show(test, tuned, folder, sheet)


def _of_objects(known, test, network, plain: Embedder, folder: Path, row):
    """Cut out what extraction finds, and embed that."""
    model = garim.train(known, TrainSettings(**network), folder / "model").classifier
    plan = garim.extract(test, model).plan
    boxed = replace(test, rows=tuple(
        replace(one, objects=(garim.formats.rows.Object(one.label, edit.box),) if edit.box else ())
        for one in test for edit in [next(e for e in plan if e.picture == one.file_name)]
    ))  # fmt: skip
    yield row("embedding, extracted object", lambda: _cosines(plain, boxed, objects=True))


def _vectors(embedder: Embedder, data: garim.Dataset, objects: bool = False) -> np.ndarray:
    items = items_of(data, objects)
    found = list(embed(track(items, "Embedding", len(items)), embedder))
    assert not any(part.failures for part in found)
    return np.concatenate([part.vectors for part in found])


def _cosines(embedder: Embedder, data: garim.Dataset, objects: bool = False) -> np.ndarray:
    vectors = _vectors(embedder, data, objects)
    return vectors @ vectors.T


def _by_colour(data: garim.Dataset) -> np.ndarray:
    """Intersection of hue, saturation and value histograms (Swain & Ballard 1991)."""

    def histogram(path: Path) -> np.ndarray:
        hsv = cv2.cvtColor(garim.pictures.square(path, 224), cv2.COLOR_RGB2HSV)
        ranges = [0, 180, 0, 256, 0, 256]
        found = cv2.calcHist([hsv], [0, 1, 2], None, [BINS] * 3, ranges).ravel()
        return found / found.sum()

    each = np.stack([found for _, found in stream(histogram, map(data.path, data.rows))])
    return np.stack([np.minimum(one, each).sum(axis=1) for one in each])


def _outline(path: Path) -> np.ndarray | None:
    contour = look(path).contour
    return contour if len(contour) else None


def _by_hu(outlines: list[np.ndarray | None], way: str) -> np.ndarray:
    far = [[-1e9 if a is None or b is None else -hu_distances(a, b)[way] for b in outlines]
           for a in outlines]  # fmt: skip
    return np.array(far)


def _by_heights(outlines: list[np.ndarray | None]) -> np.ndarray:
    alike = np.full((len(outlines),) * 2, -1e9)
    there = [i for i, one in enumerate(outlines) if one is not None]
    described = [heights(outlines[i]) for i in there]
    for i, one in zip(there, described, strict=True):
        alike[i, there] = -height_distances(one, described)
    return alike


def _show(test: garim.Dataset, tuned: Embedder, folder: Path, sheet: Path) -> None:
    made = similarity.index(test, folder / "index", tuned).index
    asked = [test.path(test.rows[i]) for i in (5, 33, 70, 110, 160)]
    answers = [similarity.query(made, path, count=6) for path in asked]
    answer_sheet(answers).save(sheet)


if __name__ == "__main__":
    main()
