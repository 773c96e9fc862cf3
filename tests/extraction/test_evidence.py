"""Boxes around evidence, and what is said about them."""

import numpy as np
import pytest
import torch
from oracles import Oracle, picture, redness
from torch import Tensor, nn

from garim.boxes import Box, iou, to_array
from garim.errors import ModelError
from garim.extraction.evidence import EvidenceMethod, box_of, by_evidence
from garim.extraction.methods import Task
from garim.extraction.settings import ExtractSettings
from garim.models.localizer import Localizer, evidence
from garim.pictures import Decoded

SETTINGS = ExtractSettings(method="self")


def cells(*blocks: tuple[int, int, int, int], grid: int = 16, high: float = 3.0) -> np.ndarray:
    result = np.full((grid, grid), -3.0, np.float32)
    for left, top, right, bottom in blocks:
        result[top:bottom, left:right] = high
    return result


def overlap(first: Box, second: Box) -> float:
    return float(iou(to_array([first]), to_array([second]))[0, 0])


def test_a_block_is_boxed() -> None:
    box = box_of(cells((4, 2, 10, 12)), 320, 160)
    assert box is not None
    assert overlap(box, Box(80, 20, 200, 120)) > 0.85


def test_the_block_with_more_evidence_wins() -> None:
    small_and_sure, large = (1, 1, 4, 4), (7, 7, 15, 15)
    box = box_of(cells(small_and_sure, large), 160, 160)
    assert box is not None and overlap(box, Box(70, 70, 150, 150)) > 0.85
    weak = cells((1, 1, 6, 6))
    weak[8:14, 8:14] = 0.3
    box = box_of(weak, 160, 160)
    assert box is not None and overlap(box, Box(10, 10, 60, 60)) > 0.8


def test_two_blocks_with_a_thin_bridge_are_two() -> None:
    box = box_of(cells((1, 2, 7, 8), (7, 4, 10, 5), (10, 2, 14, 7)), 160, 160)
    assert box is not None and overlap(box, Box(10, 20, 70, 80)) > 0.8


def test_a_diagonal_band_is_boxed_whole() -> None:
    values = cells()
    for i in range(3, 13):
        values[i - 1 : i + 2, i - 1 : i + 2] = 3
    box = box_of(values, 160, 160)
    assert box is not None and overlap(box, Box(20, 20, 140, 140)) > 0.75


def test_no_evidence_no_box() -> None:
    assert box_of(cells(), 100, 100) is None


def test_a_stray_cell_at_the_side_is_trimmed() -> None:
    block = box_of(cells((4, 4, 12, 12)), 160, 160)
    thorn = box_of(cells((4, 4, 12, 12), (12, 7, 15, 8)), 160, 160)
    assert block is not None and thorn is not None
    assert abs(thorn.right - block.right) < 10


def test_boxes_stay_inside() -> None:
    box = box_of(cells((0, 0, 16, 16)), 100, 50)
    assert box is not None
    assert box.clip(100, 50) == box


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


def red_localizer() -> Localizer:
    localizer = Localizer([1], 2, 16, 128)
    localizer.get_buffer("basis0").fill_(1.0)
    head = nn.Linear(1, 3)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[0.0], [0.0], [10.0]]))
        head.bias.copy_(torch.tensor([3.0, -9.0, -3.0]))
    localizer.head = nn.Sequential(head)
    return localizer.eval()


def method(settings: ExtractSettings = SETTINGS) -> EvidenceMethod:
    classifier = Oracle()
    classifier.network = Redness()
    type(classifier).device = property(lambda self: torch.device("cpu"))  # type: ignore[assignment,method-assign]
    return EvidenceMethod(classifier, red_localizer(), settings)


def task(*square: int, label: int = 1) -> Task:
    image = picture(*square)
    return Task(picture=Decoded(image, image.size), label=label, scorer=redness)


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
