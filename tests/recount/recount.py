"""The figures counted a second time, slowly and obviously, from the records alone.

It shares no line with the product: it imports nothing from `ioc`, `streams` or `detectors`, keeps every fact in a list,
sorts the list whenever it wants to know something, and adds up at the end. What an event type holds and what a KPI
counts is written down here again, by hand, from the KPI catalogue and the page that says how every figure is read.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.recount.accepting import (
    HANOI,
    Entity,
    Envelope,
    Fact,
    Record,
    Rejected,
    instant,
    open_record,
    read_event,
)

__all__ = ["COUNTS", "KPI_WINDOWS", "Recount", "Series", "window_bounds"]

Series = tuple[str, str, str, str]
"""(kpi, admin_unit, agency, window)"""


KPI_WINDOWS = {
    "dossiers_online": ("mtd", "ytd"),
    "dossiers_fully_online": ("mtd", "ytd"),
    "dossiers_on_time": ("mtd", "ytd"),
    "reports_received": ("day", "mtd"),
    "reports_on_time": ("r30d",),
    "wan_channels_up": ("now",),
    "lgsp_success": ("5m", "1h", "day"),
    "camera_online": ("now",),
}
COUNTS = frozenset({"reports_received"})  # a count has a numerator and no denominator


@dataclass(slots=True)
class Recount:
    """Reads records in log order (`read`), then tells the figures at a clock (`figures`).

    `cameras` names the registered active cameras and their admin_unit; `clock` is what events are accepted by.
    """

    clock: datetime
    cameras: Mapping[str, str]
    facts: dict[Entity, list[Fact]] = field(default_factory=lambda: defaultdict(list))
    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    reasons: Counter[str] = field(default_factory=Counter)
    _seen: set[tuple[Entity, str, str]] = field(default_factory=set)

    def read(self, records: Iterable[Record]) -> None:
        for record in records:
            for opened in open_record(record):
                outcome = self._take(opened, record.topic)
                self.outcomes[record.topic][outcome] += 1
                self.outcomes[record.topic]["in"] += 1

    def _take(self, opened: Envelope | Rejected, topic: str) -> str:
        try:
            if isinstance(opened, Rejected):
                raise opened
            entity, fact = read_event(opened, topic, self.clock, self.cameras)
        except Rejected as refusal:
            self.reasons[str(refusal)] += 1
            return "rejected"
        if (entity, fact.source, fact.id) in self._seen:
            return "duplicate"  # whatever its body: the first in log order stands
        self._seen.add((entity, fact.source, fact.id))
        self.facts[entity].append(fact)
        return "accepted"

    def figures(self, clock: datetime | None = None) -> dict[Series, tuple[int, int]]:
        """Returns (numerator, denominator) of each series; totals are always there. A count's denominator is 0."""
        clock = clock or self.clock
        sums: dict[Series, list[int]] = {
            (kpi, "*", "", window): [0, 0] for kpi, windows in KPI_WINDOWS.items() for window in windows
        }
        for entity, facts in [*self.facts.items()]:
            for kpi, unit, agency, moment, numerator, denominator in contributions(entity, facts, clock, self.cameras):
                _add(sums, kpi, unit, agency, moment, numerator, denominator, clock)
        silent = self.cameras.keys() - {key[0] for kind, key in self.facts if kind == "camera_heartbeat"}
        for camera in silent:
            _add(sums, "camera_online", self.cameras[camera], "", None, 0, 1, clock)
        return {series: (numerator, denominator) for series, (numerator, denominator) in sums.items()}

    def behind(self, series: Series, clock: datetime | None = None) -> dict[Entity, tuple[int, int]]:
        """Returns what each entity adds to a series: for whoever has to find out why two counts differ."""
        clock = clock or self.clock
        shares = {}
        for entity, facts in self.facts.items():
            sums: dict[Series, list[int]] = {}
            for kpi, unit, agency, moment, numerator, denominator in contributions(entity, facts, clock, self.cameras):
                _add(sums, kpi, unit, agency, moment, numerator, denominator, clock)
            if series in sums:
                shares[entity] = (sums[series][0], sums[series][1])
        return shares


def _add(
    sums: dict[Series, list[int]],
    kpi: str,
    unit: str,
    agency: str,
    moment: datetime | None,
    numerator: int,
    denominator: int,
    clock: datetime,
) -> None:
    for window in KPI_WINDOWS[kpi]:
        if moment is not None:
            start, end = window_bounds(window, clock)
            if not start <= moment < end:
                continue
        groups = {("*", "")}  # the total is always there
        if unit:
            groups.add((unit, ""))
        if agency:
            groups.add(("*", agency))
        for group_unit, group_agency in groups:
            cell = sums.setdefault((kpi, group_unit, group_agency, window), [0, 0])
            cell[0] += numerator
            cell[1] += denominator


def window_bounds(window: str, clock: datetime) -> tuple[datetime, datetime]:
    """Returns the first instant inside the window, and the first after it."""
    local = clock.astimezone(HANOI)
    minute = local.replace(second=0, microsecond=0)
    if window in ("5m", "1h"):
        return minute - timedelta(minutes=5 if window == "5m" else 60), minute + timedelta(minutes=1)
    day = minute.replace(hour=0, minute=0)
    if window == "day":
        return day, day + timedelta(days=1)
    if window == "mtd":
        first = day.replace(day=1)
        return first, (first + timedelta(days=32)).replace(day=1)
    if window == "ytd":
        return day.replace(month=1, day=1), day.replace(year=day.year + 1, month=1, day=1)
    if window == "r30d":
        return day - timedelta(days=29), day + timedelta(days=1)
    raise ValueError(window)


Contribution = tuple[str, str, str, datetime | None, int, int]
"""kpi, admin_unit or "", agency or "", the time of its bucket (None: it is so now), numerator, denominator."""


def contributions(
    entity: Entity, facts: Sequence[Fact], clock: datetime, cameras: Mapping[str, str]
) -> list[Contribution]:
    """Returns what one entity adds to the figures."""
    kind, key = entity
    facts = sorted(facts, key=lambda fact: fact.order)
    gone = facts[-1].is_tombstone  # the newest fact says whether it is deleted or (again) there
    # Whether the body of a tombstone tells anything once the entity is back, the page leaves open. Chosen: it does not;
    # it names what is deleted, and what counts again is what the other facts say.
    facts = [fact for fact in facts if not fact.is_tombstone]
    if kind == "camera_heartbeat":
        camera = str(key[0])
        is_online = not gone and _camera_online(facts, clock)
        return [("camera_online", cameras[camera], "", None, int(is_online), 1)]
    if gone:
        return []
    if kind == "dossier":
        return _dossier(facts)
    if kind == "report":
        return _report(facts)
    if kind == "network_channel_state":
        unit = newest(facts, "admin_unit") or ""
        return [("wan_channels_up", str(unit), "", None, int(newest(facts, "up") is True), 1)]
    if kind == "lgsp_service_call":
        calls, errors = newest(facts, "calls"), newest(facts, "errors")
        assert isinstance(calls, int)
        assert isinstance(errors, int)
        return [("lgsp_success", "", "", facts[0].time, calls - errors, calls)]
    raise ValueError(kind)


def newest(facts: Sequence[Fact], name: str) -> object:
    """Returns the field's newest value that is known: null erases nothing. `facts` are in their order."""
    for fact in reversed(facts):
        if fact.data.get(name) is not None:
            return fact.data[name]
    return None


def _of(facts: Sequence[Fact], type_: str) -> list[Fact]:
    return [fact for fact in facts if fact.type == type_]


def _first_due(facts: Sequence[Fact]) -> datetime | None:
    for fact in facts:
        if fact.data.get("due_at") is not None:
            return instant(fact.data["due_at"])
    return None


def _resolved_at(statuses: Sequence[Fact]) -> datetime | None:
    for fact in statuses:
        if fact.data["status"] == "resolved":
            return fact.time
    return None


def supplement_time(statuses: Sequence[Fact], resolved_at: datetime) -> timedelta:
    """Returns the calendar time in `supplement`: to the next status of any kind, summed, cut at resolution."""
    total = timedelta()
    for position, fact in enumerate(statuses):
        if fact.data["status"] != "supplement":
            continue
        end = statuses[position + 1].time if position + 1 < len(statuses) else resolved_at
        total += max(min(end, resolved_at) - fact.time, timedelta())
    return total


def _dossier(facts: Sequence[Fact]) -> list[Contribution]:
    submitted = _of(facts, "vn.ioc.dossier.submitted.v1")
    statuses = _of(facts, "vn.ioc.dossier.status_changed.v1")
    agency = str(newest(submitted, "agency_code") or "")
    channel = newest(submitted, "channel")
    found: list[Contribution] = []
    if submitted:
        bucket = instant(newest(submitted, "submitted_at"))
        found.append(("dossiers_online", "", agency, bucket, int(channel == "online"), 1))
    resolved_at = _resolved_at(statuses)
    if resolved_at is not None:
        is_full = (
            newest(submitted, "service_level") == "full"
            and channel == "online"
            and newest(statuses, "result_channel") in ("online", "postal")
        )
        found.append(("dossiers_fully_online", "", agency, resolved_at, int(is_full), 1))
        due = _first_due([fact for fact in facts if fact in submitted or fact in statuses])
        on_time = due is not None and resolved_at <= due + supplement_time(statuses, resolved_at)
        found.append(("dossiers_on_time", "", agency, resolved_at, int(on_time), 1))
    return found


def _report(facts: Sequence[Fact]) -> list[Contribution]:
    submitted = _of(facts, "vn.ioc.report.submitted.v1")
    statuses = _of(facts, "vn.ioc.report.status_changed.v1")
    unit = str(newest(submitted, "ward_code") or "")
    found: list[Contribution] = []
    if submitted:
        found.append(("reports_received", unit, "", instant(newest(submitted, "submitted_at")), 1, 0))
    resolved_at = _resolved_at(statuses)
    if resolved_at is not None:
        due = _first_due([fact for fact in facts if fact in submitted or fact in statuses])
        found.append(("reports_on_time", unit, "", resolved_at, int(due is not None and resolved_at <= due), 1))
    return found


def _camera_online(facts: Sequence[Fact], clock: datetime) -> bool:
    age_s = newest(facts, "last_frame_age_s")
    assert isinstance(age_s, int | float)
    return newest(facts, "online") is True and age_s + (clock - facts[-1].time).total_seconds() <= 120
