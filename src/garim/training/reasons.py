"""What was chosen for a training where nothing was set, and why, in words."""

from __future__ import annotations

from garim.training.choices import MOST_COPIES, PASSES, TUNED_SIZE
from garim.training.settings import Recipe, TrainSettings


def reasons(settings: TrainSettings, recipe: Recipe, pictures: int) -> tuple[str, ...]:
    """Say what was chosen and why, for what neither the user nor a preset has set."""
    found = []
    open_now = settings.preset is None
    if open_now and settings.backbone is None:
        found.append(f"network {recipe.backbone}: small enough for a processor")
    if open_now and settings.tune is None:
        found.append(_tuned(recipe, pictures))
    if open_now and settings.size is None:
        found.append(_sized(recipe))
    if settings.copies is None and recipe.caches_features and recipe.augment != "none":
        found.append(
            f"{recipe.copies} augmented copies of {pictures} pictures: {MOST_COPIES}, but no more "
            f"than {PASSES:,} passes on a processor"
        )
    return tuple(found)


def _tuned(recipe: Recipe, pictures: int) -> str:
    if recipe.weights == "none":
        return "everything is trained: there are no starting weights"
    if recipe.tune == "all":
        return f"all of the network is fine-tuned: {pictures:,} pictures are few enough for it"
    return "a head on a frozen backbone: its features are computed once, not in every epoch"


def _sized(recipe: Recipe) -> str:
    if recipe.tune == "all" and recipe.weights != "none" and recipe.size == TUNED_SIZE:
        return f"size {recipe.size}: enough to fine-tune, and half the work of 224"
    return f"size {recipe.size}: what {recipe.backbone} was made for"
