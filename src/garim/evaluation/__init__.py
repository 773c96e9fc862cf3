"""How good is it? Classifiers against labels, boxes against true boxes."""

from garim.evaluation.classification import ClassificationReport, classification_report
from garim.evaluation.evaluate import evaluate
from garim.evaluation.localization import LocalizationReport, localization_report

__all__ = [
    "ClassificationReport",
    "LocalizationReport",
    "classification_report",
    "evaluate",
    "localization_report",
]
