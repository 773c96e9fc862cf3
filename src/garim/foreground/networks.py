"""The foreground by a network in an ONNX file: rembg's, or any that gives one map.

Nothing is fetched: a file is given with ``weights``, or rembg has fetched it before.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from garim.errors import ModelError, SettingsError
from garim.foreground.guided import Alpha
from garim.foreground.settings import ForegroundSettings
from garim.models import segmenter
from garim.pictures import Pixels

KNOWN = ("isnet-general-use", "birefnet-general-lite", "u2net", "silueta", "u2netp",
         "u2net_human_seg", "birefnet-portrait", "isnet-anime")  # fmt: skip
"""rembg's networks that run on this machine under open licences, in order of preference."""


class Matting:
    """One of rembg's networks.

    Raises:
        SettingsError: rembg is not installed.
        ModelError: no file of a network, or one that cannot be used.
    """

    def __init__(self, settings: ForegroundSettings) -> None:
        _need("matting", "rembg", "onnxruntime")
        import onnxruntime  # noqa: PLC0415 - an extra

        kind, path = _session(settings.weights)
        # rembg would look for the file in its own folder, and fetch it where it is not.
        own = type(kind.__name__, (kind,), {"download_models": classmethod(lambda *a, **k: path)})
        try:
            self.session = own(path.stem, onnxruntime.SessionOptions())
        except Exception as error:  # onnxruntime raises kinds of its own
            raise ModelError(f"{path}: cannot be run: {error}") from error
        self.path = path

    def __call__(self, pixels: Pixels) -> Alpha:
        """Give the matte of a picture, at its size."""
        try:
            mask = self.session.predict(Image.fromarray(pixels))[0]
        except Exception as error:  # a network of another kind
            raise ModelError(f"{self.path}: is no network that rembg runs: {error}") from error
        return np.asarray(mask, dtype=np.float32) / np.float32(255)


def _session(weights: Path | None) -> tuple[Any, Path]:
    """Find rembg's class for a file, or the first of its networks that is there."""
    from rembg.sessions import sessions_class  # noqa: PLC0415 - an extra

    by_name = {one.name(): one for one in sessions_class}
    if weights is not None:
        return by_name[weights.stem if weights.stem in KNOWN else "u2net"], weights
    for name in KNOWN:
        found = by_name[name].resolve_existing(f"{name}.onnx") if name in by_name else None
        if found is not None:
            return by_name[name], Path(found)
    raise ModelError(
        "rembg has fetched no network on this machine; fetch one (`rembg d u2net`), set weights to "
        "its FILE.onnx, or use the method classical"
    )


class Onnx:
    """Any network that takes pictures, ``(1, 3, h, w)`` of 0 to 1, and gives one map of 0 to 1.

    Raises:
        SettingsError: onnxruntime is not installed.
        ModelError: the file is no such network.
    """

    def __init__(self, settings: ForegroundSettings) -> None:
        _need("onnx", "onnxruntime")
        import onnxruntime  # noqa: PLC0415 - an extra

        self.path, self.bgr = settings.weights, settings.bgr
        try:
            self.session = onnxruntime.InferenceSession(
                str(self.path), providers=["CPUExecutionProvider"]
            )
            (self.input,) = self.session.get_inputs()
            _, channels, *sides = self.input.shape
        except Exception as error:  # onnxruntime raises kinds of its own
            raise ModelError(f"{self.path}: is no network of one picture: {error}") from error
        if channels != 3 or len(sides) != 2:
            raise ModelError(f"{self.path}: takes {self.input.shape}; expected (1, 3, h, w)")
        height, width = (one if isinstance(one, int) else settings.longest for one in sides)
        self.size = width, height

    def __call__(self, pixels: Pixels) -> Alpha:
        """Give the matte of a picture, at its size."""
        image = cv2.resize(pixels[..., ::-1] if self.bgr else pixels, self.size,
                           interpolation=cv2.INTER_AREA)  # fmt: skip
        batch = (image.astype(np.float32) / 255).transpose(2, 0, 1)[None]
        try:
            result = self.session.run(None, {self.input.name: np.ascontiguousarray(batch)})[0]
        except Exception as error:  # onnxruntime raises kinds of its own
            raise ModelError(f"{self.path}: cannot be run: {error}") from error
        found = np.squeeze(np.asarray(result, dtype=np.float32))
        if found.ndim != 2 or found.min() < -0.01 or found.max() > 1.01:
            raise ModelError(
                f"{self.path}: gives {np.shape(result)}, {found.min():.3g} to {found.max():.3g}; "
                "expected one map of 0 to 1"
            )
        return _sized(found, pixels)


class BySegmenter:
    """A Garim segmenter: whatever is not its background.

    Raises:
        ModelError: no folder of a segmenter, or none of its classes is the background.
    """

    def __init__(self, settings: ForegroundSettings) -> None:
        self.segmenter = segmenter.load(settings.weights or "")
        names = [name.casefold() for name in self.segmenter.classes]
        if "background" not in names:
            known = ", ".join(self.segmenter.classes)
            raise ModelError(f"{settings.weights}: has no class 'background' among {known}")
        self.background = names.index("background")

    def __call__(self, pixels: Pixels) -> Alpha:
        """Give the matte of a picture, at its size."""
        return _sized(1 - self.segmenter.probabilities(pixels)[self.background], pixels)


def _sized(found: Alpha, pixels: Pixels) -> Alpha:
    size = pixels.shape[1], pixels.shape[0]
    wide = cv2.resize(found, size, interpolation=cv2.INTER_LINEAR)
    return np.clip(np.asarray(wide, dtype=np.float32), 0, 1)


def _need(extra: str, *packages: str) -> None:
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise SettingsError([
            f"the method {extra} needs {' and '.join(missing)}: pip install 'garim[{extra}]'"
        ])  # fmt: skip
