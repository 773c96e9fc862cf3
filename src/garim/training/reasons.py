"""What was chosen for a training where nothing was set, and why, in words."""

from __future__ import annotations

from garim.training.choices import MOST_COPIES, PASSES
from garim.training.settings import Recipe, TrainSettings


def reasons(settings: TrainSettings, recipe: Recipe, pictures: int) -> tuple[str, ...]:
    """Say what was chosen and why, for what neither the user nor a preset has set."""
    found = []
    open_now = settings.preset is None
    if open_now and settings.backbone is None:
        found.append(f"network {recipe.backbone}: small enough for a processor")
    if open_now and settings.tune is None:
        found.append(
            "everything is trained: there are no starting weights"
            if recipe.tune == "all"
            else "a head on a frozen backbone: its features are computed once, not in every epoch"
        )
    if open_now and settings.size is None:
        found.append(f"size {recipe.size}: what {recipe.backbone} was made for")
    if settings.copies is None and recipe.caches_features and recipe.augment != "none":
        found.append(
            f"{recipe.copies} augmented copies of {pictures} pictures: {MOST_COPIES}, but no more "
            f"than {PASSES:,} passes on a processor"
        )
    return tuple(found)
