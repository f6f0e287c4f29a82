"""A figures role that was cut off tells old figures and calls them current. Whoever has seen newer ones knows. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from ioc.wall.live.tiles import Reading

__all__ = ["NewestSeen"]

REMEMBERED = timedelta(hours=1)  # as the boards do, see ioc/wall/promql.py


class NewestSeen:
    """The newest as-of of each KPI, and when it was told last."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[datetime, datetime]] = {}

    def marked(self, readings: Mapping[str, Reading], at: datetime) -> dict[str, Reading]:
        """Returns the readings of one scrape at `at`, those marked as old that are older than one within the hour."""
        return {kpi: self._marked(kpi, reading, at) for kpi, reading in readings.items()}

    def _marked(self, kpi: str, reading: Reading, at: datetime) -> Reading:
        seen = self._seen.get(kpi)
        is_behind = seen is not None and (reading.as_of is None or reading.as_of < seen[0])
        if seen is not None and is_behind and at - seen[1] <= REMEMBERED:
            return replace(reading, is_stale=True)
        if reading.as_of is not None:
            self._seen[kpi] = reading.as_of, at
        return reading
