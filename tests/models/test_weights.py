import pickle
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from garim.errors import ModelError
from garim.models import weights
from garim.models.networks import create
from garim.models.weights import load_file_state, load_into, load_pretrained
from garim.training.learners import build
from garim.training.settings import TrainSettings, resolve

TINY = "mobilenetv3_small_050"


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("content", ["pickle", "torch", "legacy"])
def test_a_pickle_with_code_is_refused_and_not_run(content: str, tmp_path) -> None:
    trap, path = tmp_path / "executed", tmp_path / "w.pth"
    if content == "pickle":
        path.write_bytes(pickle.dumps({"a": Evil(trap)}))
    else:
        torch.save({"a": Evil(trap)}, path, _use_new_zipfile_serialization=content == "torch")
    with pytest.raises(ModelError, match=r"w\.pth"):
        load_file_state(path)
    assert not trap.exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".SafeTensors"])
def test_weights_of_another_number_of_classes_fit(suffix: str, tmp_path) -> None:
    source, target = create(TINY, 7), create(TINY, 3)
    path = tmp_path / f"w{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": {f"module.{n}": t for n, t in source.state_dict().items()}}, path)
    else:
        save_file(source.state_dict(), path)
    before = target.classifier.weight.clone()
    load_into(target, load_file_state(path), str(path))
    assert torch.equal(target.conv_stem.weight, source.conv_stem.weight)
    assert torch.equal(target.classifier.weight, before)


def test_weights_of_another_network_name_the_tensors() -> None:
    with pytest.raises(ModelError, match=r"other\.pth: does not fit.*such as blocks.*--backbone"):
        load_into(create(TINY, 3), create("resnet10t", 3).state_dict(), "other.pth")
    state = {**create(TINY, 3).state_dict(), "conv_stem.weight": torch.zeros(2, 2)}
    with pytest.raises(ModelError, match=r"1 of \d+ tensors.* such as conv_stem\.weight"):
        load_into(create(TINY, 3), state, "bent.pth")


@pytest.mark.parametrize("content", [b"", b"no tensors at all", b"\x08\0\0\0\0\0\0\0{}      "])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_broken_file_is_a_model_error(content: bytes, suffix: str, tmp_path) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="broken"):
        load_file_state(path)


def test_a_picture_is_no_weights_file(tmp_path) -> None:
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (8, 8)).save(path)
    with pytest.raises(ModelError, match=r"photo\.jpg: .*read as tensors only") as caught:
        load_file_state(path)
    assert "weights_only" not in str(caught.value) and "issue" not in str(caught.value)


def test_a_file_without_names_or_that_is_not_there(tmp_path) -> None:
    torch.save(torch.zeros(3), tmp_path / "bare.pth")
    with pytest.raises(ModelError, match="no tensors by name"):
        load_file_state(tmp_path / "bare.pth")
    with pytest.raises(ModelError, match=r"no such weights file.*--weights FILE.*--weights none"):
        load_file_state(tmp_path / "none.pth")


def no_socket(*arguments: object, **named: object) -> None:
    raise AssertionError("a connection was opened")


def test_without_weights_and_network_the_error_comes_fast_and_says_the_ways(monkeypatch) -> None:
    monkeypatch.setattr(weights, "_cached", lambda hub_id: False)
    monkeypatch.setattr(weights, "_hub_answers", lambda: False)
    monkeypatch.setattr(socket.socket, "connect", no_socket)
    started = time.perf_counter()
    with pytest.raises(ModelError) as caught:
        load_pretrained(create("resnet18", 2), "resnet18")
    assert time.perf_counter() - started < 1
    for way in ("--weights FILE", "local hub cache", "--weights none"):
        assert way in str(caught.value)


def test_the_network_is_asked_once_and_shortly(monkeypatch) -> None:
    asked = []

    def refuse(address: tuple[str, int], timeout: float) -> None:
        asked.append((address, timeout))
        raise OSError

    monkeypatch.setattr(weights.socket, "create_connection", refuse)
    assert not weights._hub_answers()
    assert len(asked) == 1
    assert asked[0][1] <= 5


def test_a_network_without_weights_says_so() -> None:
    with pytest.raises(ModelError, match="timm has no weights"):
        load_pretrained(create("small_cnn", 2), "small_cnn")


@pytest.mark.parametrize(("licence", "is_free"), [
    ("cc-by-nc-4.0", False), ("fair-noncommercial-research", False), ("CC-BY-NC-SA-4.0", False),
    ("research-only", False), ("apache-2.0", True), ("mit", True), ("bsd-3-clause", True),
])  # fmt: skip
def test_a_non_commercial_licence_needs_the_flag(licence: str, is_free: bool, monkeypatch) -> None:
    config = replace(timm.get_pretrained_cfg(TINY), license=licence)
    own = {"pretrained": create(TINY, 4)}
    real = timm.create_model
    monkeypatch.setattr(weights.timm, "get_pretrained_cfg", lambda name: config)
    monkeypatch.setattr(weights, "_cached", lambda hub_id: True)
    monkeypatch.setattr(
        weights.timm,
        "create_model",
        lambda name, pretrained=False, **k: own["pretrained"] if pretrained else real(name, **k),
    )
    accepting = TrainSettings(backbone=TINY, accept_non_commercial=True)
    assert build(resolve(accepting), ["a", "b"], accepting)[1] == licence
    chosen = TrainSettings(backbone=TINY)
    if is_free:
        assert build(resolve(chosen), ["a", "b"], chosen)[1] == licence
    else:
        with pytest.raises(ModelError, match=f"{licence}.*--accept-non-commercial"):
            build(resolve(chosen), ["a", "b"], chosen)
