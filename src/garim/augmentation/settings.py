"""How a dataset is augmented: what the user may set."""

from __future__ import annotations

from dataclasses import dataclass

from garim.augmentation.policies import POLICIES
from garim.errors import SettingsError, seed_problems


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentSettings:
    """Settings of an augmentation."""

    per_class: int = 1500
    """Pictures that each class of the train split has afterwards; larger ones stay as they are."""
    policy: str = "light"
    """What is changed at random: `light`, `document`, `boxes`, `flip-only`, `colour`, `strong`,
    or `none`, which only repeats pictures."""
    longest: int = 1280
    """Longest side of the copies in pixels; larger pictures are made smaller. 0 for any size."""
    least_visible: float = 0.3
    """Boxes of which less than this share is still in the picture are left out."""
    seed: int = 0
    """Same seed, same data: same copies."""

    def check(self) -> None:
        """Raise a SettingsError with everything that cannot work."""
        problems = seed_problems(self.seed)
        if self.per_class < 1:
            problems.append(f"per_class must be at least 1, not {self.per_class}")
        if self.longest and self.longest < 16:
            problems.append(f"longest must be at least 16, or 0, not {self.longest}")
        if not 0 <= self.least_visible <= 1:
            problems.append(f"least_visible must be from 0 to 1, not {self.least_visible}")
        if self.policy not in POLICIES:
            known = ", ".join(POLICIES)
            problems.append(f"there is no policy {self.policy!r}; known: {known}")
        if problems:
            raise SettingsError(problems)
