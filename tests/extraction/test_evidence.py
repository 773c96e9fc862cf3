"""Boxes around evidence, and what is said about them."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from oracles import Oracle, picture, redness
from torch import Tensor, nn

from garim.boxes import Box, iou, to_array
from garim.errors import ModelError
from garim.extraction import methods
from garim.extraction.evidence import EvidenceMethod, by_evidence
from garim.extraction.settings import ExtractSettings
from garim.models.localizer import Localizer, evidence
from garim.pictures import Decoded

SETTINGS = ExtractSettings(method="self")


def overlap(first: Box, second: Box) -> float:
    return float(iou(to_array([first]), to_array([second]))[0, 0])


def test_evidence_is_log_odds() -> None:
    scores = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    shares = scores.double().softmax(dim=1)
    for number in range(3):
        own = shares[:, 1 + number]
        expected = (own / (1 - own)).log().float()
        assert torch.allclose(evidence(scores, number), expected, atol=1e-4)


class Redness(nn.Module):
    """A network whose only feature map is how red each cell is."""

    def forward_intermediates(self, x: Tensor, intermediates_only: bool = True) -> list[Tensor]:
        red = x[:, :1] - x[:, 1:2]
        return [nn.functional.avg_pool2d(red, 8)]


class RedLocalizer(Localizer):
    """Evidence where it is red; every red cell knows the box of the square that it is part of."""

    def __init__(self) -> None:
        super().__init__([1], 2, 16, 128)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        red = maps[0][:, 0]
        scores = torch.stack([3 - 0 * red, -9 - 0 * red, 10 * red - 3], dim=1)
        boxes = np.zeros((len(red), 4, 16, 16), np.float32)
        for one, cells in zip(boxes, red.numpy() > 0.6, strict=True):
            count, found = cv2.connectedComponents(cells.astype(np.uint8), connectivity=4)
            for number in range(1, count):
                rows, columns = np.nonzero(found == number)
                ends = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                one[:, rows, columns] = np.array(ends)[:, None] / 16
        return scores, torch.from_numpy(boxes)


def method(settings: ExtractSettings = SETTINGS) -> EvidenceMethod:
    classifier = Oracle()
    classifier.network, classifier.localizer = Redness(), RedLocalizer()
    type(classifier).device = property(lambda self: torch.device("cpu"))  # type: ignore[assignment,method-assign]
    return EvidenceMethod(classifier, classifier.localizer, settings)


def task(*square: int, label: int = 1) -> methods.Task:
    image = picture(*square)
    return methods.task(method(), Decoded(image, image.size), label, redness)


def test_one_look_boxes_the_square_in_original_pixels() -> None:
    found = method()([task(400, 300, 220, 90, 80)])[0]
    assert found.box is not None and found.changed
    assert overlap(found.box, Box(220, 90, 300, 170)) > 0.6
    assert found.history[0].box == found.box


def test_together_as_one_by_one() -> None:
    tasks = [task(400, 300, 220, 90, 80), task(200, 300, 20, 90, 60), task(90, 90, 1, 1, 0)]
    together, alone = method()(tasks), [method()([one])[0] for one in tasks]
    assert [t.box for t in together] == [a.box for a in alone]
    assert [t.score_after for t in together] == pytest.approx([a.score_after for a in alone])


def test_every_object_when_asked() -> None:
    image = picture(400, 300, 20, 30, 80)
    image.paste((230, 20, 20), (240, 160, 340, 260))
    both = methods.task(method(), Decoded(image, image.size), 1, redness)
    one = method()([both])[0]
    assert one.box is not None and one.more == ()
    all_of_them = method(ExtractSettings(method="self", instances=True))([both])[0]
    (other,) = all_of_them.more
    assert all_of_them.box == one.box
    assert overlap(one.box, Box(240, 160, 340, 260)) > 0.6
    assert overlap(other, Box(20, 30, 100, 110)) > 0.6


def test_another_class_instead() -> None:
    class Wrong(RedLocalizer):
        def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
            scores, boxes = super().forward(maps)
            return scores[:, [0, 2, 1]], boxes

    looking = method()
    looking.classifier.localizer = looking.localizer = Wrong()
    shown = replace(task(400, 300, 220, 90, 80), scorer=lambda batch: redness(batch)[:, ::-1])
    found = looking([shown])[0]
    assert (found.box, found.instead) == (None, "other")
    assert "it shows 'other'" in found.reason


def test_a_picture_that_is_predicted_rightly_without_evidence_is_left_as_it_is() -> None:
    """It is not reported as one where neither picture nor part shows the label."""
    found = method()([task(90, 60, 1, 1, 0, label=0)])[0]
    assert (found.box, found.changed) == (Box.whole(90, 60), False)
    assert "neither" not in found.reason


def test_neither_the_picture_nor_a_part() -> None:
    found = method()([task(90, 60, 1, 1, 0, label=1)])[0]
    assert (found.box, found.changed) == (None, False)
    assert "neither" in found.reason


def test_pictures_that_score_enough_are_left_alone() -> None:
    settings = ExtractSettings(method="self", skip_above=0.5)
    found = method(settings)([task(100, 100, 20, 20, 60)])[0]
    assert (found.box, found.changed) == (Box.whole(100, 100), False)
    assert "well enough" in found.reason


def test_a_model_without_a_localizer() -> None:
    with pytest.raises(ModelError, match="--method windows"):
        by_evidence(Oracle(), SETTINGS)
