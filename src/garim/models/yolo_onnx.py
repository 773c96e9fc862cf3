"""YOLO detectors that another tool trained and wrote as ONNX.

Which head it is, the shape of its output says, for a picture with ``n`` cells (of strides 8, 16
and 32, sometimes 64) and ``c`` classes:

- YOLOv5, v7: ``(1, 3n, 5 + c)``: centre, sides, objectness, classes; three anchors a cell.
- YOLOX: ``(1, n, 5 + c)``: the same, one anchor; centres and sides may still be those of the grid.
- YOLOv8, v9, v11: ``(1, 4 + c, n)``: centre, sides, classes.
- with suppression inside (YOLOv10): ``(1, m, 6)``: corners, score, class.

YOLOX sees BGR values 0 to 255 with the picture in the corner; the others RGB values 0 to 1 with
the picture in the middle. Both are filled up with grey 114.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.ops import batched_nms

from garim import files
from garim.boxes import Floats
from garim.errors import ModelError, SettingsError
from garim.formats import labels
from garim.models.detections import LEAST, Detections
from garim.pictures import Pixels

FILLING = 114
"""Grey value beside the picture."""

OVERLAP = 0.45
"""IoU above which the less sure of two boxes of one class is left out."""

MOST = 300
"""Most boxes of one picture."""

USUAL = 640
"""Side of the input where the file leaves it open."""

_COCO = (
    "person|bicycle|car|motorcycle|airplane|bus|train|truck|boat|traffic light|fire hydrant|"
    "stop sign|parking meter|bench|bird|cat|dog|horse|sheep|cow|elephant|bear|zebra|giraffe|"
    "backpack|umbrella|handbag|tie|suitcase|frisbee|skis|snowboard|sports ball|kite|"
    "baseball bat|baseball glove|skateboard|surfboard|tennis racket|bottle|wine glass|cup|fork|"
    "knife|spoon|bowl|banana|apple|sandwich|orange|broccoli|carrot|hot dog|pizza|donut|cake|"
    "chair|couch|potted plant|bed|dining table|toilet|tv|laptop|mouse|remote|keyboard|"
    "cell phone|microwave|oven|toaster|sink|refrigerator|book|clock|vase|scissors|teddy bear|"
    "hair drier|toothbrush"
)
COCO_NAMES = tuple(_COCO.split("|"))
"""What 80 classes without names are taken for."""

Raw = NDArray[np.float32]
"""One row per box: centre x and y, width, height in pixels of the input, then class scores."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a kind of YOLO gives, and how it wants to be asked."""

    name: str
    rows: Callable[[Raw, int, int], Raw]
    """Turns an output without its first side into rows; takes the input's height and width too."""
    centred: bool = True
    """Whether the picture stands in the middle of the input, not in its corner."""
    bgr_255: bool = False
    """Whether values are BGR, 0 to 255, not RGB, 0 to 1."""
    suppressed: bool = False
    """Whether boxes that overlap are gone already."""


def _with_objectness(output: Raw, height: int, width: int) -> Raw:
    return np.hstack([output[:, :4], output[:, 4:5] * output[:, 5:]])


def _without_objectness(output: Raw, height: int, width: int) -> Raw:
    return output.T


def _yolox(output: Raw, height: int, width: int) -> Raw:
    grid, stride = _cells(height, width, strides_of(len(output), height, width))
    found = output.copy()
    # Offsets within cells are small numbers; centres in pixels lie by their cells.
    off_grid = np.abs(output[:, :2] - grid).mean()
    off_pixels = np.abs(output[:, :2] - (grid + 0.5) * stride).mean()
    if off_grid > off_pixels and off_pixels <= np.abs(output[:, :2]).mean():
        return _with_objectness(found, height, width)
    found[:, :2] = (output[:, :2] + grid) * stride
    found[:, 2:4] = np.exp(np.clip(output[:, 2:4], -20, 20)) * stride
    return _with_objectness(found, height, width)


def _end_to_end(output: Raw, height: int, width: int) -> Raw:
    number = output[:, 5].astype(int).clip(0)
    scores = np.zeros((len(output), int(number.max(initial=0)) + 1), np.float32)
    scores[np.arange(len(output)), number] = output[:, 4]
    left, top, right, bottom = output[:, :4].T
    middle = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
    return np.hstack([np.stack(middle, axis=1), scores])


V5 = Head("yolov5", _with_objectness)
V8 = Head("yolov8", _without_objectness)
X = Head("yolox", _yolox, centred=False, bgr_255=True)
V10 = Head("yolov10", _end_to_end, suppressed=True)


def strides_of(count: int, height: int, width: int) -> tuple[int, ...]:
    """Give the strides whose cells are so many; none if no usual strides fit."""
    for strides in ((8, 16, 32), (8, 16, 32, 64), (16, 32), (4, 8, 16, 32)):
        if sum(-(-height // s) * -(-width // s) for s in strides) == count:
            return strides
    return ()


def head_of(shape: tuple[int, ...], height: int, width: int) -> Head:
    """Tell the head by the shape of its output.

    Raises:
        ModelError: it is none of those that are known.
    """
    _, first, second = shape if len(shape) == 3 else (0, 0, 0)
    if second > 5 and strides_of(first, height, width):
        return X
    if second > 5 and first % 3 == 0 and strides_of(first // 3, height, width):
        return V5
    if first > 4 and strides_of(second, height, width):
        return V8
    if second == 6:
        return V10
    raise ModelError(
        f"the output {tuple(shape)} for an input of {width} × {height} pixels is no head of "
        "YOLOv5, v7, v8, v9, v10, v11 or YOLOX; export the network without further steps behind it"
    )


class YoloOnnx:
    """A YOLO detector in an ONNX file, ready to find objects.

    Args:
        path: the file.
        names: class names; by default those in the file, or in a text file beside it.
    """

    def __init__(self, path: Path, names: tuple[str, ...] = ()) -> None:
        self.path = path
        self._session = _session(path)
        (given, *others) = self._session.get_inputs()
        shape = given.shape
        if others or len(shape) != 4 or shape[1] not in {3, "3"} or shape[0] not in {1, None}:
            fits = not others and len(shape) == 4 and isinstance(shape[0], str) and shape[1] == 3
            if not fits:
                raise ModelError(f"{path}: takes {shape}, not one picture (1, 3, height, width)")
        self._input, self._half = given.name, "float16" in given.type
        self.height, self.width = (_side(v, self._metadata.get("imgsz")) for v in shape[2:])
        probe = self._run(np.zeros((1, 3, self.height, self.width), np.float32))
        self.head = head_of(probe.shape, self.height, self.width)
        self._names = names or _names(self._metadata.get("names", ""), path)
        self.classes = self._classes(probe)

    @property
    def _metadata(self) -> dict[str, str]:
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def _classes(self, probe: Raw) -> tuple[str, ...]:
        if self.head is V10:
            return self._names or COCO_NAMES
        count = self.head.rows(probe[0], self.height, self.width).shape[1] - 4
        named = self._names or (COCO_NAMES if count == len(COCO_NAMES) else ())
        if named and len(named) != count:
            raise ModelError(f"{self.path}: has {count} classes, but {len(named)} names are given")
        return named or tuple(f"class {number}" for number in range(count))

    def _run(self, batch: NDArray[np.float32]) -> Raw:
        given = batch.astype(np.float16) if self._half else batch
        output: Raw = np.asarray(self._session.run(None, {self._input: given})[0], np.float32)
        return output

    def detect(self, picture: Pixels, least: float = LEAST) -> Detections:
        """Find the objects of a picture.

        Args:
            picture: RGB, uint8 of shape ``(height, width, 3)``.
            least: least score, 0 to 1.
        """
        batch, scale, left, top = letterboxed(picture, self.height, self.width, self.head)
        rows = self.head.rows(self._run(batch)[0], self.height, self.width)
        rows = rows[np.isfinite(rows).all(axis=1)]
        which, number = np.nonzero(rows[:, 4:] >= max(least, 1e-6))
        middle, sides = rows[which, :2] - (left, top), rows[which, 2:4]
        boxes = np.hstack([middle - sides / 2, middle + sides / 2]) / scale
        boxes[:, 0::2] = boxes[:, 0::2].clip(0, picture.shape[1])
        boxes[:, 1::2] = boxes[:, 1::2].clip(0, picture.shape[0])
        scores = rows[which, 4 + number].astype(np.float64)
        kept = self._kept(boxes, scores, number)
        return Detections(boxes=boxes[kept], numbers=number[kept], scores=scores[kept])

    def _kept(self, boxes: Floats, scores: Floats, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        good = np.flatnonzero((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))
        if self.head.suppressed:
            return good[np.argsort(-scores[good], kind="stable")][:MOST]
        chosen = batched_nms(
            torch.from_numpy(boxes[good]).float(), torch.from_numpy(scores[good]).float(),
            torch.from_numpy(numbers[good]), OVERLAP,
        )  # fmt: skip
        return np.asarray(good[chosen.numpy()[:MOST]])

    def digest(self) -> str:
        """Name the detector by its file and its classes."""
        return files.digest_of([files.digest(self.path), self.classes])


def letterboxed(
    picture: Pixels, height: int, width: int, head: Head
) -> tuple[NDArray[np.float32], float, int, int]:
    """Fit a picture into the input, keeping its proportions.

    Returns:
        The input, float32 ``(1, 3, height, width)``; input pixels per pixel of the picture; and
        how far from the left and from the top it stands.
    """
    scale = min(height / picture.shape[0], width / picture.shape[1])
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    left = (width - size[0]) // 2 if head.centred else 0
    top = (height - size[1]) // 2 if head.centred else 0
    whole = np.full((height, width, 3), FILLING, np.uint8)
    whole[top : top + size[1], left : left + size[0]] = cv2.resize(picture, size)
    values = whole[..., ::-1].astype(np.float32) if head.bgr_255 else whole.astype(np.float32) / 255
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None]), scale, left, top


def _cells(height: int, width: int, strides: tuple[int, ...]) -> tuple[Raw, Raw]:
    """Give each cell's column and row, ``(n, 2)``, and its stride, ``(n, 1)``."""
    grids, sizes = [], []
    for stride in strides:
        ys, xs = np.mgrid[: -(-height // stride), : -(-width // stride)]
        grids.append(np.stack([xs.ravel(), ys.ravel()], axis=1))
        sizes.append(np.full((xs.size, 1), stride))
    return np.vstack(grids).astype(np.float32), np.vstack(sizes).astype(np.float32)


def _session(path: Path) -> Any:
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise SettingsError(
            [f"{path}: an ONNX file needs onnxruntime: pip install 'garim[onnx]'"]
        ) from error
    if not path.is_file():
        raise ModelError(f"{path}: there is no such file")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    try:
        return runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common base
        raise ModelError(f"{path}: cannot be opened as ONNX: {error}") from error


def _side(value: Any, noted: str | None) -> int:
    if isinstance(value, int) and value > 0:
        return value
    sides = _literal(noted or "")
    return int(sides[0]) if isinstance(sides, list) and sides else USUAL


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


def _names(noted: str, path: Path) -> tuple[str, ...]:
    """Read class names: from the file, else from ``<file>.names`` or ``.txt`` beside it."""
    found = _literal(noted)
    if isinstance(found, dict):
        return tuple(str(found[key]) for key in sorted(found))
    if isinstance(found, list | tuple):
        return tuple(map(str, found))
    for beside in (path.with_suffix(".names"), path.with_suffix(".txt")):
        if beside.is_file():
            lines = (line.strip() for line in labels.read_text(beside).splitlines())
            return tuple(line for line in lines if line)
    return ()


def load(source: Path) -> YoloOnnx:
    """Open a YOLO detector's ONNX file.

    Raises:
        SettingsError: onnxruntime is not installed.
        ModelError: no ONNX file, or no YOLO in it.
    """
    return YoloOnnx(source)
