"""How a model is used on new pictures."""

from __future__ import annotations

from dataclasses import dataclass

from garim.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictSettings:
    """Settings of a prediction."""

    least: float = 0.0
    """Least confidence, 0 to 1, of a label; a picture below it is called `unsure`."""
    top: int = 3
    """How many of the likeliest labels are listed per picture."""
    batch: int = 64
    """Pictures that go through the network at once."""
    nms: float | None = None
    """Detectors: of boxes that overlap by more than this IoU, 0 to 1, keep only the surest,
    whatever their classes. Default: overlapping boxes are left out within a class only."""
    flip: bool = False
    """Segmenters: average with the mirrored picture, which takes twice as long."""
    runtime: str | None = None
    """What runs the network: `torch`, `onnx`, `openvino`, or `auto`, the fastest that is installed
    and pays. These may compute in half precision, which moves a confidence by up to a few percent.
    Default: plain PyTorch in float32, as `garim evaluate` does."""

    def check(self) -> None:
        """Raise a SettingsError with everything that cannot work."""
        problems = []
        if not 0 <= self.least <= 1:
            problems.append(f"least must be from 0 to 1, not {self.least}")
        if self.nms is not None and not 0 <= self.nms <= 1:
            problems.append(f"nms must be from 0 to 1, not {self.nms}")
        if self.top < 1:
            problems.append(f"top must be at least 1, not {self.top}")
        if self.batch < 1:
            problems.append(f"batch must be at least 1, not {self.batch}")
        if problems:
            raise SettingsError(problems)
