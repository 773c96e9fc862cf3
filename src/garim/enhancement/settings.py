"""What the user may set when pictures are enlarged."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Literal

from garim.errors import SettingsError
from garim.training.degradation import Degradation

METHODS = ("model", "bicubic", "zero-shot")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpscaleSettings:
    """Settings of an enlargement."""

    scale: int = 2
    """How many times larger the result is along each side. A ×2 model makes ×4 in two passes."""
    method: Literal["model", "bicubic", "zero-shot"] = "model"
    """`model`: a trained one. `zero-shot`: learn from each picture itself. `bicubic`: no model."""
    model: Path | None = None
    """Folder of a trained upscaler, or a `.pth` or `.safetensors` file of another project (needs
    the extra `upscale`). Default: the ×2 weights that come with Garim."""
    seconds: float = 60.0
    """Most time that `zero-shot` learns from one picture."""
    blur: float = 0.0
    """For `zero-shot`: the Gaussian blur that made the picture small, where it is known; standard
    deviation in pixels of the result of one pass."""
    kernel: Path | None = None
    """For `zero-shot`: another known blur; a text file of numbers, a line per row, odd sides."""
    tile: int = 256
    """Side of the tiles that a picture is enlarged in; smaller ones need less memory."""
    quality: int = 95
    """Quality of JPEG, WebP and AVIF results, 1 to 100."""

    def check(self) -> None:
        """Raise a SettingsError with everything that cannot work."""
        problems = Degradation(blur=self.blur).problems()
        if self.scale < 2:
            problems.append(f"scale must be at least 2, not {self.scale}")
        if self.method not in METHODS:
            problems.append(f"there is no method {self.method!r}; known: {', '.join(METHODS)}")
        if self.method != "model" and self.model is not None:
            problems.append(f"--method {self.method} uses no --model")
        if self.method != "zero-shot" and (self.blur or self.kernel):
            problems.append("a known blur is for --method zero-shot")
        if self.blur and self.kernel:
            problems.append("give --blur or --kernel, not both")
        if not self.seconds > 0:
            problems.append(f"seconds must be above 0, not {self.seconds}")
        if self.tile < 32:
            problems.append(f"tile must be at least 32, not {self.tile}")
        if not 1 <= self.quality <= 100:
            problems.append(f"quality must be from 1 to 100, not {self.quality}")
        if problems:
            raise SettingsError(problems)


def passes(scale: int, step: int) -> int:
    """Say how many enlargements of ``step`` make one of ``scale``.

    Raises:
        SettingsError: none does.
    """
    count = round(log(scale, step))
    if count < 1 or step**count != scale:
        raise SettingsError([f"a ×{step} model makes ×{step}, ×{step**2} …, not ×{scale}; "
                             "give another --scale, or --method bicubic"])  # fmt: skip
    return count


def read_kernel(path: Path) -> tuple[tuple[float, ...], ...]:
    """Read a blur kernel from a text file.

    Raises:
        SettingsError: it cannot be read, or holds no kernel.
    """
    try:
        lines = path.read_text(encoding="utf-8").replace(",", " ").splitlines()
        kernel = tuple(tuple(map(float, line.split())) for line in lines if line.strip())
    except (OSError, ValueError) as error:
        raise SettingsError([f"{path}: holds no table of numbers: {error}"]) from error
    problems = Degradation(kernel=kernel).problems() if kernel else ["it is empty"]
    if problems:
        raise SettingsError([f"{path}: {problem}" for problem in problems])
    return kernel
