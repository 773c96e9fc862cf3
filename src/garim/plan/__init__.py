"""Plans: proposed edits of a dataset, and how they are carried out and taken back."""

from garim.plan.apply import Applied, ApplySettings, apply, dataset_of, undo
from garim.plan.edits import EDITS, Edit, Kind, Plan, Round, State, load

__all__ = [
    "EDITS",
    "Applied",
    "ApplySettings",
    "Edit",
    "Kind",
    "Plan",
    "Round",
    "State",
    "apply",
    "dataset_of",
    "load",
    "undo",
]
