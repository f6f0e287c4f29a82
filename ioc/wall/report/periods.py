"""Which period of each window a report of a day or a month tells, and what it is compared with. Pure."""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from ioc.kpis.log import Period, period_at
from ioc.windows import LOCAL_ZONE, microseconds_of

__all__ = ["Span", "windows_of"]

_CALENDAR = ("mtd", "qtd", "ytd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What a report is about: a local day, or a month by its first day."""

    kind: Literal["day", "month"]
    first: date

    @classmethod
    def day(cls, day: date) -> "Span":
        return cls(kind="day", first=day)

    @classmethod
    def month(cls, year: int, month: int) -> "Span":
        return cls(kind="month", first=date(year, month, 1))

    @property
    def last(self) -> date:
        """The last local day of it; targets in force on that day are held against the figures."""
        if self.kind == "day":
            return self.first
        return self.first.replace(day=monthrange(self.first.year, self.first.month)[1])

    @property
    def name(self) -> str:
        return self.first.isoformat() if self.kind == "day" else f"{self.first:%Y-%m}"

    @property
    def start(self) -> datetime:
        return datetime(self.first.year, self.first.month, self.first.day, tzinfo=LOCAL_ZONE)

    @property
    def end(self) -> datetime:
        """The first instant after it."""
        return datetime(self.last.year, self.last.month, self.last.day, tzinfo=LOCAL_ZONE) + timedelta(days=1)

    def before(self) -> "Span":
        day = self.first - timedelta(days=1)
        return Span.day(day) if self.kind == "day" else Span.month(day.year, day.month)

    def year_before(self) -> "Span":
        """29 February is compared with 28 February."""
        year = self.first.year - 1
        day = min(self.first.day, monthrange(year, self.first.month)[1])
        return Span(kind=self.kind, first=date(year, self.first.month, day))

    def period(self, window: str) -> Period | None:
        """The period of the window at the span's end; None for the windows that slide by the minute."""
        return period_at(window, microseconds_of(self.end) - 1)

    def compared(self, window: str) -> Period | None:
        """The period before: of a month, quarter or year the one before it, else that at the end of the span before."""
        period = self.period(window)
        if period is None:
            return None
        return period.before() if window in _CALENDAR else self.before().period(window)


def windows_of(windows: Sequence[str], span: Span) -> list[str]:
    """The windows of a KPI that a report tells, in the catalogue's order.

    The month's own report does not tell the last day where the KPI has the month.
    """
    told = [window for window in windows if span.period(window) is not None]
    if span.kind == "month" and "mtd" in told:
        told = [window for window in told if window != "day"]
    return told
