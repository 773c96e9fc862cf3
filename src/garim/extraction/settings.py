"""How boxes are looked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from garim.errors import SettingsError
from garim.foreground import ForegroundSettings
from garim.models.classifier import Scores
from garim.models.runtime import AUTO


@dataclass(frozen=True, slots=True, kw_only=True)
class ContourSettings:
    """Settings of the contour crop. All but the preset are steps of `document`."""

    preset: str = "auto"
    """`auto` (outlines of the foreground, in colour), or `document` (the original recipe)."""
    trim_top: float = 0.2
    """Share of the height that is cut off above."""
    trim_bottom: float = 0.3
    """Share of the height that is cut off below."""
    trim_sides: float = 0.05
    """Share of the width that is cut off on each side."""
    shrink: float = 0.75
    """Factor by which the rest is made smaller, each pixel the mean of those it covers."""
    threshold: str = "adaptive"
    """What parts black from white: `adaptive`, `global`, `otsu` or `local`."""
    block: int = 15
    """Pixels a side that `adaptive` takes the mean of, odd."""
    offset: float = 2.0
    """C: what `adaptive` subtracts from the mean, in grey values."""
    level: float = 127.0
    """Grey value that `global` compares with, 0 to 255."""
    tiles: int = 4
    """Parts a side that `local` finds a level for."""
    blur: int = 5
    """Pixels a side of the median blur, odd; 1 for none."""
    kernel: int = 3
    """Pixels a side of the closing and of the gradient."""

    def check(self, thresholds: tuple[str, ...]) -> None:
        """Raise a SettingsError with everything that cannot work."""
        problems = []
        if self.preset not in {"auto", "document"}:
            problems.append(f"the preset must be auto or document, not {self.preset!r}")
        if self.threshold not in thresholds:
            known = ", ".join(thresholds)
            problems.append(f"there is no threshold {self.threshold!r}; known: {known}")
        shares = self.trim_top, self.trim_bottom, self.trim_sides
        if min(shares) < 0 or self.trim_top + self.trim_bottom >= 1 or self.trim_sides >= 0.5:
            problems.append(f"what is trimmed must be shares that leave something, not {shares}")
        if not 0 < self.shrink <= 1:
            problems.append(f"shrink must be above 0 and at most 1, not {self.shrink}")
        if self.block < 3 or not self.block % 2:
            problems.append(f"block must be odd and at least 3, not {self.block}")
        if self.blur < 1 or not self.blur % 2:
            problems.append(f"blur must be odd and at least 1, not {self.blur}")
        if self.kernel < 1 or self.tiles < 1:
            problems.append(f"kernel and tiles must be at least 1, not {self.kernel}, {self.tiles}")
        if problems:
            raise SettingsError(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractSettings:
    """Settings of an extraction."""

    method: str | None = None
    """How the object is found: `self` (evidence), `activation` (class activation map), `windows`,
    or `document` (the original procedure), which need a model; `contour` or `foreground`, which do
    without. Default: self, or windows where the model has no localizer."""
    grid: int = 9
    """N: cells per side of the grid that windows are cut from."""
    kernel: int = 5
    """K: cells per side of a window, at least 1 and below N."""
    rounds: int = 3
    """Most rounds; each starts from the box of the round before, and stops when nothing changes.
    `self` looks once."""
    skip_above: float | None = None
    """Leave pictures alone that are predicted as their label, with at least this score (the
    document: 0.95)."""
    instances: bool = False
    """Propose a box for every object of the label, not only for the clearest (`self` only)."""
    out_of_fold: bool = True
    """Judge training pictures by the fold that has not seen them, where the model has folds."""
    batch: int = 256
    """Crops that go through the network at once."""
    runtime: str = AUTO
    """What runs the network: `torch`, `onnx`, `openvino`, or `auto`, the fastest that is installed
    (`pip install 'garim[openvino]'`); it is checked against plain PyTorch at the first batch."""

    contour: ContourSettings = field(default_factory=ContourSettings)
    """Steps of the method `contour`."""
    foreground: ForegroundSettings = field(default_factory=ForegroundSettings)
    """How `foreground`, and `contour` with the preset auto, find the foreground."""

    def skips(self, whole: Scores, label: int) -> bool:
        """Tell whether a picture with these scores, shape ``(classes,)``, is left alone."""
        enough = self.skip_above is not None and whole[label] >= self.skip_above
        return bool(enough and whole.argmax() == label)

    def check(self, methods: tuple[str, ...]) -> None:
        """Raise a SettingsError with everything that cannot work."""
        problems = []
        if self.method not in methods:
            problems.append(f"there is no method {self.method!r}; known: {', '.join(methods)}")
        if not 1 <= self.kernel < self.grid:
            problems.append(
                "the kernel K must be at least 1 and below the grid N, "
                f"not K={self.kernel} and N={self.grid}"
            )
        if self.method == "document" and not (self.grid % 2 and self.kernel % 2):
            problems.append(
                f"the document allows odd N and K only, not N={self.grid} and K={self.kernel}"
            )
        if self.rounds < 1:
            problems.append(f"rounds must be at least 1, not {self.rounds}")
        if self.batch < 1:
            problems.append(f"batch must be at least 1, not {self.batch}")
        if self.skip_above is not None and not 0 < self.skip_above <= 1:
            problems.append(f"skip_above must be above 0 and at most 1, not {self.skip_above}")
        if problems:
            raise SettingsError(problems)
