"""On-call's history in a span: incidents, and how long it took to notice, to acknowledge and to resolve. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from ioc.wall.report.periods import Span

__all__ = ["Happening", "History", "KindSummary", "Times", "history_of"]

_LISTED = 12
_KEYS = {
    "noticed": ("first_notified_at",),
    "acknowledged": ("acknowledged_at",),
    "resolved": ("closed_at", "resolved_at"),
}
_SEVERITIES = ("critical", "warning", "info")


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One incident. Seconds count from when it opened; None: not yet, or not told."""

    incident_id: str
    kind: str
    severity: str
    state: str
    place_vi: str
    place_en: str
    admin_unit: str
    opened_at: datetime
    noticed_s: float | None
    acknowledged_s: float | None
    resolved_s: float | None
    is_exercise: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Of those it happened to: how many, the middle and the longest, in seconds."""

    known: int
    median_s: float | None
    longest_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KindSummary:
    kind: str
    incidents: int
    still_open: int
    noticed: Times
    acknowledged: Times
    resolved: Times


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """`trouble`: why on-call's history is not there, "" where it is. `is_cut`: on-call did not list all of the span.
    `untold`: which of noticed, acknowledged and resolved its answer does not speak of at all; none of them means "not
    yet" then, and without `resolved` nobody knows what is still open.

    `kinds`: real incidents, and `exercises` apart. `slowest`: open ones first, then by severity and time to
    acknowledge.
    """

    trouble: str = ""
    is_cut: bool = False
    untold: frozenset[str] = frozenset()
    kinds: tuple[KindSummary, ...] = ()
    exercises: tuple[KindSummary, ...] = ()
    slowest: tuple[Happening, ...] = ()


def history_of(incidents: Sequence[Mapping[str, Any]], span: Span, *, limit: int) -> History:
    """Returns the summary of on-call's answer, newest first and at most `limit` long; candidates are left out."""
    read = [happening for told in incidents if (happening := _happening(told)) is not None]
    found = [happening for happening in read if span.start <= happening.opened_at < span.end]
    oldest = min((happening.opened_at for happening in read), default=None)
    opened = [told for told in incidents if told.get("opened_at") is not None]
    real = [happening for happening in found if not happening.is_exercise]
    return History(
        is_cut=len(incidents) >= limit and oldest is not None and oldest >= span.start,
        untold=frozenset(
            name for name, keys in _KEYS.items() if opened and not any(_tells(one, keys) for one in opened)
        ),
        kinds=_kinds(real),
        exercises=_kinds(happening for happening in found if happening.is_exercise),
        slowest=tuple(sorted(real, key=_urgency)[:_LISTED]),
    )


def _tells(told: Mapping[str, Any], keys: Iterable[str]) -> bool:
    return any(key in told for key in keys)


def _happening(told: Mapping[str, Any]) -> Happening | None:
    opened_at = _moment(told.get("opened_at"))
    state = str(told.get("oncall_state") or told.get("state", ""))
    if opened_at is None or state == "candidate":
        return None
    closed_at = _moment(told.get("closed_at")) or _moment(told.get("resolved_at"))
    return Happening(
        incident_id=str(told.get("incident_id", "")),
        kind=str(told.get("kind", "")),
        severity=str(told.get("severity", "")),
        state=state,
        place_vi=str(told.get("place_vi") or ""),
        place_en=str(told.get("place_en") or ""),
        admin_unit=str(told.get("admin_unit") or told.get("unit") or ""),
        opened_at=opened_at,
        noticed_s=_seconds(opened_at, _moment(told.get("first_notified_at"))),
        acknowledged_s=_seconds(opened_at, _moment(told.get("acknowledged_at"))),
        resolved_s=_seconds(opened_at, closed_at),
        is_exercise=bool(told.get("is_exercise") or told.get("exercise")),
    )


def _moment(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _seconds(start: datetime, end: datetime | None) -> float | None:
    return None if end is None else max(0.0, (end - start).total_seconds())


def _kinds(happenings: Iterable[Happening]) -> tuple[KindSummary, ...]:
    by_kind: dict[str, list[Happening]] = {}
    for happening in happenings:
        by_kind.setdefault(happening.kind, []).append(happening)
    return tuple(_summary(kind, by_kind[kind]) for kind in sorted(by_kind))


def _summary(kind: str, found: Sequence[Happening]) -> KindSummary:
    return KindSummary(
        kind=kind,
        incidents=len(found),
        still_open=sum(happening.state in ("open", "acknowledged") for happening in found),
        noticed=_times(happening.noticed_s for happening in found),
        acknowledged=_times(happening.acknowledged_s for happening in found),
        resolved=_times(happening.resolved_s for happening in found),
    )


def _times(seconds: Iterable[float | None]) -> Times:
    known = [value for value in seconds if value is not None]
    return Times(known=len(known), median_s=median(known) if known else None, longest_s=max(known, default=None))


def _urgency(happening: Happening) -> tuple[bool, int, float, datetime]:
    rank = _SEVERITIES.index(happening.severity) if happening.severity in _SEVERITIES else len(_SEVERITIES)
    waited = float("inf") if happening.acknowledged_s is None else happening.acknowledged_s
    return happening.state not in ("open", "acknowledged"), rank, -waited, happening.opened_at
