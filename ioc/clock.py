"""The one place that reads the time. Everything else takes `now` as an argument or a `Clock` at construction."""

from collections.abc import Callable
from datetime import UTC, datetime

from ioc.errors import ConfigurationError

__all__ = ["Clock", "clock_from_setting", "system_clock"]

Clock = Callable[[], datetime]
"""Returns the present instant, aware, in UTC."""


def system_clock() -> datetime:
    return datetime.now(UTC)


def clock_from_setting(fixed: str | None) -> Clock:
    """A clock that always returns `fixed` (an RFC 3339 time with its offset; setting `IOC_NOW`), else the system's."""
    if not fixed:
        return system_clock
    try:
        moment = datetime.fromisoformat(fixed)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigurationError(
            f"IOC_NOW={fixed!r} is not a time with an offset; write it like 2026-11-22T08:00:00+07:00, or leave it out"
        )
    instant = moment.astimezone(UTC)
    return lambda: instant
