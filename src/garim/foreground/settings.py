"""How the foreground is found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from garim.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class ForegroundSettings:
    """Settings of the foreground."""

    method: str = "classical"
    """How it is found: `classical` (contrast with the border, then GrabCut; no weights), `matting`
    (rembg; `pip install 'garim[matting]'`), `model` (a Garim segmenter), or `onnx` (any network
    that gives one map)."""
    weights: Path | None = None
    """File of the network, .onnx, or folder of the segmenter; `matting` takes rembg's own files, by
    their names."""
    bgr: bool = False
    """Show the network blue, green, red, as one trained through OpenCV expects (`onnx` only)."""
    longest: int = 320
    """Longest side in pixels at which the foreground is looked for; its edges are then fitted to
    the full picture."""
    softness: float = 0.01
    """Width of the soft edge, as a share of the longest side; 0 for hard edges."""

    def check(self, methods: tuple[str, ...]) -> None:
        """Raise a SettingsError with everything that cannot work."""
        problems = []
        if self.method not in methods:
            problems.append(f"there is no method {self.method!r}; known: {', '.join(methods)}")
        if self.method in {"onnx", "model"} and self.weights is None:
            what = "FILE.onnx" if self.method == "onnx" else "FOLDER"
            problems.append(f"the method {self.method} needs a network: set weights to {what}")
        if self.weights is not None and self.method == "classical":
            problems.append("the method classical has no weights; choose matting or onnx")
        if self.weights is not None and not self.weights.exists():
            problems.append(f"{self.weights}: is not there; name the network's file or folder")
        if self.longest < 64:
            problems.append(f"longest must be at least 64 pixels, not {self.longest}")
        if not 0 <= self.softness <= 0.1:
            problems.append(f"softness must be from 0 to 0.1, not {self.softness}")
        if problems:
            raise SettingsError(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class CutoutSettings:
    """Settings of cutouts."""

    background: str = "transparent"
    """What is put behind the object: `transparent`, `blur` (portrait mode), a colour (`white`,
    `#ff8800`), or the file of a picture."""
    format: str = "png"
    """`png` or `webp`."""
    blur: float = 0.02
    """Strength of `blur`, as a share of the picture's longest side."""

    def check(self) -> None:
        """Raise a SettingsError with everything that cannot work."""
        problems = []
        if self.format not in {"png", "webp"}:
            problems.append(f"the format must be png or webp, not {self.format!r}")
        if not 0 < self.blur <= 0.5:
            problems.append(f"blur must be above 0 and at most 0.5, not {self.blur}")
        if problems:
            raise SettingsError(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineSettings:
    """Settings of outlines."""

    level: int | None = None
    """Grey value, 0 to 255, above which a pixel is inside. Default: found from the picture
    (Otsu)."""
    smallest: float = 0.0005
    """Outlines that enclose less than this share of the picture are left out."""
