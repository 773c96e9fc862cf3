"""Self Extraction: a classifier scores windows of a picture, and the best one replaces it.

Repeated from each winner until nothing improves. Boxes are always in pixels of the original, and
crops are always cut from its pixels, never from a crop that was saved in between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from garim.boxes import Box
from garim.extraction.methods import Proposal, Task
from garim.extraction.rule import choose
from garim.extraction.scoring import scored
from garim.extraction.settings import ExtractSettings
from garim.extraction.windows import count, document_windows, windows
from garim.models.classifier import Classifier, Scores
from garim.pictures import Decoded, Pixels, to_array
from garim.plan import Round

Cut = tuple[Pixels, Box]
"""A crop, resized to the network's input, and where it lies in the original."""

Cutter = Callable[[Decoded, Box, int], list[Cut]]
"""Gives the crops of an extent at an input size."""

SMALLEST = 8.0
"""An extent with a shorter side, in pixels, is not cut any further."""


def windows_of(settings: ExtractSettings) -> Cutter:
    """Give a cutter for the windows of an extent, each looked at once."""

    def cut(picture: Decoded, extent: Box, size: int) -> list[Cut]:
        boxes = windows(extent, settings.grid, settings.kernel)
        return [(to_array(picture.crop(box, (size, size))), box) for box in boxes]

    return cut


def windows_of_document(settings: ExtractSettings) -> Cutter:
    """Give a cutter that does what the document's code does, pixel by pixel.

    The windows are cut in whole pixels, and cut again from a copy of the extent that was stretched
    to a square: 70 crops for N=9, K=5. Each is resized with Pillow's default filter (bicubic).
    """
    grid, kernel = settings.grid, settings.kernel

    def cut(picture: Decoded, extent: Box, size: int) -> list[Cut]:
        left, top, right, bottom = (int(v) for v in extent.xyxy())
        if min(right - left, bottom - top) < grid:  # a cell would be less than a pixel
            return []
        part = picture.image.crop((left, top, right, bottom))
        side = max(part.size)
        crops: list[Cut] = []
        for image in (part, part.resize((side, side))):
            back = part.width / image.width, part.height / image.height
            for box in document_windows(*image.size, grid, kernel):
                pixels = tuple(int(v) for v in box.xyxy())
                small = image.crop(pixels).resize((size, size))  # type: ignore[arg-type]
                crops.append((to_array(small), box.scale(*back).shift(left, top).rounded()))
        return crops

    return cut


@dataclass
class _Search:
    """Where the search in one picture stands."""

    task: Task[Pixels]
    extent: Box
    scores: Scores | None = None
    found: bool = False
    active: bool = True
    history: list[Round] = field(default_factory=list)


class SelfExtraction:
    """Windows, scores, the selection rule, rounds.

    Args:
        cut: gives the crops of an extent.
        crops: how many crops that are, at most.
        size: side of the network's input in pixels.
        classes: class names.
        settings: rounds and thresholds.
        decodes_at_least: resolution that is needed; None for all of it.
    """

    def __init__(
        self,
        cut: Cutter,
        crops: int,
        size: int,
        classes: Sequence[str],
        settings: ExtractSettings,
        decodes_at_least: int | None,
    ) -> None:
        self.cut = cut
        self.size = size
        self.classes = classes
        self.settings = settings
        self.decodes_at_least = decodes_at_least
        self.pictures_at_once = max(1, settings.batch // (crops + 1))

    def look(self, picture: Decoded) -> Pixels:
        """Bring the picture to the network's size."""
        size = (self.size, self.size)
        if self.decodes_at_least is None:
            return to_array(picture.image.resize(size))
        return to_array(picture.image.resize(size, Image.Resampling.BILINEAR))

    def __call__(self, tasks: Sequence[Task[Pixels]]) -> list[Proposal]:
        """Search all pictures together, so that their crops share batches."""
        searches = [_Search(task, Box.whole(*task.picture.size)) for task in tasks]
        wholes = [task.seen[None] for task in tasks]
        for search, scores in zip(searches, scored(tasks, wholes), strict=True):
            search.scores = scores[0]
        before = [_of(search) for search in searches]
        for search in searches:
            assert search.scores is not None
            if self.settings.skips(search.scores, search.task.label):
                search.active, search.found = False, True
        for number in range(1, self.settings.rounds + 1):
            self._round(number, [search for search in searches if search.active])
        return [self._proposal(s, b) for s, b in zip(searches, before, strict=True)]

    def _round(self, number: int, searches: Sequence[_Search]) -> None:
        cuts = [self.cut(s.task.picture, s.extent, self.size) for s in searches]
        none = np.zeros((0, self.size, self.size, 3), np.uint8)
        batches = [np.stack([pixels for pixels, _ in one]) if one else none for one in cuts]
        results = scored([s.task for s in searches], batches)
        for search, one, scores in zip(searches, cuts, results, strict=True):
            self._decide(number, search, [box for _, box in one], scores)

    def _decide(self, number: int, search: _Search, boxes: list[Box], scores: Scores) -> None:
        assert search.scores is not None
        predicted = self.classes[int(search.scores.argmax())]
        choice = choose(search.scores, scores, search.task.label)
        search.found = search.found or choice.found
        search.active = choice.winner is not None
        if choice.winner is not None:
            search.extent, search.scores = boxes[choice.winner], scores[choice.winner]
            smallest = min(search.extent.width, search.extent.height)
            search.active = smallest / self.settings.grid * self.settings.kernel >= SMALLEST
        search.history.append(
            Round(
                round=number,
                box=search.extent if choice.found else None,
                score=_of(search),
                predicted=predicted,
                changed=choice.winner is not None,
            )
        )

    def _proposal(self, search: _Search, before: float) -> Proposal:
        label = self.classes[search.task.label]
        changed = any(one.changed for one in search.history)
        if changed:
            reason = f"a part shows {label!r} better than the whole picture"
        elif search.found and not search.history:
            reason = f"the whole picture shows {label!r} well enough"
        elif search.found:
            reason = f"no part shows {label!r} better than the whole picture"
        else:
            reason = f"neither the picture nor any part of it is predicted as {label!r}"
        return Proposal(
            box=search.extent if search.found else None,
            changed=changed,
            score_before=before,
            score_after=_of(search),
            reason=reason,
            history=tuple(search.history),
        )


def _of(search: _Search) -> float:
    return 0.0 if search.scores is None else float(search.scores[search.task.label])


def sliding_windows(classifier: Classifier, settings: ExtractSettings) -> SelfExtraction:
    """Set up the windows alone, each looked at once, pictures decoded no larger than needed."""
    size, classes = classifier.card.size, classifier.classes
    crops = count(settings.grid, settings.kernel)
    needed = -(-size * settings.grid // settings.kernel)
    return SelfExtraction(windows_of(settings), crops, size, classes, settings, needed)


def document(classifier: Classifier, settings: ExtractSettings) -> SelfExtraction:
    """Set up the document's procedure to the letter, with its two bugs mended."""
    size, classes = classifier.card.size, classifier.classes
    crops = 2 * count(settings.grid, settings.kernel)
    return SelfExtraction(windows_of_document(settings), crops, size, classes, settings, None)
