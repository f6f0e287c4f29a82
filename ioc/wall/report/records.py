"""Records of the KPI log (`ioc.kpi.values`) as a reader sees them, and the newest of each figure. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ioc.kpis.log import LoggedValue, Place
from ioc.kpis.log_records import decode_written

__all__ = ["Entry", "Ledger", "decode_record"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the log says of one figure of one period.

    `corrected_from`: the value that the closed period had before, where this reader saw it and it differs. A log that
    was compacted meanwhile no longer holds it.
    """

    logged: LoggedValue
    written_at: datetime | None
    corrected_from: LoggedValue | None = None


def decode_record(key: bytes | None, value: bytes | None) -> Entry:
    """Returns what a record holds.

    Raises:
        msgspec.DecodeError: the record is none of the log's.
    """
    logged, written_at = decode_written(key, value)
    return Entry(logged=logged, written_at=written_at)


class Ledger:
    """The newest entry of each figure, of records taken in log order."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._places: dict[Place, dict[tuple[str, str, str], Entry]] = {}
        for entry in entries:
            self.take(entry)

    def take(self, entry: Entry) -> None:
        """The later record stands, whatever it says of its time."""
        logged = entry.logged
        series = self._places.setdefault(logged.place, {})
        before = series.get(logged.series)
        first = before.corrected_from or before.logged if before is not None else None
        if first is not None and logged.is_closed and first.is_closed and _told(first) != _told(logged):
            entry = Entry(logged=logged, written_at=entry.written_at, corrected_from=first)
        series[logged.series] = entry

    def total(self, place: Place) -> Entry | None:
        return self._places.get(place, {}).get(("*", "", ""))

    def groups(self, place: Place) -> dict[str, Entry]:
        """The entries of units or agencies, by code."""
        return {
            agency or unit: entry
            for (unit, agency, dim), entry in self._places.get(place, {}).items()
            if not dim and (agency or unit != "*")
        }

    def dims(self, place: Place) -> dict[str, Entry]:
        """The entries beside the total, by the value of the KPI's own label."""
        return {dim: entry for (_, _, dim), entry in self._places.get(place, {}).items() if dim}

    def periods(self, kpi: str, window: str) -> list[str]:
        """The names of the periods that it holds, in order."""
        return sorted(period for found, of, period in self._places if (found, of) == (kpi, window))


def _told(logged: LoggedValue) -> tuple[float | None, float | None, float | None, bool]:
    return logged.value, logged.numerator, logged.denominator, logged.is_manual
