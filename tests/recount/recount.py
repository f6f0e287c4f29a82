"""The figures counted a second time, slowly and obviously, from the records alone.

It shares no line with the product: it imports nothing from `ioc`, `streams` or `detectors`, keeps every fact in a list,
sorts the list whenever it wants to know something, and adds up at the end. What an event type holds and what a KPI
counts is written down here again, by hand, from the KPI catalogue and the page that says how every figure is read.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

__all__ = ["Fact", "Record", "Recount", "Series", "window_bounds"]

HANOI = timezone(timedelta(hours=7))  # Asia/Ho_Chi_Minh: no summer time, +07:00 in all the years that can be accepted
ACCEPT_SINCE = datetime(2000, 1, 1, tzinfo=HANOI)
AHEAD = timedelta(minutes=15)
LARGEST_EVENT_BYTES = 256 * 1024

Series = tuple[str, str, str, str]
"""(kpi, admin_unit, agency, window)"""


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record as it is sent."""

    topic: str
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    value: bytes


@dataclass(frozen=True, slots=True)
class EventType:
    topic: str
    entity: str
    key: tuple[str, ...]
    time_field: str  # "ce_time": the CloudEvents time
    required: tuple[str, ...]
    times: tuple[str, ...] = ()
    own_times: tuple[str, ...] = ()  # those that say when the fact was; a due date says something else
    texts: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


EVENT_TYPES = {
    "vn.ioc.dossier.submitted.v1": EventType(
        topic="ioc.onestop.dossiers",
        entity="dossier",
        key=("dossier_id",),
        time_field="ce_time",
        required=("channel", "dossier_id", "service_level", "submitted_at"),
        times=("submitted_at", "due_at"),
        own_times=("submitted_at",),
        texts=("dossier_id", "procedure_code", "agency_code", "admin_unit"),
        numbers=("fee_due_vnd",),
        choices={"service_level": _words("full|partial|info"), "channel": _words("online|counter|postal")},
    ),
    "vn.ioc.dossier.status_changed.v1": EventType(
        topic="ioc.onestop.dossiers",
        entity="dossier",
        key=("dossier_id",),
        time_field="at",
        required=("at", "dossier_id", "status"),
        times=("at", "due_at"),
        own_times=("at",),
        texts=("dossier_id", "reason"),
        choices={
            "status": _words("received|supplement|in_process|resolved|returned|rejected|withdrawn"),
            "result_channel": _words("online|postal|counter"),
        },
    ),
    "vn.ioc.dossier.digitised.v1": EventType(
        topic="ioc.onestop.dossiers",
        entity="dossier",
        key=("dossier_id",),
        time_field="at",
        required=("components_digitised", "components_total", "dossier_id"),
        times=("at",),
        own_times=("at",),
        texts=("dossier_id",),
        flags=("result_digital_signed",),
        numbers=("components_total", "components_digitised", "reused_components"),
    ),
    "vn.ioc.dossier.paid.v1": EventType(
        topic="ioc.onestop.payments",
        entity="dossier",
        key=("dossier_id",),
        time_field="at",
        required=("dossier_id", "method", "status"),
        times=("at",),
        own_times=("at",),
        texts=("dossier_id",),
        numbers=("amount_vnd",),
        choices={"method": _words("online|cash|transfer"), "status": _words("success|failed|refunded")},
    ),
    "vn.ioc.dossier.rated.v1": EventType(
        topic="ioc.onestop.dossiers",
        entity="dossier",
        key=("dossier_id",),
        time_field="at",
        required=("dossier_id",),
        times=("at",),
        own_times=("at",),
        texts=("dossier_id",),
        numbers=("score",),
    ),
    "vn.ioc.report.submitted.v1": EventType(
        topic="ioc.citizen.reports",
        entity="report",
        key=("report_id",),
        time_field="ce_time",
        required=("report_id", "submitted_at"),
        times=("submitted_at", "due_at"),
        own_times=("submitted_at",),
        texts=("report_id", "channel", "service_code", "ward_code", "media_ref", "reporter_hash"),
    ),
    "vn.ioc.report.status_changed.v1": EventType(
        topic="ioc.citizen.reports",
        entity="report",
        key=("report_id",),
        time_field="at",
        required=("at", "report_id", "status"),
        times=("at", "due_at"),
        own_times=("at",),
        texts=("report_id", "agency_code", "reason"),
        choices={"status": _words("accepted|rejected|assigned|on_site|reported|resolved|reopened|extended")},
    ),
    "vn.ioc.report.rated.v1": EventType(
        topic="ioc.citizen.reports",
        entity="report",
        key=("report_id",),
        time_field="at",
        required=("report_id",),
        times=("at",),
        own_times=("at",),
        texts=("report_id",),
        choices={"rating": _words("satisfied|accept|unsatisfied")},
    ),
    "vn.ioc.network.channel_state.v1": EventType(
        topic="ioc.network.channels",
        entity="network_channel_state",
        key=("channel_id",),
        time_field="at",
        required=("channel_id", "up"),
        times=("at",),
        own_times=("at",),
        texts=("channel_id", "admin_unit"),
        flags=("up",),
        numbers=("latency_ms", "loss_pct", "bandwidth_mbps"),
        choices={"level": _words("province|commune")},
    ),
    "vn.ioc.lgsp.service_call.v1": EventType(
        topic="ioc.lgsp.calls",
        entity="lgsp_service_call",
        key=("service_id", "consumer", "window_start"),
        time_field="window_start",
        required=("calls", "consumer", "errors", "service_id", "window_start"),
        times=("window_start",),
        own_times=("window_start",),
        texts=("service_id", "provider", "consumer"),
        numbers=("calls", "errors", "p95_ms"),
    ),
    "vn.ioc.camera.heartbeat.v1": EventType(
        topic="ioc.camera.health",
        entity="camera_heartbeat",
        key=("camera_id",),
        time_field="at",
        required=("camera_id", "last_frame_age_s", "online"),
        times=("at",),
        own_times=("at",),
        texts=("camera_id",),
        flags=("online", "blurred", "occluded"),
        numbers=("fps", "last_frame_age_s"),
    ),
}

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

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


class Rejected(Exception):
    """This event counts as rejected; the text says why, for the reader of a failed test."""


def instant(text: object) -> datetime:
    """Returns the instant in UTC; a time without an offset, or no text at all, is refused."""
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        raise Rejected(f"not a time with an offset: {text!r}")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise Rejected(f"no such time: {text!r}") from error


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _parse(value: bytes) -> object:
    try:
        return json.loads(value.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, UnicodeDecodeError) as error:
        raise Rejected(f"bad JSON: {error}") from error


Envelope = tuple[dict[str, object], object, int]
"""CloudEvents attributes, data, size in bytes."""


def _envelope(value: object, size_bytes: int) -> Envelope:
    if not isinstance(value, dict):
        raise Rejected("an event is an object")
    return {name: item for name, item in value.items() if name != "data"}, value.get("data"), size_bytes


def open_record(record: Record) -> list[Envelope | Rejected]:
    """Returns the events of a record, in their order; a record that can't be opened is one rejected event."""
    headers = {name: value.decode("utf-8") for name, value in record.headers}
    content_type = headers.get("content-type", "")
    try:
        if content_type.startswith("application/cloudevents-batch+json"):
            items = _parse(record.value)
            if not isinstance(items, list):
                raise Rejected("a batch is a list")
            return [_envelope(item, len(json.dumps(item))) for item in items]
        if content_type.startswith("application/cloudevents+json"):
            return [_envelope(_parse(record.value), len(record.value))]
        attributes: dict[str, object] = {
            name.removeprefix("ce_"): value for name, value in headers.items() if name.startswith("ce_")
        }
        if len(record.value) > LARGEST_EVENT_BYTES:
            raise Rejected("too large")
        return [(attributes, _parse(record.value), len(record.value))]
    except Rejected as refusal:
        return [refusal]


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise Rejected(f"{name} is not a text: {value!r}")
    if any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in value):
        raise Rejected(f"{name} holds a control character")
    return value


def _check_source(source: str, topic: str) -> None:
    family = topic.split(".")[1]
    words = source.split("/")
    if words[:3] != ["", "lam-dong", family]:
        raise Rejected(f"{source} may not publish on {topic}")


def _check_between(moment: datetime, clock: datetime) -> None:
    if not ACCEPT_SINCE <= moment <= clock + AHEAD:
        raise Rejected(f"{moment} is not between {ACCEPT_SINCE} and {clock + AHEAD}")


def _check_fields(kind: EventType, data: dict[str, object], clock: datetime) -> None:
    for name in kind.required:
        if data.get(name) is None:
            raise Rejected(f"{name} is missing")
    known = {name: value for name, value in data.items() if value is not None}  # null means not known
    for name in kind.texts:
        if name in known and not isinstance(known[name], str):
            raise Rejected(f"{name} is not a text")
    for name in kind.flags:
        if name in known and not isinstance(known[name], bool):
            raise Rejected(f"{name} is not true or false")
    for name in kind.numbers:
        if name in known and (isinstance(known[name], bool) or not isinstance(known[name], int | float)):
            raise Rejected(f"{name} is not a number")
    for name, allowed in kind.choices.items():
        if name in known and known[name] not in allowed:
            raise Rejected(f"{name} is none of {allowed}")
    for name in kind.times:
        if name in known:
            moment = instant(known[name])
            if name in kind.own_times:
                _check_between(moment, clock)


@dataclass(frozen=True, slots=True)
class Fact:
    """One accepted event. Facts of an entity are ordered by time, then id, then source."""

    time: datetime
    id: str
    source: str
    type: str
    data: Mapping[str, object]

    @property
    def order(self) -> tuple[datetime, str, str]:
        return self.time, self.id, self.source

    @property
    def is_tombstone(self) -> bool:
        return self.data.get("deleted") is True


Entity = tuple[str, tuple[object, ...]]


def _read(envelope: Envelope, topic: str, clock: datetime, cameras: Mapping[str, str]) -> tuple[Entity, Fact]:
    attributes, data, size_bytes = envelope
    if size_bytes > LARGEST_EVENT_BYTES:
        raise Rejected("too large")
    if attributes.get("specversion") != "1.0":
        raise Rejected("not CloudEvents 1.0")
    event_id, source = _text(attributes.get("id"), "id"), _text(attributes.get("source"), "source")
    kind = EVENT_TYPES.get(_text(attributes.get("type"), "type"))
    if kind is None or kind.topic != topic:
        raise Rejected(f"{attributes['type']} does not belong on {topic}")
    _check_source(source, topic)
    ce_time = instant(attributes.get("time"))
    _check_between(ce_time, clock)
    if not isinstance(data, dict):
        raise Rejected("data is not an object")
    _check_fields(kind, data, clock)
    key = tuple(instant(data[name]) if name in kind.times else _text(data[name], name) for name in kind.key)
    if kind.entity == "camera_heartbeat" and key[0] not in cameras:
        raise Rejected("unknown camera")
    own = data.get(kind.time_field)
    time = ce_time if own is None else instant(own)
    return (kind.entity, key), Fact(time, event_id, source, str(attributes["type"]), data)


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
            entity, fact = _read(opened, topic, self.clock, self.cameras)
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
