"""The recent reports, for who asks what became of one: bounded, and says what it covers. Pure.

It is a view of the topic of the reports, not a store: after a restart it is read again. Facts may come in any order.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from ioc.windows import moment_of

__all__ = ["MAX_REPORTS", "Fact", "Place", "Query", "Report", "ReportIndex"]

MAX_REPORTS = 20_000  # about 30 MB; a province has some hundreds a day
MAX_ANSWERS = 1_000  # the standard's own bound of a list
_CLOSING = ("resolved", "rejected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    longitude: float | None = None
    latitude: float | None = None
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A valid event about a report. `type` is the event type's name; `at_us` orders the facts, then the id does."""

    type: str
    report_id: str
    event_id: str
    at_us: int
    is_tombstone: bool
    data: Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Report:
    """A report as far as it is known. `requested_at` is None until its own event has come."""

    report_id: str
    requested_at: datetime | None = None
    service_code: str = ""
    admin_unit: str = ""
    place: Place = field(default_factory=Place)
    description: str = ""
    media_url: str = ""
    status: str = ""
    reason: str = ""
    agency: str = ""
    due_at: str = ""
    updated_at: datetime | None = None
    is_deleted: bool = False
    _submitted_by: tuple[int, str] = (-(2**63), "")
    _status_by: tuple[int, str] = (-(2**63), "")
    _agency_by: tuple[int, str] = (-(2**63), "")
    _due_by: tuple[int, str] = (2**63, "")
    _deleted_by: tuple[int, str] = (-(2**63), "")

    @property
    def state(self) -> Literal["open", "closed"]:
        return "closed" if self.status in _CLOSING else "open"

    @property
    def is_shown(self) -> bool:
        return self.requested_at is not None and not self.is_deleted

    def fold(self, fact: Fact) -> None:
        """The newest fact of a kind stands, the earliest due date does; a tombstone until a later fact."""
        order = (fact.at_us, fact.event_id)
        if order > self._deleted_by:
            self._deleted_by, self.is_deleted = order, fact.is_tombstone
        if fact.is_tombstone:
            return
        moment = moment_of(fact.at_us)
        if self.updated_at is None or moment > self.updated_at:
            self.updated_at = moment
        due = _text(fact.data, "due_at")
        if due and order < self._due_by:
            self._due_by, self.due_at = order, due
        if fact.type == "report.submitted" and _is_newer(order, self._submitted_by):
            self._submitted_by = order
            self._submit(fact.data, moment)
        if fact.type == "report.status_changed" and _is_newer(order, self._status_by):
            self._status_by = order
            self.status, self.reason = _text(fact.data, "status"), _text(fact.data, "reason")
        agency = _text(fact.data, "agency_code")
        if agency and order > self._agency_by:
            self._agency_by, self.agency = order, agency

    def _submit(self, data: Mapping[str, Any], moment: datetime) -> None:
        self.requested_at = _moment(_text(data, "submitted_at")) or moment
        self.service_code, self.admin_unit = _text(data, "service_code"), _text(data, "ward_code")
        self.place = _place(data.get("geo"), _text(data, "address"))
        self.description, self.media_url = _text(data, "description", 4_000), _text(data, "media_ref")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which reports are wanted; an empty collection wants all. Times are inclusive."""

    ids: Collection[str] = ()
    services: Collection[str] = ()
    states: Collection[str] = ()
    since: datetime | None = None
    until: datetime | None = None

    def wants(self, report: Report) -> bool:
        if not report.is_shown or report.requested_at is None:
            return False
        if self.ids:
            return report.report_id in self.ids
        return (
            (not self.services or report.service_code in self.services)
            and (not self.states or report.state in self.states)
            and (self.since is None or report.requested_at >= self.since)
            and (self.until is None or report.requested_at <= self.until)
        )


class ReportIndex:
    """The reports told of since `covers_since`, at most 20,000: of more, those told of longest ago are gone."""

    def __init__(self, *, covers_since: datetime, max_reports: int = MAX_REPORTS) -> None:
        self.covers_since = covers_since
        self._max_reports = max_reports
        self._reports: OrderedDict[str, Report] = OrderedDict()

    def __len__(self) -> int:
        return len(self._reports)

    def add(self, fact: Fact) -> None:
        report = self._reports.get(fact.report_id)
        if report is None:
            report = self._reports[fact.report_id] = Report(report_id=fact.report_id)
        report.fold(fact)
        self._reports.move_to_end(fact.report_id)
        if len(self._reports) > self._max_reports:
            _, gone = self._reports.popitem(last=False)
            if gone.requested_at is not None and gone.requested_at > self.covers_since:
                self.covers_since = gone.requested_at

    def find(self, query: Query) -> list[Report]:
        """The newest first, at most 1,000."""
        among = (self._reports[i] for i in query.ids if i in self._reports) if query.ids else self._reports.values()
        found = [report for report in among if query.wants(report)]
        found.sort(key=lambda report: (report.requested_at, report.report_id), reverse=True)
        return found[:MAX_ANSWERS]


def _is_newer(order: tuple[int, str], standing: tuple[int, str]) -> bool:
    """A repeat under the same id tells nothing, whatever its time: the first in the log stands."""
    return order > standing and order[1] != standing[1]


def _place(geo: object, address: str) -> Place:
    if isinstance(geo, Mapping) and geo.get("type") == "Point":
        numbers = geo.get("coordinates")
        if isinstance(numbers, list) and len(numbers) >= 2 and all(_is_degrees(number) for number in numbers[:2]):
            return Place(longitude=numbers[0], latitude=numbers[1], address=address)
    return Place(address=address)


def _is_degrees(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= 180


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _text(data: Mapping[str, Any], name: str, limit_chars: int = 1_000) -> str:
    value = data.get(name)
    return value[:limit_chars] if isinstance(value, str) else ""
