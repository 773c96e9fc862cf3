"""How a network is run. Plain PyTorch in float32 is the reference; the others are faster.

A runtime turns a module that maps pictures to tensors into a function on arrays. At its first
batch the function is built and its results are compared with the reference's: in half precision
where the machine computes in it, and, if that disagrees, in float32. A runtime that disagrees even
then, or cannot run the network, is replaced by the reference with a warning.

To add one: write its function, and a line in ``RUNTIMES``.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from garim.errors import SettingsError
from garim.models.memory import Halving, ran_out
from garim.pictures import Pixels
from garim.streaming import default_workers

Outputs = tuple[NDArray[np.float32], ...]
"""What a module gives for a batch: arrays whose first side counts the pictures."""

Run = Callable[[Pixels], Outputs]
"""Runs a module: RGB pictures, uint8 of shape ``(n, height, width, 3)``, to its outputs."""

Compile = Callable[[bool], Run]
"""Makes a ``Run``: in half precision, or in float32."""

Build = Callable[[nn.Module, Pixels], Compile]
"""Takes a module, and a batch of the shape that it will mostly be given."""

TOLERANCE = 0.1
"""Most that a runtime's outputs may differ from the reference's: root mean square of the difference
as a share of the outputs' own. bfloat16 rounds every value by up to 0.4 %, which adds up over the
layers: measured 0.3 % (VGG16) to 6 % (MobileNetV2 on photos, its boxes then overlapping the
reference's by 0.98 on average). A wrong export is off by far more."""

PAYS = 1000
"""Below so many pictures `auto` stays with PyTorch: exporting a network takes about 5 s, which the
others must first win back at some 10 ms a picture."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """A way to run networks."""

    build: Build
    halves: bool = True
    """Whether it can compute in half precision."""
    packages: tuple[str, ...] = ()
    """Modules that it imports; the extra of its own name installs them."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Modules that are not installed."""
        return tuple(name for name in self.packages if find_spec(name) is None)


class Prepared:
    """A module in a runtime: built at its first batch, and checked there against the reference.

    Args:
        module: maps uint8 pictures ``(n, height, width, 3)`` to a tuple of tensors ``(n, …)``.
        runtime: a name in ``RUNTIMES``, or None for the reference itself.
    """

    def __init__(self, module: nn.Module, runtime: str | None = None) -> None:
        self.module = module.eval()
        self.runtime = runtime
        self._run: Run | None = None if runtime else reference(self.module)
        self._halving = Halving()

    def __reduce__(self) -> tuple[type[Prepared], tuple[nn.Module, str | None]]:
        """Travel without what is built: it is built anew where it arrives."""
        return Prepared, (self.module, self.runtime)

    def __call__(self, batch: Pixels) -> Outputs:
        """Run a batch of at least one picture, in parts where memory is too small for all.

        Raises:
            ModelError: not even one picture fits into memory.
        """
        pixels = np.ascontiguousarray(batch)
        parts = self._halving(lambda part: self._ran(pixels[part]), len(pixels))
        return parts[0] if len(parts) == 1 else tuple(map(np.concatenate, zip(*parts, strict=True)))

    def _ran(self, pixels: Pixels) -> Outputs:
        if self._run is None:
            self._run = self._agreeing(pixels)
        return self._run(pixels)

    def _agreeing(self, batch: Pixels) -> Run:
        """Build the runtime; give the reference instead where it fails or disagrees."""
        plain = reference(self.module)
        runtime, problem = RUNTIMES[self.runtime or "torch"], None
        try:
            compiled = runtime.build(self.module, batch)
            for half in (True, False) if runtime.halves and has_half(self.module) else (False,):
                run = compiled(half)
                problem = disagreement(run(batch), plain(batch))
                if problem is None:
                    return run
        except Exception as error:  # exporters and compilers raise nearly anything
            if ran_out(error):
                raise
            why = next(iter(str(error).strip().splitlines()), "")
            problem = f"cannot run this network ({type(error).__name__}: {why})"
        warnings.warn(
            f"the runtime {self.runtime!r} {problem}; plain PyTorch, which is slower, takes over",
            stacklevel=2,
        )
        return plain


def disagreement(found: Outputs, expected: Outputs) -> str | None:
    """Say how outputs differ from the reference's; None if they agree within the tolerance."""
    if [one.shape for one in found] != [one.shape for one in expected]:
        return "gives outputs of other shapes than PyTorch"
    for one, right in zip(found, expected, strict=True):
        usual = float(np.sqrt(np.mean(np.square(right, dtype=np.float64))))
        apart = float(np.sqrt(np.mean(np.square(one - right, dtype=np.float64))))
        if not apart <= TOLERANCE * max(usual, 1e-6):  # not (… > …): NaN must fail
            return f"differs from PyTorch by {apart / max(usual, 1e-6):.1%}"
        if right.ndim == 2 and _other_first(one, right).any():
            return "puts another class first than PyTorch"
    return None


def _other_first(found: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell which rows have another largest value, though it led by more than twice the tolerance.

    A lesser lead can turn by rounding alone, and says nothing against a runtime.
    """
    if right.shape[1] < 2:
        return np.zeros(len(right), dtype=bool)
    second, first = np.partition(right, -2, axis=1)[:, -2:].T
    clear = first - second > 2 * TOLERANCE * np.abs(first)
    return np.asarray(clear & (found.argmax(axis=1) != right.argmax(axis=1)))


def reference(module: nn.Module) -> Run:
    """Run a module as it is: PyTorch, float32."""
    return _in_torch(module, nullcontext())


def _in_torch(module: nn.Module, precision: AbstractContextManager[Any]) -> Run:
    def run(batch: Pixels) -> Outputs:
        with torch.inference_mode(), precision:
            outputs = module(torch.from_numpy(batch).to(next(module.parameters()).device))
            return tuple(one.float().cpu().numpy() for one in outputs)

    return run


def _torch(module: nn.Module, batch: Pixels) -> Compile:
    """PyTorch, channels last; half precision by autocast, which leaves what is sensitive alone."""
    module.to(memory_format=torch.channels_last)
    kind = next(module.parameters()).device.type
    dtype = torch.bfloat16 if kind == "cpu" else torch.float16
    return lambda half: _in_torch(module, torch.autocast(kind, dtype, enabled=half))


def has_half(module: nn.Module) -> bool:
    """Tell whether the device that holds a module computes in half precision itself."""
    return next(module.parameters()).device.type != "cpu" or has_bfloat16()


def has_bfloat16() -> bool:
    """Tell whether this processor multiplies bfloat16 itself; emulated, it would be slow."""
    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(bool(value) for name, value in known.items() if "bf16" in name)


def _onnx(module: nn.Module, batch: Pixels) -> Compile:
    """ONNX Runtime, float32."""
    import onnxruntime  # noqa: PLC0415 - an extra

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = default_workers()
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        path = to_onnx(module, batch, Path(folder, "network.onnx"))
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(pixels: Pixels) -> Outputs:
        return tuple(np.asarray(one, np.float32) for one in session.run(None, {"pictures": pixels}))

    return lambda half: run


def _openvino(module: nn.Module, batch: Pixels) -> Compile:
    """OpenVINO, by way of ONNX."""
    # Importing openvino reports its use to its maker; it does without where this is missing.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino  # noqa: PLC0415 - an extra

    core = openvino.Core()
    with tempfile.TemporaryDirectory() as folder:
        model = core.read_model(to_onnx(module, batch, Path(folder, "network.onnx")))
    return lambda half: OpenVINO(core, model, batch.shape, half)


class OpenVINO:
    """A network in OpenVINO.

    Compiled for the shape of the first batch, which makes it faster by a fifth; a batch that is a
    little smaller is filled up to it. Compiled once more, when it is needed, for all other shapes.
    """

    def __init__(self, core: Any, model: Any, shape: tuple[int, ...], half: bool) -> None:
        self._core, self._model, self._shape, self._half = core, model, shape, half
        self._usual = self._compiled(shape)
        self._others: Any = None

    def _compiled(self, shape: tuple[int, ...] | None) -> Any:
        model = self._model.clone()
        if shape is not None:
            model.reshape(list(shape))
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if self._half else "f32",
            "INFERENCE_NUM_THREADS": default_workers(),
            "PERFORMANCE_HINT": "LATENCY",  # all threads at one batch
        }
        return self._core.compile_model(model, "CPU", settings).create_infer_request()

    def __call__(self, pixels: Pixels) -> Outputs:
        """Run a batch."""
        count, usual = len(pixels), self._shape[0]
        if usual / 2 <= count < usual and pixels.shape[1:] == self._shape[1:]:
            pixels = np.concatenate([pixels, pixels[: usual - count]])
        if pixels.shape != self._shape and self._others is None:
            self._others = self._compiled(None)
        request = self._usual if pixels.shape == self._shape else self._others
        results = request.infer([pixels], share_inputs=True, share_outputs=True)
        # Copies, as OpenVINO writes the next results over these.
        return tuple(np.array(one[:count], np.float32) for one in results.values())


def to_onnx(
    module: nn.Module,
    batch: Pixels,
    path: Path,
    outputs: Sequence[str] | None = None,
    notes: Mapping[str, str] | None = None,
) -> Path:
    """Write a module as ONNX, for any number of pictures.

    Args:
        module: maps uint8 pictures ``(n, height, width, 3)`` to a tuple of tensors ``(n, …)``.
        batch: pictures of the shape that it will be given.
        path: file to write.
        outputs: names of the outputs; the input is named ``pictures``.
        notes: kept in the file's ``metadata_props``.
    """
    two = torch.from_numpy(np.repeat(batch[:1], 2, axis=0))  # 1 would be taken for a constant
    sides = ({0: torch.export.Dim("n", min=1, max=65_536)},)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter, about its own future
        # optimize: the runtimes do that themselves, and faster
        program = torch.onnx.export(
            module, (two,), input_names=["pictures"], output_names=outputs, dynamic_shapes=sides,
            dynamo=True, external_data=False, verbose=False, optimize=False,
        )  # fmt: skip
    if program is None:
        raise RuntimeError("the exporter gave no network")
    program.model.metadata_props.update(notes or {})
    program.save(path)
    return path


RUNTIMES: dict[str, Runtime] = {
    "torch": Runtime(_torch),
    "onnx": Runtime(_onnx, halves=False, packages=("onnxruntime", "onnxscript")),
    "openvino": Runtime(_openvino, packages=("openvino", "onnxscript")),
}
"""Every runtime by its name."""

AUTO = "auto"
"""The fastest that is installed and pays: OpenVINO, then PyTorch where it has bfloat16, then
ONNX Runtime."""


def resolve(name: str, device: torch.device, pictures: int) -> str:
    """Name the runtime for a device and so many pictures.

    Raises:
        SettingsError: there is no such runtime, it is not installed, or it has no use for the GPU.
    """
    if name == AUTO:
        return _fastest(device, pictures)
    if name not in RUNTIMES:
        known = ", ".join((AUTO, *RUNTIMES))
        raise SettingsError([f"there is no runtime {name!r}; known: {known}"])
    if missing := RUNTIMES[name].missing:
        raise SettingsError([
            f"the runtime {name!r} needs {', '.join(missing)}, which is not installed; "
            f"pip install 'garim[{name}]'"
        ])  # fmt: skip
    if name != "torch" and device.type != "cpu":
        raise SettingsError([
            f"the runtime {name!r} computes on the processor, but the model is on {device.type}; "
            "use --runtime torch"
        ])  # fmt: skip
    return name


def _fastest(device: torch.device, pictures: int) -> str:
    if device.type != "cpu" or pictures < PAYS:
        return "torch"
    order = ("openvino", "torch") if has_bfloat16() else ("openvino", "onnx", "torch")
    return next(name for name in order if not RUNTIMES[name].missing)
