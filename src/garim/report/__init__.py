"""What people look at: sheets, charts, pages."""

from garim.report.audit_page import audit_report
from garim.report.reports import (
    dataset_report,
    dataset_sheet,
    demo_report,
    evaluation_report,
    extraction_report,
    localization_page,
    training_report,
)
from garim.report.sheet import Sheet, before_after, contact_sheet, rounds_sheet

__all__ = [
    "Sheet",
    "audit_report",
    "before_after",
    "contact_sheet",
    "dataset_report",
    "dataset_sheet",
    "demo_report",
    "evaluation_report",
    "extraction_report",
    "localization_page",
    "rounds_sheet",
    "training_report",
]
