"""The report to leaders: a day or a month from the KPI log and on-call's history, as HTML that prints."""

from ioc.wall.report.as_json import report_json
from ioc.wall.report.model import Report, build_report
from ioc.wall.report.page import report_html
from ioc.wall.report.periods import Span

__all__ = ["Report", "Span", "build_report", "report_html", "report_json"]
