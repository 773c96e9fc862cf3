"""Plans: proposed edits of a dataset, and how they are carried out and taken back."""

from garim.plan.apply import Applied, ApplySettings, apply, dataset_of, undo
from garim.plan.edits import EDITS, Edit, Kind, Plan, Proposed, Round, State, Subject
from garim.plan.reading import load

__all__ = [
    "EDITS",
    "Applied",
    "ApplySettings",
    "Edit",
    "Kind",
    "Plan",
    "Proposed",
    "Round",
    "State",
    "Subject",
    "apply",
    "dataset_of",
    "load",
    "undo",
]
