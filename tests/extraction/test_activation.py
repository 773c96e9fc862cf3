"""The class activation map's box."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from oracles import Oracle, picture, redness
from torch import Tensor, nn

from garim.boxes import Box, iou, to_array
from garim.errors import ModelError
from garim.extraction.activation import ActivationMethod, box_of, by_activation
from garim.extraction.methods import task
from garim.extraction.settings import ExtractSettings
from garim.models.localizer import cell_scores
from garim.models.networks import create
from garim.pictures import Decoded

SETTINGS = ExtractSettings(method="activation")


class Redness(nn.Module):
    """Eight by eight cells; the second class is how red each is."""

    def forward_features(self, x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(x[:, :1] - x[:, 1:2], 8)

    def forward_head(self, x: Tensor) -> Tensor:
        red = x.mean(dim=(2, 3))
        return torch.cat([-red, red], dim=1)


def method() -> ActivationMethod:
    classifier = Oracle()
    classifier.network = Redness()
    type(classifier).device = property(lambda self: torch.device("cpu"))  # type: ignore[assignment,method-assign]
    return ActivationMethod(classifier, SETTINGS)


def test_the_red_square_is_boxed_in_original_pixels() -> None:
    image = picture(400, 300, 220, 90, 80)
    looking = method()
    (found,) = looking([task(looking, Decoded(image, image.size), 1, redness)])
    assert found.box is not None and found.changed
    wanted = to_array([Box(220, 90, 300, 170)])
    assert float(iou(to_array([found.box]), wanted)[0, 0]) > 0.3


def test_a_picture_without_its_label() -> None:
    image = picture(90, 90, 0, 0, 0)
    looking = method()
    (found,) = looking([task(looking, Decoded(image, image.size), 1, redness)])
    assert (found.box, found.changed) == (None, False)


def test_the_box_goes_around_the_largest_part_above_a_fifth() -> None:
    """As scikit-image labels it."""
    from skimage.measure import label, regionprops

    rng = np.random.default_rng(0)
    coarse = rng.normal(size=(7, 7)).astype(np.float32)
    box = box_of(coarse, 224, 224)
    fine = cv2.resize(coarse, (224, 224), interpolation=cv2.INTER_CUBIC)
    above = fine > 0.2 * fine.max()
    top, left, bottom, right = max(regionprops(label(above)), key=lambda r: r.area).bbox
    assert box == Box(left, top, right, bottom)
    assert box_of(np.zeros((7, 7), np.float32), 30, 20) == Box.whole(30, 20)


def test_cells_average_to_the_score_of_the_whole() -> None:
    """What makes it a class activation map: the head is linear on pooled features."""
    network = create("resnet10t", 4, {}).eval()
    inputs = torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        maps, whole = cell_scores(network, inputs), network(inputs)
    assert maps is not None and maps.shape[:2] == (2, 4)
    assert torch.allclose(maps.mean(dim=(2, 3)), whole, atol=1e-4)


def test_a_flat_head_has_no_map() -> None:
    with pytest.raises(ModelError, match="'activation' needs"):
        by_activation(Oracle(), SETTINGS)
