"""How masks are made from labels alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from garim.errors import SettingsError
from garim.foreground import METHODS, ForegroundSettings
from garim.models.runtime import AUTO


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskSettings:
    """Settings of masks from labels."""

    sure: float = 0.6
    """Probability from which a pixel gets the label that it shows; below it stays void."""
    sure_background: float = 0.6
    """Probability from which a pixel is background; below it stays void."""
    balance: float = 1.0
    """How far the labels of one picture are brought to equal areas, 0 to 1: a label that is strong
    everywhere would take the others' pixels."""
    rivals: bool = True
    """Let classes that a picture does not have compete, too; where one wins, pixels stay void: they
    show something that no label of the picture names."""
    matte: bool = True
    """Look for labels only where something stands out from the background (`--foreground.method`
    says how)."""
    boxes: bool = True
    """Look for a label only inside its boxes, where the dataset has boxes of it."""
    patches: int = 300
    """Patches of one colour into which a picture is cut, each decided as one; 0 for single
    pixels."""
    runtime: str = AUTO
    """What runs the network: `torch`, `onnx`, `openvino`, or `auto`, the fastest that is
    installed."""

    foreground: ForegroundSettings = field(default_factory=ForegroundSettings)
    """How what stands out is found; masks are worked out at its longest side."""

    def check(self) -> None:
        """Raise a SettingsError with everything that cannot work."""
        shares = {"sure": self.sure, "sure_background": self.sure_background}
        problems = [
            f"{name} must be above 0 and at most 1, not {value}"
            for name, value in shares.items()
            if not 0 < value <= 1
        ]
        if not 0 <= self.balance <= 1:
            problems.append(f"balance must be from 0 to 1, not {self.balance}")
        if self.patches < 0:
            problems.append(f"patches must be 0 or more, not {self.patches}")
        if problems:
            raise SettingsError(problems)
        self.foreground.check(tuple(METHODS))
