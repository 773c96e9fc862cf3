"""Every runtime gives what plain PyTorch gives, and one that does not is not used."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from garim.errors import SettingsError
from garim.models import runtime
from garim.models.classifier import Card, Classifier
from garim.models.localizer import feature_maps
from garim.models.networks import create
from garim.models.runtime import RUNTIMES, Outputs, Prepared, Runtime, resolve

INSTALLED = [name for name, one in RUNTIMES.items() if not one.missing]


class Maps(nn.Module):
    """Class scores and feature maps of a network, as one module."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Tensor) -> tuple[Tensor, ...]:
        inputs = batch.float().div(255).permute(0, 3, 1, 2)
        maps = feature_maps(self.network, inputs) or []
        return self.network(inputs), maps[-1]


def pictures(n: int, side: int) -> NDArray[np.uint8]:
    return np.random.default_rng(n).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


@pytest.fixture(scope="module", params=[("small_cnn", 64), ("resnet10t", 64)])
def network(request: pytest.FixtureRequest) -> tuple[nn.Module, int]:
    name, side = request.param
    torch.manual_seed(0)
    return Maps(create(name, 4)).eval(), side


@pytest.mark.parametrize("name", INSTALLED)
def test_a_runtime_agrees_with_plain_pytorch_for_any_number_of_pictures(
    network: tuple[nn.Module, int], name: str
) -> None:
    module, side = network
    prepared = Prepared(module, name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in (4, 3, 1, 4):
            batch = pictures(n, side)
            with torch.inference_mode():
                expected = module(torch.from_numpy(batch))
            for one, right in zip(prepared(batch), expected, strict=True):
                assert one.dtype == np.float32
                apart = np.abs(one - right.numpy()).max()
                assert apart < (1e-4 if name == "onnx" else 0.05) * right.abs().max().item()
        found = prepared(batch)
        kept = [one.copy() for one in found]
        prepared(255 - batch)  # must not write into earlier results
    assert all((a == b).all() for a, b in zip(found, kept, strict=True))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda out: tuple(1.2 * one for one in out), "differs from PyTorch by 20"),
        (lambda out: tuple(np.full_like(one, np.nan) for one in out), "differs from PyTorch"),
        (lambda out: out[:1], "other shapes"),
        (lambda out: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_a_runtime_that_disagrees_is_replaced_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, network: tuple[nn.Module, int], wrong, says: str
) -> None:
    module, side = network
    right = runtime.reference(module)
    monkeypatch.setitem(
        RUNTIMES, "broken", Runtime(lambda m, b: lambda half: lambda x: wrong(right(x)))
    )
    prepared, batch = Prepared(module, "broken"), pictures(2, side)
    with pytest.warns(UserWarning, match=f"'broken' .*{says}"):
        found = prepared(batch)
    assert all((a == b).all() for a, b in zip(found, right(batch), strict=True))


def test_float32_is_tried_where_half_precision_is_too_coarse(
    monkeypatch: pytest.MonkeyPatch, network: tuple[nn.Module, int]
) -> None:
    module, side = network
    right = runtime.reference(module)
    monkeypatch.setattr(runtime, "has_half", lambda module: True)

    def compiled(half: bool) -> runtime.Run:
        return (lambda x: tuple(1.2 * one for one in right(x))) if half else right

    monkeypatch.setitem(RUNTIMES, "coarse", Runtime(lambda m, b: compiled))
    batch = pictures(2, side)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = Prepared(module, "coarse")(batch)
    assert all((a == b).all() for a, b in zip(found, right(batch), strict=True))


def test_another_first_class_is_a_disagreement_only_where_the_lead_was_clear() -> None:
    def outputs(*row: float) -> Outputs:
        rows = [[5.0, 0.0], [0.0, 5.0], [5.0, 0.0], [0.0, 5.0], list(row)] * 4
        return (np.array(rows, np.float32),)

    assert runtime.disagreement(outputs(1.01, 1.0), outputs(1.0, 1.01)) is None
    assert runtime.disagreement(outputs(1.0, 1.3), outputs(1.3, 1.0)) is not None


def test_scores_do_not_depend_on_who_shares_the_batch() -> None:
    torch.manual_seed(0)
    card = Card(architecture="small_cnn", classes=("a", "b", "c"), size=64,
                mean=(0.5,) * 3, std=(0.5,) * 3)  # fmt: skip
    plain = Classifier(create("small_cnn", 3), card)
    batch = pictures(5, 64)
    for name in {"torch", "openvino"} & set(INSTALLED):
        fast = plain.with_runtime(name)
        together = fast.scores(batch)
        alone = np.concatenate([fast.scores(batch[i : i + 1]) for i in range(len(batch))])
        np.testing.assert_allclose(alone, together, atol=0.01)
        np.testing.assert_allclose(plain.scores(batch), together, atol=0.02)


def test_a_runtime_that_is_not_installed_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        RUNTIMES, "openvino", Runtime(RUNTIMES["openvino"].build, packages=("no_such_module",))
    )
    with pytest.raises(SettingsError, match=r"no_such_module.*pip install 'garim\[openvino\]'"):
        resolve("openvino", torch.device("cpu"), 10)
    assert resolve("auto", torch.device("cpu"), 10**6) != "openvino"


def test_an_unknown_runtime_and_one_without_use_for_the_gpu_are_refused() -> None:
    with pytest.raises(SettingsError, match="no runtime 'fast'; known: auto, torch, onnx"):
        resolve("fast", torch.device("cpu"), 10)
    if "onnx" in INSTALLED:
        with pytest.raises(SettingsError, match="use --runtime torch"):
            resolve("onnx", torch.device("cuda"), 10)


def test_auto_compiles_for_many_pictures_only() -> None:
    assert resolve("auto", torch.device("cpu"), 10) == "torch"
    assert resolve("auto", torch.device("cuda"), 10**6) == "torch"
    if "openvino" in INSTALLED:
        assert resolve("auto", torch.device("cpu"), 10**6) == "openvino"


@pytest.mark.skipif("openvino" not in INSTALLED, reason="openvino is not installed")
def test_openvino_does_not_call_home(tmp_path: Path) -> None:
    """In a process of its own: openvino reports its use when it is first imported."""
    script = """
import sys
asked = []
sys.addaudithook(lambda event, args: asked.append(args) if event == "socket.getaddrinfo" else None)
import numpy as np
from garim.models.networks import create
from garim.models.runtime import RUNTIMES
from torch import nn
class M(nn.Module):
    def __init__(self):
        super().__init__()
        self.network = create("small_cnn", 2).eval()
    def forward(self, x):
        return (self.network(x.float().permute(0, 3, 1, 2)),)
RUNTIMES["openvino"].build(M(), np.zeros((2, 32, 32, 3), np.uint8))(False)
import openvino, threading
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        thread.join(2)
assert not asked, asked
assert sys.modules["openvino_telemetry"] is None
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, timeout=120)
