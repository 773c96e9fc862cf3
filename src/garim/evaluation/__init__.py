"""How good is it? Classifiers against labels, boxes against true boxes."""

from garim.evaluation.classification import ClassificationReport, classification_report
from garim.evaluation.comparison import ComparisonReport, comparison_report
from garim.evaluation.detection import DetectionReport, judge_boxes
from garim.evaluation.evaluate import evaluate
from garim.evaluation.instances import InstanceReport, judge_objects
from garim.evaluation.localization import LocalizationReport, localization_report
from garim.evaluation.segmentation import SegmentationReport, judge_masks
from garim.evaluation.upscaling import UpscalingReport

__all__ = [
    "ClassificationReport",
    "ComparisonReport",
    "DetectionReport",
    "InstanceReport",
    "LocalizationReport",
    "SegmentationReport",
    "UpscalingReport",
    "classification_report",
    "comparison_report",
    "evaluate",
    "judge_boxes",
    "judge_masks",
    "judge_objects",
    "localization_report",
]
