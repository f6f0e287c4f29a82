"""A seeded stream of department events that holds as many hard cases as a province's events can.

The same seed gives the same records. Nothing here knows what the right figures are: the recount reads the records.
What the binding texts leave open is kept out, so that a difference between two counts is somebody's mistake.
"""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone

from tests.recount.invalid import SORTS, can_have, spoil
from tests.recount.recount import HANOI, Record

__all__ = ["Event", "Stream", "encode", "generate", "random_clock"]

UNITS = ("24778", "24781", "24787", "24805", "24846", "23005")
AGENCIES = (*(f"H36.{number:02d}" for number in range(1, 10)), "h36.01", "Sở Xây dựng")
CAMERAS = tuple(f"cam-{number:02d}" for number in range(1, 38))
OFFSETS_MINUTES = (0, 420, 420, -300, 330, 840, -720)
AHEAD = timedelta(minutes=15)
MILLISECOND = timedelta(milliseconds=1)

SYSTEMS: Mapping[str, tuple[str, ...]] = {
    "onestop": ("/lam-dong/onestop/motcua", "/lam-dong/onestop/dvcqg", "/lam-dong/onestop"),
    "citizen": ("/lam-dong/citizen/dalat-app", "/lam-dong/citizen/1022", "/lam-dong/citizen/igov/connect"),
    "network": ("/lam-dong/network/vnpt", "/lam-dong/network/viettel"),
    "lgsp": ("/lam-dong/lgsp", "/lam-dong/lgsp/monitor"),
    "camera": ("/lam-dong/camera/edge-1", "/lam-dong/camera"),
}

Entity = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A CloudEvent before it is written as bytes. `flaw`: what makes it invalid; `text` replaces the data's JSON."""

    topic: str
    key: str
    entity: Entity
    type: str
    source: str
    id: str
    time: str
    data: dict[str, object]
    flaw: str = ""
    text: str | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What is published: records in the order they are sent, and how many events they hold."""

    seed: int
    clock: datetime
    records: list[Record]
    events: list[Event]


def random_clock(rng: random.Random) -> datetime:
    """Returns an interesting clock: mostly mid-morning some days into a month, else near a midnight."""
    day = datetime(2026, 2, 1, tzinfo=HANOI) + timedelta(days=rng.randrange(600))
    if rng.random() < 0.2:
        day = day.replace(day=1)
    if rng.random() < 0.1:
        day = day.replace(month=1)
    kind = rng.random()
    if kind < 0.70:
        minute = rng.randrange(8 * 60, 11 * 60)
    elif kind < 0.85:
        minute = rng.randrange(0, 20)
    else:
        minute = rng.randrange(23 * 60 + 40, 24 * 60)
    return day + timedelta(minutes=minute, seconds=rng.choice([0, 1, 30, 59, rng.randrange(60)]))


@dataclass(slots=True)
class _Scribe:
    """Writes the events of one stream; keeps what must be unique."""

    rng: random.Random
    clock: datetime
    events: list[Event] = field(default_factory=list)
    used: set[tuple[Entity, str, str]] = field(default_factory=set)
    last_id: str = "0"
    number: int = 0

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def maybe(self, data: dict[str, object], name: str, value: object, *, absent: float = 0.1) -> None:
        """Sets a field that need not be known: sometimes it is null, sometimes it is not there."""
        if self.chance(absent):
            if self.chance(0.5):
                data[name] = None
            return
        data[name] = value

    def capped(self, moment: datetime) -> datetime:
        """Returns the moment, or the last one that is still accepted."""
        return min(moment, self.clock + AHEAD)

    def moment(self, days: float) -> datetime:
        """Returns a time in the last `days`: often at a border of a window, sometimes a little ahead of the clock."""
        rng, local = self.rng, self.clock.astimezone(HANOI)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        kind = rng.random()
        if kind < 0.70:
            return self.clock - timedelta(milliseconds=rng.randrange(int(days * 86_400_000)))
        if kind < 0.92:
            borders = [
                midnight,
                midnight,
                midnight - timedelta(days=1),
                midnight - timedelta(days=29),
                midnight - timedelta(days=30),
                midnight.replace(day=1),
                midnight.replace(day=1),
                midnight.replace(month=1, day=1),
                midnight.replace(hour=7),  # midnight in Greenwich
                midnight.replace(day=1, hour=7),
                midnight + timedelta(days=1),
            ]
            shift = rng.choice([timedelta(), timedelta(), MILLISECOND, -MILLISECOND, timedelta(seconds=-1)])
            return self.capped(rng.choice(borders) + shift)
        if kind < 0.96:
            return self.clock + rng.choice([timedelta(), AHEAD, AHEAD, timedelta(minutes=10), timedelta(seconds=1)])
        return self.clock - timedelta(seconds=rng.randrange(3600))

    def stamp(self, moment: datetime) -> str:
        """Returns the instant as text, in any offset."""
        zone = timezone(timedelta(minutes=self.rng.choice(OFFSETS_MINUTES)))
        text = moment.astimezone(zone).isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
        if moment.microsecond and self.chance(0.2):
            head, sign, offset = text[:23], text[23], text[24:]
            text = f"{head}000{sign}{offset}"
        return text.replace("+00:00", "Z") if self.chance(0.7) else text

    def new_id(self, entity: Entity, source: str) -> str:
        """Returns an id that this entity has not had from this source; other entities and sources may have had it."""
        while True:
            self.number += 1
            kind = self.rng.random()
            if kind < 0.55:
                fresh = f"{self.rng.getrandbits(48):012x}"
            elif kind < 0.70:
                fresh = str(self.rng.randrange(1, 200))  # "9" is greater than "10"
            elif kind < 0.75:
                fresh = self.rng.choice(
                    ["é", "e\u0301", "Đ", "ｅ", "😀", "%2F", "A", "a", "a b", "a|b", "a:b", "/", "#"]
                )
                fresh += str(self.number % 7)
            elif kind < 0.80:
                fresh = self.last_id  # an id repeated for another entity is another event
            else:
                fresh = f"E-{self.number}"
            if (entity, source, fresh) not in self.used:
                self.used.add((entity, source, fresh))
                self.last_id = fresh
                return fresh

    def write(
        self, entity: Entity, key: str, type_: str, topic: str, data: dict[str, object], ce_time: datetime
    ) -> Event:
        rng = self.rng
        source = rng.choice(SYSTEMS[topic.split(".")[1]])
        same_id = [event.id for event in self.events[-3:] if event.entity == entity and event.source != source]
        event_id = rng.choice(same_id) if same_id and self.chance(0.05) else ""
        if not event_id or (entity, source, event_id) in self.used:
            event_id = self.new_id(entity, source)
        self.used.add((entity, source, event_id))
        if self.chance(0.1):
            data["not_in_any_catalogue"] = rng.choice([1, "x", None, {"a": [1]}])
        if self.chance(0.02):
            data["deleted"] = rng.choice([False, None])
        event = Event(
            topic=topic,
            key=key,
            entity=entity,
            type=type_,
            source=source,
            id=event_id,
            time=self.stamp(self.capped(ce_time)),
            data=data,
        )
        self.events.append(event)
        return event

    def entity_id(self, stem: str) -> str:
        """Returns an identifier; some differ only by letter case, by zeros or by Unicode composition."""
        self.number += 1
        if self.chance(0.02):
            number = str(self.number // 40)
            twin = self.rng.choice(["é", "e\u0301", "É", "E\u0301", "0", "00", " ", "/"])
            return f"{stem}{twin}{number}"
        return f"{stem}-{self.number}"


# --- dossiers and reports ---------------------------------------------------------------------------------------------


def _times_upwards(scribe: _Scribe, start: datetime, count: int, step_s: int) -> list[datetime]:
    """Returns `count` times that rise or repeat, none later than what is accepted."""
    times, moment = [], start
    for _ in range(count):
        if not scribe.chance(0.1):
            moment = scribe.capped(moment + timedelta(milliseconds=scribe.rng.randrange(step_s * 1000)))
        times.append(moment)
    return times


def _near(scribe: _Scribe, moment: datetime) -> datetime:
    """Returns a CloudEvents time for a fact of that moment: the two need not agree."""
    return scribe.capped(moment + timedelta(seconds=scribe.rng.randrange(-4000, 4000)))


def _status_chain(scribe: _Scribe) -> list[str]:
    rng = scribe.rng
    chain = ["received"] if scribe.chance(0.5) else []
    for _ in range(rng.choice([0, 0, 1, 1, 2, 3])):
        chain.append("supplement")
        if scribe.chance(0.6):
            chain.append(rng.choice(["in_process", "received", "supplement"]))
    chain.append(
        rng.choice(["resolved"] * 7 + ["returned", "rejected", "withdrawn", "in_process", "supplement", "supplement"])
    )
    if scribe.chance(0.25):  # after the answer: reopened, resolved again, more asked for
        chain += rng.choices(["in_process", "resolved", "supplement", "withdrawn", "returned"], k=rng.randrange(1, 4))
    return chain


def _tight_due(scribe: _Scribe, chain: Sequence[str], times: Sequence[datetime]) -> datetime | None:
    """Returns a due date that the dossier meets, or misses, by nothing or a millisecond."""
    if "resolved" not in chain:
        return None
    end = chain.index("resolved")
    waited = sum(
        (times[index + 1] - times[index] for index in range(end) if chain[index] == "supplement"), start=timedelta()
    )
    return times[end] - waited + scribe.rng.choice([timedelta(), timedelta(), MILLISECOND, -MILLISECOND])


def _submitted_dossier(scribe: _Scribe, dossier_id: str, submitted_at: datetime, *, whole: bool) -> dict[str, object]:
    rng = scribe.rng
    absent = 0.0 if whole else 0.12
    data: dict[str, object] = {
        "dossier_id": dossier_id,
        "channel": rng.choice(["online", "online", "online", "counter", "postal"]),
        "service_level": rng.choice(["full", "full", "partial", "info"]),
        "submitted_at": scribe.stamp(submitted_at),
    }
    scribe.maybe(data, "agency_code", rng.choice(AGENCIES), absent=absent)
    scribe.maybe(data, "admin_unit", rng.choice(UNITS), absent=absent)
    scribe.maybe(data, "procedure_code", f"1.00{rng.randrange(1000)}", absent=absent)
    scribe.maybe(data, "fee_due_vnd", rng.choice([0, 50_000, 120_000]), absent=absent)
    return data


def _dossier(scribe: _Scribe) -> None:
    rng = scribe.rng
    dossier_id = scribe.entity_id("HS")
    entity, key, topic = ("dossier", dossier_id), dossier_id, "ioc.onestop.dossiers"
    submitted_type, status_type = "vn.ioc.dossier.submitted.v1", "vn.ioc.dossier.status_changed.v1"
    start = scribe.moment(100)
    if scribe.chance(0.01):  # long ago, and still not before what is accepted
        start = datetime(2000, 1, 3, tzinfo=HANOI) + timedelta(days=rng.randrange(9_000))
    chain = _status_chain(scribe) if scribe.chance(0.9) else []
    times = _times_upwards(scribe, start, len(chain), rng.choice([600, 86_400, 10 * 86_400]))
    sent_at = _near(scribe, start)
    due = start + timedelta(minutes=rng.randrange(30 * 1440))
    tight = _tight_due(scribe, chain, times)
    if tight is not None and scribe.chance(0.4):
        due = tight
    due_in_status = rng.randrange(len(chain)) if chain and scribe.chance(0.3) else -1
    first = _submitted_dossier(scribe, dossier_id, start, whole=False)
    if scribe.chance(0.75):
        first["due_at"] = scribe.stamp(due)
    has_submitted = not chain or not scribe.chance(0.06)
    if has_submitted:
        scribe.write(entity, key, submitted_type, topic, dict(first), sent_at)
    bodies = []
    for position, (status, at) in enumerate(zip(chain, times, strict=True)):
        data: dict[str, object] = {"dossier_id": dossier_id, "status": status, "at": scribe.stamp(at)}
        if status == "resolved" or scribe.chance(0.1):
            scribe.maybe(data, "result_channel", rng.choice(["online", "postal", "counter"]), absent=0.2)
        if position == due_in_status:
            data["due_at"] = scribe.stamp(due + timedelta(days=rng.choice([0, 0, 1, 5])))
            scribe.maybe(data, "reason", "gia hạn", absent=0.3)
        bodies.append(data)
        scribe.write(entity, key, status_type, topic, dict(data), _near(scribe, at))
    _other_dossier_facts(scribe, entity, dossier_id, start)
    fate = rng.random()
    if has_submitted and fate < 0.2:
        _correct_dossier(scribe, entity, dossier_id, start, sent_at)
    elif has_submitted and fate < 0.25:
        _delete(scribe, entity, key, submitted_type, topic, first, sent_at, start)
        if scribe.chance(0.4):  # told again, whole, later than everything
            again = _submitted_dossier(scribe, dossier_id, scribe.moment(60), whole=True)
            again["due_at"] = scribe.stamp(due)
            scribe.write(entity, key, submitted_type, topic, again, scribe.clock + AHEAD)
    elif bodies and fate < 0.28:
        _delete_by_status(scribe, entity, key, status_type, topic, bodies[-1], times[-1])


def _correct_dossier(
    scribe: _Scribe, entity: Entity, dossier_id: str, submitted_at: datetime, sent_at: datetime
) -> None:
    """The same dossier told again: later, at the same time, or (late in the log or not) earlier."""
    rng = scribe.rng
    for _ in range(rng.choice([1, 1, 2])):
        moved = scribe.moment(100) if scribe.chance(0.3) else submitted_at
        data = _submitted_dossier(scribe, dossier_id, moved, whole=False)
        if scribe.chance(0.5):
            scribe.maybe(
                data, "due_at", scribe.stamp(scribe.clock + timedelta(days=rng.randrange(-60, 60))), absent=0.3
            )
        shift = timedelta(hours=rng.choice([0, 1, 1, 5, 100, -1]))
        scribe.write(entity, dossier_id, "vn.ioc.dossier.submitted.v1", "ioc.onestop.dossiers", data, sent_at + shift)


def _other_dossier_facts(scribe: _Scribe, entity: Entity, dossier_id: str, start: datetime) -> None:
    """Facts that none of these figures count, and that still belong to the dossier."""
    rng = scribe.rng
    if scribe.chance(0.08):
        at = scribe.capped(start + timedelta(hours=rng.randrange(200)))
        data: dict[str, object] = {"dossier_id": dossier_id, "components_total": 4, "components_digitised": 3}
        scribe.maybe(data, "at", scribe.stamp(at))
        scribe.write(entity, dossier_id, "vn.ioc.dossier.digitised.v1", "ioc.onestop.dossiers", data, at)
    if scribe.chance(0.08):
        at = scribe.capped(start + timedelta(hours=rng.randrange(200)))
        data = {"dossier_id": dossier_id, "method": "online", "status": "success", "amount_vnd": 50_000}
        scribe.maybe(data, "at", scribe.stamp(at))
        paid = scribe.write(entity, dossier_id, "vn.ioc.dossier.paid.v1", "ioc.onestop.payments", data, at)
        # Another topic has another log order: its ids are its own, so that no duplicate reaches over two topics.
        scribe.events[-1] = replace(paid, id=f"pay-{paid.id}")
    if scribe.chance(0.05):
        at = scribe.capped(start + timedelta(hours=rng.randrange(200)))
        data = {"dossier_id": dossier_id, "score": rng.randrange(1, 6), "at": scribe.stamp(at)}
        scribe.write(entity, dossier_id, "vn.ioc.dossier.rated.v1", "ioc.onestop.dossiers", data, at)


def _delete(
    scribe: _Scribe,
    entity: Entity,
    key: str,
    type_: str,
    topic: str,
    body: Mapping[str, object],
    sent_at: datetime,
    start: datetime,
) -> None:
    """A tombstone with the whole body, now and then older than what it would delete."""
    later = scribe.capped(max(sent_at, start) + timedelta(hours=scribe.rng.randrange(1, 400)))
    moment = sent_at - timedelta(hours=1) if scribe.chance(0.1) else later
    scribe.write(entity, key, type_, topic, {**body, "deleted": True}, moment)


def _delete_by_status(
    scribe: _Scribe,
    entity: Entity,
    key: str,
    type_: str,
    topic: str,
    body: Mapping[str, object],
    at: datetime,
) -> None:
    """A tombstone of another type of the entity; it repeats the last status, so that only the deletion is new."""
    moment = scribe.capped(at + timedelta(hours=scribe.rng.choice([0, 1, 50])))
    scribe.write(entity, key, type_, topic, {**body, "at": scribe.stamp(moment), "deleted": True}, moment)


def _submitted_report(scribe: _Scribe, report_id: str, submitted_at: datetime, *, whole: bool) -> dict[str, object]:
    rng = scribe.rng
    absent = 0.0 if whole else 0.12
    data: dict[str, object] = {"report_id": report_id, "submitted_at": scribe.stamp(submitted_at)}
    scribe.maybe(data, "ward_code", rng.choice(UNITS), absent=absent)
    scribe.maybe(data, "channel", rng.choice(["app", "1022", "zalo"]), absent=absent)
    scribe.maybe(data, "service_code", rng.choice(["urban", "traffic", "forest"]), absent=absent)
    scribe.maybe(data, "reporter_hash", f"{rng.getrandbits(64):016x}", absent=absent)
    return data


def _report(scribe: _Scribe) -> None:
    rng = scribe.rng
    report_id = scribe.entity_id("PA")
    entity, topic = ("report", report_id), "ioc.citizen.reports"
    submitted_type, status_type = "vn.ioc.report.submitted.v1", "vn.ioc.report.status_changed.v1"
    start = scribe.moment(45)
    chain = rng.sample(["accepted", "assigned", "on_site", "reported", "extended", "rejected"], k=rng.randrange(4))
    chain += ["resolved"] * (rng.random() < 0.75)
    if scribe.chance(0.2):
        chain += rng.choices(["reopened", "resolved", "extended", "assigned"], k=rng.randrange(1, 3))
    times = _times_upwards(scribe, start, len(chain), rng.choice([600, 20_000, 3 * 86_400]))
    due = start + timedelta(minutes=rng.randrange(4 * 1440))
    if "resolved" in chain and scribe.chance(0.4):
        due = times[chain.index("resolved")] + rng.choice([timedelta(), timedelta(), MILLISECOND, -MILLISECOND])
    sent_at = _near(scribe, start)
    first = _submitted_report(scribe, report_id, start, whole=False)
    if scribe.chance(0.7):
        first["due_at"] = scribe.stamp(due)
    has_submitted = not chain or not scribe.chance(0.06)
    if has_submitted:
        scribe.write(entity, report_id, submitted_type, topic, dict(first), sent_at)
    bodies = []
    for status, at in zip(chain, times, strict=True):
        data: dict[str, object] = {"report_id": report_id, "status": status, "at": scribe.stamp(at)}
        scribe.maybe(data, "agency_code", rng.choice(AGENCIES), absent=0.4)
        if status == "extended" or scribe.chance(0.1):
            data["due_at"] = scribe.stamp(due + timedelta(hours=rng.choice([0, 10, 100])))
            scribe.maybe(data, "reason", "chờ vật tư", absent=0.3)
        bodies.append(data)
        scribe.write(entity, report_id, status_type, topic, dict(data), _near(scribe, at))
    if scribe.chance(0.1):
        data = {"report_id": report_id}
        scribe.maybe(data, "rating", rng.choice(["satisfied", "accept", "unsatisfied"]))
        scribe.maybe(data, "at", scribe.stamp(times[-1] if times else start))
        scribe.write(entity, report_id, "vn.ioc.report.rated.v1", topic, data, times[-1] if times else start)
    fate = rng.random()
    if has_submitted and fate < 0.2:
        moved = scribe.moment(45) if scribe.chance(0.4) else start
        data = _submitted_report(scribe, report_id, moved, whole=False)
        if scribe.chance(0.5):
            data["due_at"] = scribe.stamp(due + timedelta(days=rng.randrange(-3, 9)))
        scribe.write(
            entity, report_id, submitted_type, topic, data, sent_at + timedelta(hours=rng.choice([0, 1, 30, -1]))
        )
    elif has_submitted and fate < 0.25:
        _delete(scribe, entity, report_id, submitted_type, topic, first, sent_at, start)
        if scribe.chance(0.4):
            again = _submitted_report(scribe, report_id, scribe.moment(20), whole=True)
            scribe.write(entity, report_id, submitted_type, topic, again, scribe.clock + AHEAD)
    elif bodies and fate < 0.28:
        _delete_by_status(scribe, entity, report_id, status_type, topic, bodies[-1], times[-1])


# --- states and minutes -----------------------------------------------------------------------------------------------


def _instants(scribe: _Scribe, count: int, days: float) -> list[datetime]:
    """Returns times of one subject, some of them equal."""
    times: list[datetime] = []
    for _ in range(count):
        times.append(scribe.rng.choice(times) if times and scribe.chance(0.15) else scribe.moment(days))
    return times


def _channel(scribe: _Scribe) -> None:
    rng = scribe.rng
    channel_id = scribe.entity_id("TSLCD")
    home = rng.choice([*UNITS, None])
    for at in _instants(scribe, rng.choice([1, 2, 4, 9, 20]), 3):
        data: dict[str, object] = {"channel_id": channel_id, "up": scribe.chance(0.7)}
        if home is not None or scribe.chance(0.1):
            scribe.maybe(data, "admin_unit", rng.choice(UNITS) if scribe.chance(0.1) else home, absent=0.3)
        scribe.maybe(data, "level", rng.choice(["province", "commune"]))
        scribe.maybe(data, "latency_ms", rng.choice([1, 2.5, 40]))
        scribe.maybe(data, "loss_pct", rng.choice([0, 0.25]))
        if not scribe.chance(0.05):
            data["at"] = scribe.stamp(at)
        if scribe.chance(0.05):
            data["deleted"] = True
            data["admin_unit"] = None
        ce_time = at if "at" not in data else _near(scribe, at)
        scribe.write(
            ("network_channel_state", channel_id),
            channel_id,
            "vn.ioc.network.channel_state.v1",
            "ioc.network.channels",
            data,
            ce_time,
        )


def _camera(scribe: _Scribe, camera_id: str) -> None:
    rng = scribe.rng
    entity = ("camera_heartbeat", camera_id)
    for _ in range(rng.choice([1, 3, 10, 30])):
        # Quarters of a second are exact in binary, so that 120 means 120.
        at = scribe.clock - timedelta(milliseconds=250 * rng.randrange(-60 * 4, 600 * 4))
        age_s: float = rng.choice([0, 1, 3.5, 30, 119, 120, 121, 600])
        if scribe.chance(0.4):
            age_s = max(0.0, 120 - (scribe.clock - at).total_seconds() + rng.choice([0, 0, 0.25, -0.25]))
            age_s = int(age_s) if age_s == int(age_s) else age_s
        data: dict[str, object] = {"camera_id": camera_id, "online": scribe.chance(0.85), "last_frame_age_s": age_s}
        scribe.maybe(data, "fps", rng.choice([1, 12.5, 25]))
        scribe.maybe(data, "blurred", scribe.chance(0.3))
        scribe.maybe(data, "occluded", scribe.chance(0.3))
        if not scribe.chance(0.04):
            data["at"] = scribe.stamp(at)
        if scribe.chance(0.03):
            data["deleted"] = True
        ce_time = at if "at" not in data else _near(scribe, at)
        scribe.write(entity, camera_id, "vn.ioc.camera.heartbeat.v1", "ioc.camera.health", data, ce_time)


def _lgsp_minute(scribe: _Scribe) -> datetime:
    """Returns a minute, most often one at an edge of the 5m, 1h or day window."""
    rng = scribe.rng
    running = scribe.clock.replace(second=0, microsecond=0)
    midnight = scribe.clock.astimezone(HANOI).replace(hour=0, minute=0, second=0, microsecond=0)
    kind = rng.random()
    if kind < 0.35:
        minute = running - timedelta(minutes=rng.randrange(-1, 9))
    elif kind < 0.60:
        minute = running - timedelta(minutes=rng.randrange(56, 65))
    elif kind < 0.75:
        minute = midnight + timedelta(minutes=rng.randrange(-2, 3))
    elif kind < 0.85:
        minute = running + timedelta(minutes=rng.randrange(1, 16))
    else:
        minute = running - timedelta(minutes=rng.randrange(2 * 1440))
    if scribe.chance(0.08):
        minute += rng.choice([timedelta(seconds=30), timedelta(seconds=59, milliseconds=999), -MILLISECOND])
    return scribe.capped(minute)


def _lgsp(scribe: _Scribe) -> None:
    rng = scribe.rng
    service_id, consumer = f"svc-{rng.randrange(40)}", rng.choice(["dvcqg", "motcua", "thuế", "bhxh"])
    minute = _lgsp_minute(scribe)
    entity = ("lgsp_service_call", service_id, consumer, minute.astimezone(UTC).isoformat())
    # Every fact of one minute has the same time: the greater id, then the source, tells which is the newest.
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        calls = rng.randrange(500)
        data: dict[str, object] = {
            "service_id": service_id,
            "consumer": consumer,
            "window_start": scribe.stamp(minute),
            "calls": calls,
            "errors": rng.choice([0, 0, calls // 20, calls]),
        }
        scribe.maybe(data, "provider", "sở")
        scribe.maybe(data, "p95_ms", rng.choice([20, 87.5]))
        if scribe.chance(0.05):
            data["deleted"] = True
        scribe.write(entity, service_id, "vn.ioc.lgsp.service_call.v1", "ioc.lgsp.calls", data, _near(scribe, minute))


# --- the whole stream -------------------------------------------------------------------------------------------------


def _valid_events(scribe: _Scribe, count: int) -> list[Event]:
    """Returns `count` events: states first, then lives of dossiers, reports and minutes until there are enough."""
    for camera_id in scribe.rng.sample(CAMERAS, k=33):
        _camera(scribe, camera_id)
    while len(scribe.events) < count * 0.12:
        _channel(scribe)
    families: tuple[Callable[[_Scribe], None], ...] = (_dossier, _report, _lgsp)
    while len(scribe.events) < count:
        scribe.rng.choices(families, weights=(10, 6, 5))[0](scribe)
    return scribe.events[:count]


def _repeat(scribe: _Scribe, original: Event, pool: Mapping[Entity, Sequence[Event]], *, change_body: bool) -> Event:
    """The same source and id of the same entity once more; with `change_body` it says something else."""
    if not change_body:
        return original
    siblings = [event for event in pool[original.entity] if event.topic == original.topic]
    other = scribe.rng.choice(siblings)
    data = dict(other.data)
    for name, values in {
        "channel": ("online", "counter") if other.entity[0] == "dossier" else ("app", "1022"),
        "status": ("resolved", "rejected") if other.type.endswith("status_changed.v1") else (),
        "up": (True, False),
        "online": (True, False),
        "calls": (7, 700),
    }.items():
        if name in data and values:
            data[name] = scribe.rng.choice(values)
    if "calls" in data:
        data["errors"] = 3
    return replace(other, id=original.id, source=original.source, data=data)


def generate(
    seed: int,
    *,
    events: int = 20_000,
    duplicates: float = 0.05,
    invalid: float = 0.01,
    change_bodies: bool = True,
    order_seed: int | None = None,
) -> Stream:
    """Returns a stream of exactly `events` events in random order.

    With `change_bodies` some duplicates say something else than the event they repeat, and the figures depend on which
    comes first; without, they don't depend on the order, which `order_seed` then changes alone.
    """
    rng = random.Random(seed)
    scribe = _Scribe(rng, random_clock(rng))
    duplicated, spoilt = round(events * duplicates), round(events * invalid)
    valid = _valid_events(scribe, events - duplicated - spoilt)
    pool: dict[Entity, list[Event]] = {}
    for event in valid:
        pool.setdefault(event.entity, []).append(event)
    ordered_only: set[Entity] = set()  # entities whose figures depend on the log order
    extra = []
    for _ in range(duplicated):
        original = rng.choice(valid)
        changed = change_bodies and rng.random() < 0.4 and original.topic != "ioc.onestop.payments"
        if changed:
            ordered_only.add(original.entity)
        extra.append(_repeat(scribe, original, pool, change_body=changed))
    for position in range(spoilt):
        sort = SORTS[position % len(SORTS)]
        extra.append(spoil(rng, rng.choice([event for event in valid if can_have(event, sort)]), sort, scribe.clock))
    everything = valid + extra
    shuffler = random.Random(seed if order_seed is None else order_seed)
    groups = _group(shuffler, everything, ordered_only)
    shuffler.shuffle(groups)
    records = [_record(shuffler, group, ordered_only) for group in groups]
    return Stream(seed=seed, clock=scribe.clock, records=records, events=[event for group in groups for event in group])


def _group(rng: random.Random, events: Sequence[Event], ordered_only: set[Entity]) -> list[list[Event]]:
    """Puts a few events together into batches; the others stay alone.

    An event under another's key finds its partition only after a detour, so its entity's order in the log is not
    known: entities whose figures depend on it stay out.
    """
    groups: list[list[Event]] = []
    waiting: dict[str, list[Event]] = {}
    for event in events:
        fit = event.text is None and event.entity not in ordered_only and event.flaw not in ("oversized",)
        if not fit or rng.random() > 0.04:
            groups.append([event])
            continue
        batch = waiting.setdefault(event.topic, [])
        batch.append(event)
        if len(batch) >= rng.choice([2, 3, 9]):
            groups.append(waiting.pop(event.topic))
    return groups + list(waiting.values())


def _record(rng: random.Random, group: Sequence[Event], ordered_only: set[Entity]) -> Record:
    key: bytes | None = group[0].key.encode()
    if group[0].entity not in ordered_only and rng.random() < 0.003:
        key = rng.choice([None, b"some other key"])  # a publisher that does not know the partition key
    if len(group) > 1:
        return encode(group, key, "batch")
    return encode(group, key, "binary" if rng.random() < 0.5 else "structured", ascii_only=rng.random() < 0.5)


def encode(events: Sequence[Event], key: bytes | None, mode: str, *, ascii_only: bool = False) -> Record:
    """Returns the record of one event (`binary`, `structured`) or of several (`batch`)."""
    if mode == "batch":
        value = "[" + ",".join(_structured(event, ascii_only) for event in events) + "]"
        headers: tuple[tuple[str, bytes], ...] = (("content-type", b"application/cloudevents-batch+json"),)
        return Record(events[0].topic, key, headers, value.encode())
    (event,) = events
    if mode == "structured":
        content_type = b"application/cloudevents+json" + (b"; charset=UTF-8" if ascii_only else b"")
        return Record(event.topic, key, (("content-type", content_type),), _structured(event, ascii_only).encode())
    headers = tuple((f"ce_{name}", value.encode()) for name, value in _attributes(event).items())
    value = event.text if event.text is not None else json.dumps(event.data, ensure_ascii=ascii_only)
    return Record(event.topic, key, (*headers, ("content-type", b"application/json")), value.encode())


def _attributes(event: Event) -> dict[str, str]:
    attributes = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": event.time,
    }
    return {name: value for name, value in attributes.items() if name not in event.left_out}


def _structured(event: Event, ascii_only: bool) -> str:
    envelope = {**_attributes(event), "datacontenttype": "application/json"}
    data = event.text if event.text is not None else json.dumps(event.data, ensure_ascii=ascii_only)
    return json.dumps(envelope, ensure_ascii=ascii_only)[:-1] + f', "data": {data}}}'
