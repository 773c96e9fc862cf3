from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import garim
from drawn_pictures import shapes
from garim.errors import ModelError
from garim.models.networks.compact import Compact, MergingConv
from garim.models.other_upscalers import load_other
from garim.models.upscaler import UPSCALERS, Upscaler, UpscalerCard, create_upscaler, shipped
from garim.resizing import as_values, resize


def build(name: str, scale: int = 2, **options: Any) -> nn.Module:
    torch.manual_seed(0)
    network = create_upscaler(name, scale, options)
    for weight in network.parameters():  # nothing may be hidden behind small first weights
        nn.init.normal_(weight, std=0.1)
    return network


def upscaler(name: str = "compact", scale: int = 2, tile: int = 256) -> Upscaler:
    card = UpscalerCard(architecture=name, scale=scale)
    return Upscaler(build(name, scale), card, tile)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", UPSCALERS)
def test_size_and_folder(name: str, scale: int, tmp_path: Path) -> None:
    made = upscaler(name, scale)
    values = as_values(shapes(20, 11))
    large = made.enlarge(values)
    assert large.shape == (11 * scale, 20 * scale, 3) and large.dtype == np.float32
    assert 0 <= large.min() <= large.max() <= 1
    made.save(tmp_path)
    again = garim.load_model(tmp_path)
    assert isinstance(again, Upscaler) and again.card == made.card
    assert (again.enlarge(values) == large).all()


@pytest.mark.parametrize("name", UPSCALERS)
@pytest.mark.parametrize("tile", [32, 33])
def test_tiles_leave_no_seam(name: str, tile: int) -> None:
    values = as_values(shapes(90, 70))
    whole, tiled = upscaler(name, tile=256), upscaler(name, tile=tile)
    assert np.abs(whole.enlarge(values) - tiled.enlarge(values)).max() < 1e-5


@pytest.mark.parametrize("name", UPSCALERS)
def test_the_margin_is_what_the_network_sees(name: str) -> None:
    network = build(name)
    pictures = torch.rand(1, 3, 41, 41, requires_grad=True)
    network(pictures)[0, :, 40, 40].sum().backward()
    assert pictures.grad is not None
    rows = pictures.grad[0].abs().sum(dim=(0, 2)).nonzero()
    assert 20 - int(rows.min()) <= network.margin
    assert int(rows.max()) - 20 <= network.margin


def test_the_documents_shapes() -> None:
    network = create_upscaler("document", 2)
    seen = [torch.rand(1, 3, 16, 16)]
    for layer in network.layers:
        seen.append(layer(seen[-1]))
    shapes_ = [tuple(one.shape[1:]) for one in seen]
    assert list(dict.fromkeys(shapes_)) == [(3, 16, 16), (27, 32, 32), (9, 32, 32), (3, 32, 32)]


def test_compact_starts_at_bicubic_and_merges() -> None:
    torch.manual_seed(0)
    network = Compact(learning=True, width=8, depth=2)
    pictures = torch.rand(2, 3, 12, 10)
    with torch.inference_mode():
        before = network(pictures)
        assert any(isinstance(part, MergingConv) for part in network.modules())
        after = network.merge()(pictures)
        assert not any(isinstance(part, MergingConv) for part in network.modules())
        assert torch.allclose(before, after, atol=1e-6)
        nn.init.zeros_(network.last.weight)
        nn.init.zeros_(network.last.bias)
        plain = network(pictures)[0].permute(1, 2, 0).numpy()
    wanted = resize(pictures[0].permute(1, 2, 0).numpy(), (20, 24))
    assert np.abs(plain - wanted)[6:-6, 6:-6].max() < 1e-5


def test_sizes_that_were_promised() -> None:
    def count(network: nn.Module) -> int:
        return sum(p.numel() for p in network.parameters())

    assert count(create_upscaler("compact", 2)) <= 25_000
    assert count(shipped().network) <= 100_000


def test_the_weights_in_the_package_beat_bicubic() -> None:
    ready = shipped()
    assert (ready.scale, ready.card.licence) == (2, "Apache-2.0")
    picture = as_values(shapes(80, 64))
    small = resize(picture, (40, 32)).clip(0, 1)
    wrong = [np.mean((large - picture) ** 2)
             for large in (ready.enlarge(small), resize(small, (80, 64)))]  # fmt: skip
    assert wrong[0] < 0.7 * wrong[1]


@pytest.mark.parametrize(
    ("name", "scale", "options", "told"),
    [
        ("none", 2, {}, "known: compact, document"),
        ("compact", 5, {}, "2, 3 or 4"),
        ("compact", 2, {"colour": 1}, "colour"),
        ("compact", 2, {"width": -1}, "width"),
    ],
)
def test_wrong_networks(name: str, scale: int, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ModelError, match=told):
        create_upscaler(name, scale, options)


def test_a_broken_folder(tmp_path: Path) -> None:
    upscaler().save(tmp_path)
    text = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(text.replace('"scale": 2', '"scale": "two"'))
    with pytest.raises(ModelError, match="does not describe"):
        garim.load_model(tmp_path)
    (tmp_path / "config.json").write_text(text.replace('"scale": 2', '"scale": 3'))
    with pytest.raises(ModelError, match="does not fit"):
        garim.load_model(tmp_path)


def other_weights() -> dict[str, torch.Tensor]:
    """A network of another project: SRVGGNetCompact, ×2."""
    from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact

    torch.manual_seed(0)
    network = SRVGGNetCompact(num_feat=8, num_conv=2, upscale=2)
    state: dict[str, torch.Tensor] = network.state_dict()
    return state


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_of_other_projects(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"other{suffix}"
    if suffix == ".pth":
        torch.save({"params": other_weights()}, path)
    else:
        save_file(other_weights(), path)
    other = load_other(path)
    assert (other.scale, other.card.licence) == (2, "unknown")
    values = as_values(shapes(90, 70))
    whole = other.enlarge(values)
    other.tile = 40
    assert whole.shape == (140, 180, 3)
    assert np.abs(other.enlarge(values) - whole).max() < 1e-5


class Evil:
    def __reduce__(self) -> tuple[Any, tuple[str, ...]]:
        return eval, ("open('harm', 'w')",)


def test_nothing_in_a_file_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"params": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(ModelError, match="more than tensors"):
        load_other(tmp_path / "evil.pth")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [({"a": torch.zeros(2)}, "does not know"), (torch.zeros(2), "table of tensors")],
)
def test_files_that_are_no_upscaler(content: Any, told: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(ModelError, match=told):
        load_other(tmp_path / "x.pth")
    (tmp_path / "x.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="cannot be read"):
        load_other(tmp_path / "x.safetensors")


@pytest.mark.parametrize("options", [{"depth": 10**9}, {"width": 10**9}, {"depth": 10**30}])
def test_a_network_that_no_machine_holds_is_refused_at_once(options: dict[str, int]) -> None:
    with pytest.raises(ModelError, match="more than can be built"):
        create_upscaler("compact", 2, options)
