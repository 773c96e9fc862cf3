"""What people look at: sheets, charts, pages."""

from garim.report.audit_page import audit_report
from garim.report.comparison_page import training_comparison_page
from garim.report.copies import copies_sheet
from garim.report.detection_page import detection_report, detector_training_report
from garim.report.evaluation_page import comparison_report, evaluation_report
from garim.report.instances_page import instance_report, instance_training_report
from garim.report.outlines import contour_steps, outlines_sheet, thresholds_sheet
from garim.report.reports import (
    dataset_report,
    dataset_sheet,
    demo_report,
    extraction_report,
    localization_page,
    training_report,
)
from garim.report.segmentation_page import segmentation_report, segmenter_training_report
from garim.report.sheet import (
    Sheet,
    before_after,
    captioned_sheet,
    contact_sheet,
    rounds_sheet,
)
from garim.report.upscaling_page import upscaler_training_report, upscaling_report

__all__ = [
    "Sheet",
    "audit_report",
    "before_after",
    "captioned_sheet",
    "comparison_report",
    "contact_sheet",
    "contour_steps",
    "copies_sheet",
    "dataset_report",
    "dataset_sheet",
    "demo_report",
    "detection_report",
    "detector_training_report",
    "evaluation_report",
    "extraction_report",
    "instance_report",
    "instance_training_report",
    "localization_page",
    "outlines_sheet",
    "rounds_sheet",
    "segmentation_report",
    "segmenter_training_report",
    "thresholds_sheet",
    "training_comparison_page",
    "training_report",
    "upscaler_training_report",
    "upscaling_report",
]
