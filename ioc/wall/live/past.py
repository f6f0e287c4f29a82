"""The closed periods of the province's figures, from the KPI log: what a trend is measured against. Pure."""

from collections.abc import Mapping

import msgspec

from ioc.wall.live.tiles import Past
from ioc.wall.report.records import decode_record

__all__ = ["PastFigures"]

MAX_PERIODS = 40  # of each KPI: a month of days and some more


class PastFigures:
    """The newest closed periods of each KPI's main window, whatever else the log holds. `windows`: by KPI."""

    def __init__(self, windows: Mapping[str, str]) -> None:
        self._main = windows
        self._values: dict[str, dict[str, float | None]] = {}

    def take(self, key: bytes | None, value: bytes | None) -> bool:
        """Takes one record of the log; returns whether it was one that the wall keeps."""
        if key is None or b'"*"' not in key:  # nearly all are of communes: they are not parsed
            return False
        try:
            logged = decode_record(key, value).logged
        except msgspec.DecodeError:
            return False
        if logged.series != ("*", "", "") or not logged.is_closed or self._main.get(logged.kpi) != logged.window:
            return False
        periods = self._values.setdefault(logged.kpi, {})
        periods[logged.period] = logged.value
        if len(periods) > MAX_PERIODS:
            del periods[min(periods)]
        return True

    def of(self, kpi: str) -> tuple[Past, ...]:
        """Closed periods, in their order."""
        found = self._values.get(kpi, {})
        return tuple(Past(period=period, value=found[period]) for period in sorted(found))
