"""Records of the KPI log (`ioc.kpi.values`) as a reader sees them, and the newest of each figure. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from ioc.kpis.log import LoggedValue, Place
from ioc.windows import microseconds_of

__all__ = ["Entry", "Key", "Ledger", "decode_record", "key_of", "place_of"]

Key = tuple[str, str, str, str, str, str]
"""(KPI, admin_unit, agency, dim, window, period)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the log says of one figure of one period.

    `corrected_from`: the value that the closed period had before, where this reader saw it and it differs. A log that
    was compacted meanwhile no longer holds it.
    """

    logged: LoggedValue
    written_at: datetime | None
    corrected_from: LoggedValue | None = None


class _Value(msgspec.Struct, kw_only=True):
    closed: bool
    value: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    as_of: datetime | None = None
    stale: bool = False
    provenance: str = "auto"
    rule_version: str = ""
    written_at: datetime | None = None


_decode_key = msgspec.json.Decoder(Key).decode
_decode_value = msgspec.json.Decoder(_Value).decode


def place_of(key: bytes | None) -> Place:
    """Returns (KPI, window, period) of a record.

    Raises:
        msgspec.DecodeError: the key is none of the log's.
    """
    kpi, _, _, _, window, period = _decode_key(key or b"")
    return kpi, window, period


def decode_record(key: bytes | None, value: bytes | None) -> Entry:
    """Returns what a record holds.

    Raises:
        msgspec.DecodeError: the record is none of the log's.
    """
    kpi, admin_unit, agency, dim, window, period = _decode_key(key or b"")
    found = _decode_value(value or b"")
    logged = LoggedValue(
        kpi=kpi,
        admin_unit=admin_unit,
        agency=agency,
        dim=dim,
        window=window,
        period=period,
        is_closed=found.closed,
        value=found.value,
        numerator=found.numerator,
        denominator=found.denominator,
        as_of_us=None if found.as_of is None else microseconds_of(found.as_of),
        is_stale=found.stale,
        is_manual=found.provenance == "manual",
        rule_version=found.rule_version,
    )
    return Entry(logged=logged, written_at=found.written_at)


def key_of(logged: LoggedValue) -> Key:
    return logged.kpi, logged.admin_unit, logged.agency, logged.dim, logged.window, logged.period


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
