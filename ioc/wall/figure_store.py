"""The KPI log as a table on disk, so that open figures answer from an index and a restart reads only what is new.

It is derived: removing the file makes it anew from Kafka. SQLite of the standard library, one connection, one lock;
call it from threads.
"""

import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ioc.kpis.log import LoggedValue, period_named
from ioc.wall.report.records import Entry
from ioc.windows import local_date, microseconds_of

__all__ = ["FigureStore", "Kept", "Query", "StoreKey"]

_SHAPE = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS figure (
  kpi TEXT, window TEXT, period TEXT, admin_unit TEXT, agency TEXT, dim TEXT,
  first_day TEXT, last_day TEXT, closed INTEGER, value REAL, numerator REAL, denominator REAL,
  as_of_us INTEGER, stale INTEGER, manual INTEGER, rule_version TEXT, written_us INTEGER,
  PRIMARY KEY (kpi, window, period, admin_unit, agency, dim)
) WITHOUT ROWID;
"""
_KEY = "(kpi, window, period, admin_unit, agency, dim)"
_PUT = "INSERT OR REPLACE INTO figure VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
_FILTERS = ("kpi", "window", "period", "admin_unit", "agency", "dim")

StoreKey = tuple[str, str, str, str, str, str]
"""(KPI, window, period, admin_unit, agency, dim): the order in which figures are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """None: any. `since`, `until`: local days, both inclusive, of a period's last day. `after`: only what follows."""

    kpi: str | None = None
    window: str | None = None
    period: str | None = None
    admin_unit: str | None = None
    agency: str | None = None
    dim: str | None = None
    since: date | None = None
    until: date | None = None
    after: StoreKey | None = None
    limit: int = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A figure as the log tells it, and the local days that its period covers."""

    logged: LoggedValue
    first_day: date
    last_day: date
    written_us: int | None

    @property
    def key(self) -> StoreKey:
        one = self.logged
        return one.kpi, one.window, one.period, one.admin_unit, one.agency, one.dim


class FigureStore:
    """Figures by series and period. `path` ":memory:" keeps nothing.

    Raises:
        OSError: the folder can't be made. sqlite3.Error: the file is broken or the disk full.
    """

    def __init__(self, path: Path | str) -> None:
        if isinstance(path, Path):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False)
        self._database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + _TABLES)
        if self._mark("shape") not in (0, _SHAPE):
            self.clear()

    def close(self) -> None:
        with self._lock:
            self._database.close()

    @property
    def next_offset(self) -> int:
        """Of the log: everything before it is here."""
        with self._lock:
            return self._mark("next_offset")

    def clear(self) -> None:
        """Forgets all: the log is another one now."""
        with self._lock, self._database:
            self._database.execute("DELETE FROM figure")
            self._set_mark("next_offset", 0)

    def put(self, entries: Sequence[Entry], next_offset: int) -> None:
        """Takes entries in log order, together with the offset after the last."""
        rows = [row for entry in entries if (row := _row(entry)) is not None]
        with self._lock, self._database:
            self._database.executemany(_PUT, rows)
            self._set_mark("next_offset", next_offset)
            self._set_mark("shape", _SHAPE)

    def find(self, query: Query) -> list[Kept]:
        """Returns at most `limit` figures in the order of their keys."""
        clauses, values = ["1"], []
        for name in _FILTERS:
            if (wanted := getattr(query, name)) is not None:
                clauses.append(f"{name} = ?")
                values.append(wanted)
        for column, day in (("last_day >= ?", query.since), ("last_day <= ?", query.until)):
            if day is not None:
                clauses.append(column)
                values.append(day.isoformat())
        if query.after is not None:
            clauses.append(f"{_KEY} > (?, ?, ?, ?, ?, ?)")
            values += query.after
        # Every name in the text is one of ours; what was asked for is bound.
        text = f"SELECT * FROM figure WHERE {' AND '.join(clauses)} ORDER BY {_KEY[1:-1]} LIMIT ?"  # noqa: S608
        with self._lock:
            return [_kept(row) for row in self._database.execute(text, [*values, query.limit])]

    def _mark(self, name: str) -> int:
        found = self._database.execute("SELECT value FROM mark WHERE name = ?", (name,)).fetchone()
        return int(found[0]) if found else 0

    def _set_mark(self, name: str, value: int) -> None:
        self._database.execute("INSERT OR REPLACE INTO mark VALUES (?, ?)", (name, value))


def _row(entry: Entry) -> tuple[object, ...] | None:
    """None where the log tells of a period that no window has."""
    one = entry.logged
    period = period_named(one.window, one.period)
    if period is None:
        return None
    first = local_date(period.first_day * 86_400_000_000)
    last = local_date(period.last_day * 86_400_000_000)
    return (
        one.kpi, one.window, one.period, one.admin_unit, one.agency, one.dim,
        first.isoformat(), last.isoformat(), one.is_closed, one.value, one.numerator, one.denominator,
        one.as_of_us, one.is_stale, one.is_manual, one.rule_version,
        None if entry.written_at is None else microseconds_of(entry.written_at),
    )  # fmt: skip


def _kept(row: Sequence[object]) -> Kept:
    kpi, window, period, admin_unit, agency, dim, first, last, closed, *amounts = row
    value, numerator, denominator, as_of_us, stale, manual, rule_version, written_us = amounts
    logged = LoggedValue(
        kpi=str(kpi),
        admin_unit=str(admin_unit),
        agency=str(agency),
        dim=str(dim),
        window=str(window),
        period=str(period),
        is_closed=bool(closed),
        value=_float(value),
        numerator=_float(numerator),
        denominator=_float(denominator),
        as_of_us=_int(as_of_us),
        is_stale=bool(stale),
        is_manual=bool(manual),
        rule_version=str(rule_version),
    )
    return Kept(
        logged=logged,
        first_day=date.fromisoformat(str(first)),
        last_day=date.fromisoformat(str(last)),
        written_us=_int(written_us),
    )


def _float(value: object) -> float | None:
    return value if isinstance(value, float) else None


def _int(value: object) -> int | None:
    return value if isinstance(value, int) else None
