"""How boxes are looked for."""

from __future__ import annotations

from dataclasses import dataclass

from garim.errors import SettingsError
from garim.models.classifier import Scores
from garim.models.runtime import AUTO


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractSettings:
    """Settings of an extraction."""

    method: str | None = None
    """How the object is found: `self` (evidence), `activation` (class activation map), `windows`,
    or `document` (the original procedure). Default: self, or windows where the model has no
    localizer."""
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
