"""Records of a KPI log as the tests of the report write them, on the starting catalogue."""

from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from ioc.catalog import Catalog, load_catalog
from ioc.kpis.log import LoggedValue
from ioc.settings import load_settings
from ioc.wall.report import Report, Span, build_report
from ioc.wall.report.happenings import History
from ioc.wall.report.records import Entry, Ledger
from ioc.windows import microseconds_of

NEXT_MORNING = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)  # 06:30 of the 22nd in Vietnam
DAY = Span.day(date(2026, 11, 21))


@cache
def catalog() -> Catalog:
    return load_catalog(load_settings().catalog)


def logged(
    kpi: str, window: str, period: str, numerator: float, denominator: float | None = None, **changes: Any
) -> Entry:
    """A closed total; `value` is the ratio where there is a denominator, else the numerator."""
    value: float | None = numerator
    if denominator is not None:
        value = numerator / denominator if denominator else None
    fields: dict[str, Any] = {
        "kpi": kpi,
        "admin_unit": "*",
        "agency": "",
        "dim": "",
        "window": window,
        "period": period,
        "is_closed": True,
        "value": value,
        "numerator": numerator,
        "denominator": denominator,
        "as_of_us": microseconds_of(datetime(2026, 11, 21, 3, tzinfo=UTC)),
        "is_stale": False,
        "is_manual": False,
        "rule_version": catalog().kpi(kpi).rule_version,
    }
    return Entry(logged=LoggedValue(**(fields | changes)), written_at=NEXT_MORNING)


def made(*entries: Entry, span: Span = DAY, made_at: datetime = NEXT_MORNING, history: History | None = None) -> Report:
    return build_report(catalog(), Ledger(entries), span, made_at=made_at, history=history or History())
