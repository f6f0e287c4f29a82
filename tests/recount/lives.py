"""The lives of dossiers and of citizen reports: told in pieces, corrected, extended, deleted and told again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from tests.recount.accepting import HANOI
from tests.recount.scribe import AGENCIES, AHEAD, MILLISECOND, UNITS, Scribe, near
from tests.recount.wire import Entity

__all__ = ["dossier", "report"]


def _times_upwards(scribe: Scribe, start: datetime, count: int, step_s: int) -> list[datetime]:
    """Returns `count` times that rise or repeat, none later than what is accepted."""
    times, moment = [], start
    for _ in range(count):
        if not scribe.chance(0.1):
            moment = scribe.capped(moment + timedelta(milliseconds=scribe.rng.randrange(step_s * 1000)))
        times.append(moment)
    return times


def _status_chain(scribe: Scribe) -> list[str]:
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


def _tight_due(scribe: Scribe, chain: Sequence[str], times: Sequence[datetime]) -> datetime | None:
    """Returns a due date that the dossier meets, or misses, by nothing or a millisecond."""
    if "resolved" not in chain:
        return None
    end = chain.index("resolved")
    waited = sum(
        (times[index + 1] - times[index] for index in range(end) if chain[index] == "supplement"), start=timedelta()
    )
    return times[end] - waited + scribe.rng.choice([timedelta(), timedelta(), MILLISECOND, -MILLISECOND])


def _submitted_dossier(scribe: Scribe, dossier_id: str, submitted_at: datetime, *, whole: bool) -> dict[str, object]:
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


def dossier(scribe: Scribe) -> None:
    rng = scribe.rng
    dossier_id = scribe.entity_id("HS")
    entity, key, topic = ("dossier", dossier_id), dossier_id, "ioc.onestop.dossiers"
    submitted_type, status_type = "vn.ioc.dossier.submitted.v1", "vn.ioc.dossier.status_changed.v1"
    start = scribe.moment(100)
    if scribe.chance(0.01):  # long ago, and still not before what is accepted
        start = datetime(2000, 1, 3, tzinfo=HANOI) + timedelta(days=rng.randrange(9_000))
    chain = _status_chain(scribe) if scribe.chance(0.9) else []
    times = _times_upwards(scribe, start, len(chain), rng.choice([600, 86_400, 10 * 86_400]))
    sent_at = near(scribe, start)
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
        _write_status(scribe, entity, status_type, topic, data, at)
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


def _write_status(
    scribe: Scribe, entity: Entity, type_: str, topic: str, data: Mapping[str, object], at: datetime
) -> None:
    """A status; now and then its time is that of the envelope, or a further event tells no status at all."""
    if scribe.chance(0.02):
        scribe.write(entity, entity[1], type_, topic, {**data, "at": None}, at)
    else:
        scribe.write(entity, entity[1], type_, topic, dict(data), near(scribe, at))
    if scribe.chance(0.01):
        later = scribe.capped(at + timedelta(minutes=scribe.rng.randrange(900)))
        scribe.write(entity, entity[1], type_, topic, {**data, "status": None, "at": scribe.stamp(later)}, later)


def _correct_dossier(
    scribe: Scribe, entity: Entity, dossier_id: str, submitted_at: datetime, sent_at: datetime
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


def _other_dossier_facts(scribe: Scribe, entity: Entity, dossier_id: str, start: datetime) -> None:
    """What was digitised, what was paid and how, and a score that no figure counts."""
    rng, topic = scribe.rng, "ioc.onestop.dossiers"
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        at = scribe.capped(start + timedelta(hours=rng.randrange(200)))
        total = rng.choice([0, 3, 4])
        data: dict[str, object] = {"dossier_id": dossier_id, "components_total": total}
        data["components_digitised"] = total if scribe.chance(0.7) else rng.randrange(5)
        scribe.maybe(data, "at", scribe.stamp(at))
        scribe.write(entity, dossier_id, "vn.ioc.dossier.digitised.v1", topic, data, at)
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        at = scribe.capped(start + timedelta(hours=rng.randrange(200)))
        data = {"dossier_id": dossier_id, "method": rng.choice(["online", "online", "cash", "transfer"])}
        data["status"] = rng.choice(["success", "success", "failed", "refunded"])
        scribe.maybe(data, "at", scribe.stamp(at))
        paid = scribe.write(entity, dossier_id, "vn.ioc.dossier.paid.v1", "ioc.onestop.payments", data, at)
        # Another topic has another log order: its ids are its own, so that no duplicate reaches over two topics.
        own_id = f"pay-{paid.id}"
        while (entity, paid.source, own_id) in scribe.used:
            own_id = f"pay-{own_id}"
        scribe.used.add((entity, paid.source, own_id))
        scribe.events[-1] = replace(paid, id=own_id)
    if scribe.chance(0.05):
        at = scribe.capped(start + timedelta(hours=rng.randrange(200)))
        data = {"dossier_id": dossier_id, "score": rng.randrange(1, 6), "at": scribe.stamp(at)}
        scribe.write(entity, dossier_id, "vn.ioc.dossier.rated.v1", topic, data, at)


def _delete(
    scribe: Scribe,
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
    scribe: Scribe,
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


def _submitted_report(scribe: Scribe, report_id: str, submitted_at: datetime, *, whole: bool) -> dict[str, object]:
    rng = scribe.rng
    absent = 0.0 if whole else 0.12
    data: dict[str, object] = {"report_id": report_id, "submitted_at": scribe.stamp(submitted_at)}
    scribe.maybe(data, "ward_code", rng.choice(UNITS), absent=absent)
    scribe.maybe(data, "channel", rng.choice(["app", "1022", "zalo"]), absent=absent)
    scribe.maybe(data, "service_code", rng.choice(["urban", "traffic", "forest"]), absent=absent)
    scribe.maybe(data, "reporter_hash", f"{rng.getrandbits(64):016x}", absent=absent)
    return data


def report(scribe: Scribe) -> None:
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
    sent_at = near(scribe, start)
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
        if status == "rejected":
            scribe.maybe(data, "reason", rng.choice(["ngoài thẩm quyền", " ", ""]), absent=0.3)
        bodies.append(data)
        _write_status(scribe, entity, status_type, topic, data, at)
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
