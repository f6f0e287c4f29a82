"""Windows of figures, and the time arithmetic they need. Times are integers: microseconds since 1970, UTC.

Two grains serve every window: minutes (for `5m` and `1h`) and local days (for all the others); `now` has one bucket.
Vietnam has kept UTC+7 without daylight saving since 1975, so a local day is plain integer arithmetic.
Source of the definitions: semantics.md, "Time".
"""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal

from ioc.errors import ConfigurationError

__all__ = [
    "EPOCH",
    "LOCAL_ZONE",
    "MICROSECONDS",
    "Grain",
    "bucket_of",
    "day_number",
    "grain_of",
    "local_date",
    "microseconds_of",
    "minute_number",
    "moment_of",
    "window_range",
]

Grain = Literal["now", "minute", "day"]
MICROSECONDS = 1_000_000
LOCAL_ZONE = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")
_OFFSET_US = 7 * 3600 * MICROSECONDS
_DAY_US = 86_400 * MICROSECONDS
_MINUTE_US = 60 * MICROSECONDS
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_SLIDING_MINUTES = {"5m": 5, "1h": 60}


def microseconds_of(moment: datetime) -> int:
    """Returns the aware `moment` as microseconds since 1970."""
    delta = moment - EPOCH
    return (delta.days * 86_400 + delta.seconds) * MICROSECONDS + delta.microseconds


def moment_of(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


def day_number(microseconds: int) -> int:
    """Returns the local day, counted from 1970-01-01."""
    return (microseconds + _OFFSET_US) // _DAY_US


def minute_number(microseconds: int) -> int:
    return microseconds // _MINUTE_US


def local_date(microseconds: int) -> date:
    return date.fromordinal(_EPOCH_ORDINAL + day_number(microseconds))


def _number_of_date(day: date) -> int:
    return day.toordinal() - _EPOCH_ORDINAL


def grain_of(window: str) -> Grain:
    """Returns the grain that serves `window`.

    Raises:
        ConfigurationError: no such window.
    """
    if window == "now":
        return "now"
    if window in _SLIDING_MINUTES:
        return "minute"
    if window in ("day", "mtd", "qtd", "ytd") or _rolling_days(window):
        return "day"
    raise ConfigurationError(
        f"window {window!r} is unknown; use now, 5m, 1h, day, mtd, qtd, ytd or rNd (N days, like r30d)"
    )


def bucket_of(grain: Grain, microseconds: int) -> int:
    """Returns the bucket of a time in its grain; `now` has only bucket 0."""
    if grain == "day":
        return (microseconds + _OFFSET_US) // _DAY_US
    if grain == "minute":
        return microseconds // _MINUTE_US
    return 0


def window_range(window: str, now_us: int) -> tuple[int, int]:
    """Returns the first and last bucket (inclusive) of `window` at the clock.

    A minute window slides by the minute and ends with the running one; a day window runs to the end of its period,
    so a fact ten minutes ahead of the clock counts at once.
    """
    minutes = _SLIDING_MINUTES.get(window)
    if minutes is not None:
        running = minute_number(now_us)
        return running - minutes, running
    today = local_date(now_us)
    if window == "day":
        first, last = today, today
    elif window == "mtd":
        first, last = today.replace(day=1), today.replace(day=monthrange(today.year, today.month)[1])
    elif window == "qtd":
        start_month = 3 * ((today.month - 1) // 3) + 1
        last_month = start_month + 2
        first = date(today.year, start_month, 1)
        last = date(today.year, last_month, monthrange(today.year, last_month)[1])
    elif window == "ytd":
        first, last = date(today.year, 1, 1), date(today.year, 12, 31)
    elif window == "now":
        return 0, 0
    else:
        first, last = today - timedelta(days=_rolling_days(window) - 1), today
    return _number_of_date(first), _number_of_date(last)


def _rolling_days(window: str) -> int:
    digits = window[1:-1]
    return int(digits) if window[:1] == "r" and window[-1:] == "d" and digits.isdecimal() and len(digits) < 5 else 0
