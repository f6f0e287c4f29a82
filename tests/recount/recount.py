"""The figures counted a second time, slowly and obviously, from the records alone.

It shares no line with the product: it imports nothing from `ioc`, `streams` or `detectors`, keeps every fact in a list,
sorts the list whenever it wants to know something, and adds up at the end. What an event type holds and what a KPI
counts is written down here again, by hand, from the KPI catalogue and the pages that say how every figure is read.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction

from tests.recount import citizens, incidents, networks, snapshots, society
from tests.recount.accepting import Entity, Fact, Opened, Record, Rejected, open_record, read_event
from tests.recount.kpis import KPIS, Feed, window_bounds
from tests.recount.lifetimes import Family, Lives, Province, Share
from tests.recount.sources import Sources

__all__ = ["Figure", "Mark", "OrderStatistic", "Recount", "Series"]

Series = tuple[str, str, str, str, str]
"""(kpi, admin_unit, agency, window, dim): the total is ("*", "", window, ""), a dim series ("*", "", window, dim)."""

Figure = tuple[float | None, float | None, int | float | None]
"""(value, numerator, denominator), as they must be exported; None: no such sample.

ratio: no value for a denominator of 0. count: numerator = value, no denominator. p95: the denominator is the number of
samples, there is no numerator, and the value is an OrderStatistic.
"""

Mark = tuple[bool, bool]
"""(is stale, is manual), as a series must be marked."""

ONE_BY_ONE: Mapping[str, Family] = {
    "dossier": citizens.dossier,
    "report": citizens.report,
    "procedure_registered": citizens.procedure,
    "incident": incidents.incident,
    "disaster_alert": incidents.disaster_alert,
    "disaster_incident": incidents.disaster_incident,
    "lgsp_connection": networks.lgsp_connection,
    "lgsp_service_call": networks.lgsp_minute,
    "network_channel_state": networks.channel,
    "telecom_site": networks.site,
    "telecom_speed_test": networks.speed_test,
    "ipv6_probe": networks.ipv6_probe,
    "soc_incident": networks.security_incident,
    "soc_system_level": networks.system_level,
    "meeting_session": networks.meeting_session,
    "document_exchanged": networks.document,
    "signature_certificate": networks.certificate,
    "cashless_facility": society.cashless_facility,
    "education_facility": society.school,
    "marketplace_product": society.product,
    "marketplace_order": society.order,
    "postal_item": society.parcel,
    "loudspeaker_bulletin": society.bulletin,
    "press_output": society.press,
    "violation_recorded": society.violation,
    "tourism_stay": society.stay,
}
"""What each entity adds by itself. An entity of another kind is counted below, together with others, or nowhere."""

ALL_TOGETHER: Sequence[Callable[[Lives, Province], Iterator[Share]]] = (
    incidents.cameras_online,
    networks.bts_down,
    networks.meeting_points,
    networks.agencies_signing,
    society.communes_served,
    snapshots.newest_by_commune,
    snapshots.reported_indicators,
    snapshots.manual_share,
    snapshots.source_complete,
)


class OrderStatistic(float):
    """A p95: the sample at the floor of rank 0.95 (n − 1); `ceiling` is the one at its ceiling."""

    ceiling: float

    def __new__(cls, samples: Sequence[float]) -> "OrderStatistic":
        in_order = sorted(samples)
        floor, rest = divmod(95 * (len(in_order) - 1), 100)
        statistic = super().__new__(cls, in_order[floor])
        statistic.ceiling = in_order[floor + (rest > 0)]
        return statistic

    def agrees_with(self, value: float) -> bool:
        """Says whether `value` is within 1 % of a value between the two ranks."""
        low, high = float(self), self.ceiling
        return low - 0.01 * abs(low) - 1e-9 <= value <= high + 0.01 * abs(high) + 1e-9


@dataclass(slots=True)
class Cell:
    numerator: int | Fraction = 0
    denominator: int | Fraction = 0
    samples: list[float] = field(default_factory=list)
    as_of: datetime | None = None
    is_manual: bool = False

    def add(self, share: Share) -> None:
        self.is_manual |= share.is_manual
        if share.as_of is not None:
            self.as_of = max(self.as_of or share.as_of, share.as_of)
        self.numerator += share.numerator
        self.denominator += share.denominator
        if share.sample is not None:
            self.samples.append(share.sample)

    def figure(self, form: str) -> Figure:
        if form == "p95":
            return OrderStatistic(self.samples) if self.samples else None, None, len(self.samples)
        if form == "count":
            return _plain(self.numerator), _plain(self.numerator), None
        value = float(Fraction(self.numerator) / self.denominator) if self.denominator else None
        return value, _plain(self.numerator), _plain(self.denominator)


def _plain(number: int | Fraction) -> int | float:
    return int(number) if number == int(number) else float(number)


@dataclass(slots=True, kw_only=True)
class Recount:
    """Reads records in log order (`read`), then tells the figures at a clock (`figures`).

    `clock` is what events are accepted by, and when every verdict was passed. `cameras`: the registered active cameras
    and their communes; `units`: the communes in force; `promises` and `registered`: see `Province`.
    """

    clock: datetime
    cameras: Mapping[str, str]
    units: Collection[str]
    promises: Mapping[str, timedelta] = field(default_factory=dict)
    registered: Collection[str] = ()
    facts: dict[Entity, list[Fact]] = field(default_factory=lambda: defaultdict(list))
    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    reasons: Counter[str] = field(default_factory=Counter)
    sources: Sources = field(default_factory=Sources)
    _seen: set[tuple[Entity, str, str]] = field(default_factory=set)

    def read(self, records: Iterable[Record]) -> None:
        for record in records:
            for opened in open_record(record):
                outcome = self._take(opened, record.topic)
                self.outcomes[record.topic][outcome] += 1
                self.outcomes[record.topic]["in"] += 1
                self.sources.passed(opened.source, outcome)

    def _take(self, opened: Opened, topic: str) -> str:
        try:
            entity, fact = read_event(opened, topic, self.clock, self.cameras, self.units)
        except Rejected as refusal:
            self.reasons[str(refusal)] += 1
            return "rejected"
        if (entity, fact.source, fact.id) in self._seen:
            return "duplicate"  # whatever its body: the first in log order stands
        self._seen.add((entity, fact.source, fact.id))
        self.facts[entity].append(fact)
        self.sources.told(entity, fact)
        return "accepted"

    def figures(self, clock: datetime | None = None) -> dict[Series, Figure]:
        """Returns the figure of every series. Totals are always there; a group or dim where something counts in it."""
        return {series: cell.figure(KPIS[series[0]].form) for series, cell in self._cells(clock).items()}

    def marks(self, feeds: Mapping[str, Feed], clock: datetime | None = None) -> dict[Series, Mark]:
        """Returns how every series is marked. As-of: of snapshots their own, else that of the newest fact that feeds
        the KPI; at most the clock. `feeds`: by KPI."""
        at = clock or self.clock
        newest: dict[str, datetime] = {}
        for fact in (fact for facts in self.facts.values() for fact in facts):
            newest[fact.type] = max(fact.time, newest.get(fact.type, fact.time))
        marks = {}
        for series, cell in self._cells(clock).items():
            feed = feeds[series[0]]
            times = [cell.as_of] if cell.as_of else [newest[name] for name in feed.types or newest if name in newest]
            is_stale = not times or at - min(max(times), at) > feed.stale_after
            marks[series] = is_stale, cell.is_manual
        return marks

    def _cells(self, clock: datetime | None) -> dict[Series, Cell]:
        province = self._province(clock)
        cells = {
            (kpi, "*", "", window, ""): Cell() for kpi, definition in KPIS.items() for window in definition.windows
        }
        for share in self._shares(province):
            _add(cells, share, province.clock)
        return cells

    def behind(self, series: Series, clock: datetime | None = None) -> dict[Entity, Figure]:
        """Returns what each entity adds to a series: for whoever has to find out why two counts differ."""
        province, form = self._province(clock), KPIS[series[0]].form
        found = {}
        for kind, lives in self._lives().items():
            for key, facts in lives.items():
                cells: dict[Series, Cell] = {}
                for share in ONE_BY_ONE[kind](key, facts, province) if kind in ONE_BY_ONE else ():
                    _add(cells, share, province.clock)
                if series in cells:
                    found[kind, key] = cells[series].figure(form)
        return found

    def _province(self, clock: datetime | None) -> Province:
        return Province(
            clock=clock or self.clock,
            cameras=self.cameras,
            units=self.units,
            promises=self.promises,
            registered=self.registered,
        )

    def _shares(self, province: Province) -> Iterator[Share]:
        lives = self._lives()
        for kind, family in ONE_BY_ONE.items():
            for key, facts in lives[kind].items():
                yield from family(key, facts, province)
        for counted_together in ALL_TOGETHER:
            yield from counted_together(lives, province)
        yield from self.sources.shares(province, passed_at=self.clock)

    def _lives(self) -> Lives:
        """Returns the entities that are there, and what counts of each."""
        lives: dict[str, dict[tuple[object, ...], list[Fact]]] = defaultdict(dict)
        for (kind, key), facts in self.facts.items():
            in_order = sorted(facts, key=lambda fact: fact.order)
            if not in_order[-1].is_tombstone:  # the newest fact says whether it is deleted or (again) there
                lives[kind][key] = [fact for fact in in_order if not fact.is_tombstone]
        return lives


def _add(cells: dict[Series, Cell], share: Share, clock: datetime) -> None:
    kpi = KPIS[share.kpi]
    for window in kpi.windows:
        if share.at is not None:
            start, end = window_bounds(window, clock)
            if not start <= share.at < end:
                continue
        cells.setdefault((share.kpi, "*", "", window, ""), Cell()).add(share)  # the total is always there
        if share.unit and kpi.group_by == "admin_unit":
            cells.setdefault((share.kpi, share.unit, "", window, ""), Cell()).add(share)
        if share.agency and kpi.group_by == "agency":
            cells.setdefault((share.kpi, "*", share.agency, window, ""), Cell()).add(share)
        if share.dim:
            cells.setdefault((share.kpi, "*", "", window, share.dim), Cell()).add(share)
