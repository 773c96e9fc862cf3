"""Which settings are better? The same training under several, over several seeds."""

from garim.comparison.compare import compare_training
from garim.comparison.results import COLUMNS, TrainingComparison
from garim.comparison.varied import ComparisonSettings, parse_vary

__all__ = [
    "COLUMNS",
    "ComparisonSettings",
    "TrainingComparison",
    "compare_training",
    "parse_vary",
]
