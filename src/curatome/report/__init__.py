"""Charts and the one offline HTML file that shows what a build made."""

from curatome.report.model import (
    FactGroup,
    ReportData,
    Sample,
    ScaleSheet,
    SlideCard,
)
from curatome.report.page import render_report, write_report

__all__ = [
    "FactGroup",
    "ReportData",
    "Sample",
    "ScaleSheet",
    "SlideCard",
    "render_report",
    "write_report",
]
