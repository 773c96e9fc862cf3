from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from garim.errors import ModelError
from garim.models.networks.fcn import COARSEST, _enlarging, feature_maps
from garim.models.networks.segmentation import SEGMENTERS, create_segmenter

TINY = "mobilenetv3_small_050"


@pytest.mark.parametrize("name", SEGMENTERS)
@pytest.mark.parametrize("size", [(61, 97), (32, 33)])
def test_every_network_scores_every_pixel_at_any_size(name: str, size: tuple[int, int]) -> None:
    network = create_segmenter(name, TINY, 5).eval()
    with torch.inference_mode():
        assert network(torch.randn(2, 3, *size)).shape == (2, 5, *size)


@pytest.mark.parametrize("factor", [2, 8, 16, 32])
@pytest.mark.parametrize("groups", [1, 3])
def test_enlarging_starts_as_bilinear_interpolation(factor: int, groups: int) -> None:
    maps = torch.randn(1, 3, 5, 6)
    found = _enlarging(3, factor, groups)(maps)
    right = functional.interpolate(maps, scale_factor=factor, mode="bilinear")
    assert found.shape == right.shape
    inside = (..., slice(factor, -factor), slice(factor, -factor))  # the rims are treated otherwise
    assert torch.allclose(found[inside], right[inside], atol=1e-5)


def test_finer_networks_start_from_the_coarsest_ones_answer() -> None:
    torch.manual_seed(0)
    coarse, fine = create_segmenter("fcn32s", TINY, 4), create_segmenter("fcn8s", TINY, 4)
    fine.encoder.load_state_dict(coarse.encoder.state_dict())
    fine.score[0].load_state_dict(coarse.score[0].state_dict())
    picture = torch.randn(1, 3, 128, 160)
    with torch.inference_mode():
        one, other = coarse.eval()(picture), fine.eval()(picture)
    assert torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1] > 0.99


def test_vgg_is_convolutional_as_in_the_paper() -> None:
    network = create_segmenter("fcn8s", "vgg11", 3)
    dense = network.encoder.pre_logits
    assert (dense.fc1.kernel_size, dense.fc2.kernel_size) == ((7, 7), (1, 1))
    assert network.strides == (32, 16, 8)
    assert [score.in_channels for score in network.score] == [4096, 512, 256]  # fc7, pool4, pool3
    with torch.inference_mode():
        maps = feature_maps(network.encoder.eval(), torch.zeros(1, 3, 2 * COARSEST, COARSEST))
    assert {stride: tuple(one.shape[2:]) for stride, one in maps.items()} == {
        2: (32, 16), 4: (16, 8), 8: (8, 4), 16: (4, 2), 32: (2, 1)
    }  # fmt: skip


def test_the_last_enlargement_is_not_learned() -> None:
    network = create_segmenter("fcn16s", TINY, 3)
    frozen = {name for name, one in network.named_parameters() if not one.requires_grad}
    assert frozen == {"last.weight"}


@pytest.mark.parametrize(
    ("name", "backbone", "message"),
    [
        ("fcn8", TINY, r"no network 'fcn8'; did you mean fcn8s\?.*deeplabv3plus"),
        ("fcn8s", "mobilenetv2_10", "did you mean .*mobilenetv2_100"),
        ("fcn32s", "small_cnn", "stride 32 .*has them at 2, 4, 8, 16"),
        ("fcn8s", "flatten_mlp", "flatten_mlp|FlattenMLP|feature maps"),
        ("deeplabv3plus", "small_cnn", "small_cnn"),
    ],
)
def test_what_does_not_fit_together(name: str, backbone: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        create_segmenter(name, backbone, 3)


def test_a_folder_cannot_make_a_network_load_something() -> None:
    with pytest.raises(ModelError, match="checkpoint_path"):
        create_segmenter("fcn8s", TINY, 3, {"checkpoint_path": "evil.pth"})
