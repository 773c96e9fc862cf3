"""Where does it run? Heavy work on many things, in one process, in several, or on a Ray cluster."""

from garim.execution.run import ENGINES, Results, executed
from garim.execution.settings import ExecutionSettings
from garim.execution.stage import Record, Stage, Work, check_seen

__all__ = [
    "ENGINES",
    "ExecutionSettings",
    "Record",
    "Results",
    "Stage",
    "Work",
    "check_seen",
    "executed",
]
