"""What people look at: sheets, charts, pages."""

from garim.report.audit_page import audit_report
from garim.report.comparison_page import training_comparison_page
from garim.report.copies import copies_sheet
from garim.report.dataset_page import dataset_report, dataset_sheet
from garim.report.demo_page import demo_report
from garim.report.detection_page import detection_report
from garim.report.evaluation_page import comparison_report, evaluation_report
from garim.report.instances_page import instance_report
from garim.report.made_masks import masks_sheet
from garim.report.outlines import contour_steps, outlines_sheet, thresholds_sheet
from garim.report.plan_page import localization_page, plan_report
from garim.report.report import Reported, report
from garim.report.segmentation_page import segmentation_report
from garim.report.sheet import (
    Sheet,
    before_after,
    captioned_sheet,
    contact_sheet,
    rounds_sheet,
)
from garim.report.training_page import training_report
from garim.report.upscaling_page import upscaling_report

__all__ = [
    "Reported",
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
    "evaluation_report",
    "instance_report",
    "localization_page",
    "masks_sheet",
    "outlines_sheet",
    "plan_report",
    "report",
    "rounds_sheet",
    "segmentation_report",
    "thresholds_sheet",
    "training_comparison_page",
    "training_report",
    "upscaling_report",
]
