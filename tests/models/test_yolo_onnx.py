"""YOLO heads of every kind, as tiny ONNX files whose boxes are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image

import garim
from garim.cli import run
from garim.errors import ModelError, SettingsError
from garim.models import yolo_onnx
from garim.models.yolo_onnx import V5, V8, X, YoloOnnx, head_of, letterboxed, strides_of

SIDE = 64
CELLS = 8 * 8 + 4 * 4 + 2 * 2

# A box of class 1 around (20, 30), 16 × 12; nearly the same, less sure; one of class 0 there, too.
BOXES = [((20.0, 30.0, 16.0, 12.0), 1, 0.9), ((21.0, 30.0, 16.0, 12.0), 1, 0.7),
         ((20.0, 30.0, 16.0, 12.0), 0, 0.6), ((50.0, 34.0, 8.0, 20.0), 2, 0.8)]  # fmt: skip
EXPECTED = [(1, 0.9), (2, 0.8), (0, 0.6)]


def rows(count: int, objectness: bool) -> NDArray[np.float32]:
    output = np.zeros((count, 5 + 3 if objectness else 4 + 3), np.float32)
    output[:, :4] = 1
    for place, (box, number, score) in enumerate(BOXES):
        output[3 * place, :4] = box
        if objectness:
            output[3 * place, 4] = 0.95
        output[3 * place, -3 + number] = score / (0.95 if objectness else 1)
    return output


def grid_of() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    cells = [(x, y, s) for s in (8, 16, 32) for y in range(SIDE // s) for x in range(SIDE // s)]
    return np.array(cells, np.float32)[:, :2], np.array(cells, np.float32)[:, 2:]


def outputs(kind: str) -> NDArray[np.float32]:
    if kind == "v5":
        return rows(3 * CELLS, True)
    if kind == "v8":
        return rows(CELLS, False).T
    if kind == "v10":
        corners = [(x - w / 2, y - h / 2, x + w / 2, y + h / 2, score, number)
                   for (x, y, w, h), number, score in BOXES if score != 0.7]  # fmt: skip
        return np.array([*corners, *[(0,) * 6] * 5], np.float32)
    found = rows(CELLS, True)
    grid, stride = grid_of()
    empty = found[:, 4] == 0
    found[empty, :2] = ((grid + 0.5) * stride)[empty]
    if kind == "x-raw":
        found[:, :2] = found[:, :2] / stride - grid
        found[:, 2:4] = np.log(found[:, 2:4] / stride)
    return found


def written(
    path: Path, output: NDArray[np.float32], names: str = "", side: int | str = SIDE
) -> Path:
    """Write a network that says the same of every picture."""
    picture = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, side, side])
    given = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, *output.shape])
    said = helper.make_tensor("said", TensorProto.FLOAT, [1, *output.shape], output.ravel())
    zero = helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0])
    nodes = [helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
             helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
             helper.make_node("Add", ["said", "nothing"], ["output"])]  # fmt: skip
    graph = helper.make_graph(nodes, "yolo", [picture], [given], [said, zero])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=9)
    if names:
        helper.set_model_props(model, {"names": names})
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("kind", ["v5", "v8", "x-raw", "x-decoded", "v10"])
def test_every_head_gives_the_same_boxes(tmp_path: Path, kind: str) -> None:
    names = "{0: 'cat', 1: 'dog', 2: '새'}"
    model = garim.load_model(written(tmp_path / "m.onnx", outputs(kind), names))
    assert isinstance(model, YoloOnnx) and model.classes == ("cat", "dog", "새")
    found = model.detect(np.zeros((SIDE, SIDE, 3), np.uint8), 0.3)
    assert [(n, round(s, 3)) for n, s, _ in found] == EXPECTED
    assert found.boxes[0] == pytest.approx([12, 24, 28, 36], abs=1e-3)
    assert found.boxes[1] == pytest.approx([46, 24, 54, 44], abs=1e-3)


def test_it_is_judged_as_every_detector(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = written(tmp_path / "m.onnx", outputs("v8"), "['cat', 'dog', 'cow']")
    (tmp_path / "data").mkdir()
    Image.new("RGB", (SIDE, SIDE)).save(tmp_path / "data" / "a.png")
    lines = ["file,label,xmin,ymin,xmax,ymax", "a.png,dog,12,24,28,36", "a.png,cow,46,24,54,44",
             "a.png,cat,40,4,60,20"]  # fmt: skip
    (tmp_path / "data" / "boxes.csv").write_text("\n".join(lines) + "\n")
    assert run(["evaluate", str(model), str(tmp_path / "data" / "boxes.csv"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ap50"] == found["ap"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["per_class"]["cat"]["ap50"] == 0 and found["pictures"] == 1


def test_boxes_of_two_classes_at_one_place(tmp_path: Path) -> None:
    model = YoloOnnx(written(tmp_path / "m.onnx", outputs("v8")))
    found = model.detect(np.zeros((SIDE, SIDE, 3), np.uint8), 0.3)
    assert [number for number, _, _ in found] == [1, 2, 0]  # 0 lies on 1
    assert [number for number, _, _ in found.apart(0.5)] == [1, 2]
    path = tmp_path / "a.png"
    Image.new("RGB", (SIDE, SIDE)).save(path)
    boxes = {nms: garim.predict(model, path, garim.PredictSettings(least=0.3, nms=nms)).rows[0]
             for nms in (None, 0.5)}  # fmt: skip
    assert [len(row.found) for row in boxes.values()] == [3, 2]
    with pytest.raises(SettingsError, match="nms must be from 0 to 1"):
        garim.predict(model, path, garim.PredictSettings(nms=2))


def test_letterbox_is_undone(tmp_path: Path) -> None:
    model = YoloOnnx(written(tmp_path / "m.onnx", outputs("v8")))
    wide = model.detect(np.zeros((64, 128, 3), np.uint8), 0.85)  # half size, 16 rows of grey above
    assert wide.boxes[0] == pytest.approx([24, 16, 56, 40], abs=1e-3)
    corner = YoloOnnx(written(tmp_path / "x.onnx", outputs("x-raw")))
    below = corner.detect(np.zeros((64, 128, 3), np.uint8), 0.85)
    assert below.boxes[0] == pytest.approx([24, 48, 56, 64], abs=1e-3)  # cut to the picture


def test_inputs_are_as_each_family_wants_them() -> None:
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[..., 0] = 200
    plain, scale, left, top = letterboxed(picture, 64, 64, V5)
    assert (scale, left, top) == (1, 0, 16)
    assert plain[0, :, 32, 0] == pytest.approx([200 / 255, 0, 0])
    assert plain[0, :, 0, 0] == pytest.approx([114 / 255] * 3)
    blue_first, _, left, top = letterboxed(picture, 64, 64, X)
    assert (left, top) == (0, 0) and blue_first[0, :, 0, 0].tolist() == [0, 0, 200]


@pytest.mark.parametrize(
    ("shape", "side", "head"),
    [((1, 25200, 85), 640, V5), ((1, 84, 8400), 640, V8), ((1, 8400, 85), 640, X),
     ((1, 3549, 85), 416, X), ((1, 5, 8400), 640, V8), ((1, 25200, 6), 640, V5),
     ((1, 300, 6), 640, yolo_onnx.V10)],
)  # fmt: skip
def test_heads_are_told_by_their_shapes(shape: tuple[int, ...], side: int, head: object) -> None:
    assert head_of(shape, side, side) is head


def test_strides() -> None:
    assert strides_of(3549, 416, 416) == (8, 16, 32)
    assert strides_of(3548, 416, 416) == ()


def test_names_beside_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "m.onnx", outputs("v8"))
    assert YoloOnnx(path).classes == ("class 0", "class 1", "class 2")
    (tmp_path / "m.names").write_text("a\nb\nc\n")
    assert YoloOnnx(path).classes == ("a", "b", "c")
    (tmp_path / "m.names").write_text("a\n")
    with pytest.raises(ModelError, match="3 classes, but 1 names"):
        YoloOnnx(path)


def test_wrong_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "no.onnx").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="cannot be opened as ONNX"):
        garim.load_model(tmp_path / "no.onnx")
    with pytest.raises(ModelError, match="no such file"):
        garim.load_model(tmp_path / "absent.onnx")
    odd = written(tmp_path / "odd.onnx", np.zeros((7, 3), np.float32))
    with pytest.raises(ModelError, match="is no head of"):
        YoloOnnx(odd)

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(yolo_onnx.importlib, "import_module", missing)
    with pytest.raises(SettingsError, match=r"pip install 'garim\[onnx\]'"):
        YoloOnnx(odd)
