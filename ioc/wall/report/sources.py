"""Sources that were silent longer than they promised, from the log's verdicts by source (`source_valid`). Pure."""

from dataclasses import dataclass
from datetime import date
from math import ceil

from ioc.kpis.sources import Promises
from ioc.wall.report.periods import Span
from ioc.wall.report.records import Ledger

__all__ = ["SOURCE_KPI", "Silence", "Silences", "silences_of"]

SOURCE_KPI = ("source_valid", "day")
"""The KPI and window whose labels are sources: its denominator counts a source's events of a day."""
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """`last_heard`: the last local day with an event of it; None: never, as far as the log goes."""

    source: str
    last_heard: date | None
    promise_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Silences:
    """`is_known`: the span's last day is closed; while it runs nobody can say who stayed silent."""

    is_known: bool
    sources: int
    silent: tuple[Silence, ...]


def silences_of(ledger: Ledger, promises: Promises, span: Span) -> Silences:
    """Returns the sources whose last day with events ended longer before the span's end than they promised to tell.

    Known sources are the registered ones and those the log ever heard until then.
    """
    kpi, window = SOURCE_KPI
    last_name = span.last.isoformat()
    total = ledger.total((kpi, window, last_name))
    heard: dict[str, date | None] = dict.fromkeys(promises.by_source)
    for name in ledger.periods(kpi, window):
        if name > last_name:
            continue
        for source, entry in ledger.dims((kpi, window, name)).items():
            if source and source != "other" and (entry.logged.denominator or 0) > 0:
                heard[source] = date.fromisoformat(name)
    silent = [
        Silence(source=source, last_heard=last, promise_s=promise_s)
        for source, last in heard.items()
        if _is_silent(last, promise_s := promises.of(source) / 1_000_000, span.last)
    ]
    return Silences(
        is_known=total is not None and total.logged.is_closed,
        sources=len(heard),
        silent=tuple(sorted(silent, key=_order)),
    )


def _is_silent(last: date | None, promise_s: float, end: date) -> bool:
    return last is None or (end - last).days >= max(1, ceil(promise_s / _DAY_S))


def _order(silence: Silence) -> tuple[str, str]:
    return ("" if silence.last_heard is None else silence.last_heard.isoformat()), silence.source
