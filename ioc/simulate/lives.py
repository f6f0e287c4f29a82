"""The life of a dossier and of a citizen report, planned in advance: what happens, and when.

Shares and volumes follow the seed articles (kpis.yaml): Lâm Đồng's on-time shares of H1 2022, Cao Bằng's online
shares, and Đà Lạt's mix of 2,017 reports.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from random import Random

__all__ = ["LOCAL", "REPORT_MIX", "Life", "Step", "plan_dossier", "plan_report", "rfc3339"]

LOCAL = timezone(timedelta(hours=7))  # Asia/Ho_Chi_Minh has had no other offset since 1975

REPORT_MIX: Mapping[str, int] = {
    "construction_order": 593,
    "urban_order": 473,
    "traffic_security": 270,
    "environment": 179,
    "culture_tourism": 160,
    "food_safety": 33,
    "forest": 24,
    "prices": 12,
    "other": 273,  # what the article's list leaves out of its total of 2,017
}
"""Reports of H1 2022 by kind, Đà Lạt (source dalat_mix)."""

_DEPARTMENTS = tuple(f"H36.{n:02d}" for n in range(1, 15))  # sở, ban, ngành
_COMMUNE_AGENCIES = tuple(f"H36.{n:02d}" for n in range(31, 43))
_DEPARTMENT_SHARE = 0.46  # 175,920 of 382,950 dossiers of departments and communes, H1 2022
_TERMS_DAYS = (3, 5, 7, 10, 15, 20)
_LATE_SHARE = {True: 0.012, False: 0.022}  # departments, communes: a little worse than the 99.7 % and 98.9 % printed
_ONLINE_SHARE, _FULL_SHARE, _DIGITAL_RESULT_SHARE = 0.817, 0.78, 0.85  # their product is Cao Bằng's 53.6 %
_SUPPLEMENT_SHARE = 0.08
_RATED_SHARE = 0.45  # Huế 2019: about 45 % are rated
_SYSTEMS = {"dossier": "motcua", "report": "dalat-truc-tuyen"}
_REPORT_TERM = timedelta(hours=6)  # Đà Lạt trực tuyến: a report back within 6 hours, an officer on site within 2
_STUCK_SHARE = 0.015
_REPORT_LATE_SHARE = 0.09


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One event of a life. `time_field` is the data field that takes the time at which it happens, "" for none.

    `system` ends the event's source; times in `data` may be datetimes.
    """

    event: str
    at: datetime
    time_field: str
    data: Mapping[str, object]
    system: str


@dataclass(slots=True, kw_only=True)
class Life:
    """What is still to happen to one dossier or report, in order."""

    steps: list[Step] = field(default_factory=list)


def rfc3339(moment: datetime, rng: Random) -> str:
    """Writes an instant as the departments do: some in local time, some in UTC."""
    zone = LOCAL if rng.random() < 0.6 else UTC
    return moment.astimezone(zone).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plan_dossier(rng: Random, dossier_tail: str, submitted_at: datetime, units: Sequence[str]) -> Life:
    """Returns a dossier's life from its submission on."""
    is_department = rng.random() < _DEPARTMENT_SHARE
    agency = rng.choice(_DEPARTMENTS if is_department else _COMMUNE_AGENCIES)
    dossier_id = f"{agency}-{submitted_at.astimezone(LOCAL):%y%m%d}-{dossier_tail}"
    is_online = rng.random() < _ONLINE_SHARE
    level = "full" if rng.random() < _FULL_SHARE else rng.choice(("partial", "partial", "info"))
    fee = rng.choice((0, 0, 15_000, 30_000, 50_000, 150_000))
    term = timedelta(days=rng.choice(_TERMS_DAYS))
    due_at = _close_of_business(submitted_at + term)
    submitted: dict[str, object] = {
        "dossier_id": dossier_id,
        "procedure_code": f"{rng.choice((1, 2))}.{rng.randrange(1000, 1400):06d}",
        "service_level": level,
        "channel": "online" if is_online else rng.choice(("counter", "counter", "counter", "postal")),
        "agency_code": agency,
        "fee_due_vnd": fee,
        "due_at": rfc3339(due_at, rng),
    }
    if not is_department:
        submitted["admin_unit"] = rng.choice(units)
    steps = [_step("dossier.submitted", submitted_at, submitted, "submitted_at")]
    if fee:
        steps.append(_payment(rng, dossier_id, fee, submitted_at, is_online))
    steps += _handling(rng, dossier_id, submitted_at, due_at, late=rng.random() < _LATE_SHARE[is_department])
    steps.append(_digitising(rng, dossier_id, submitted_at))
    if steps[-2].data["status"] == "resolved" and rng.random() < _RATED_SHARE:
        rated_at = steps[-2].at + timedelta(hours=rng.uniform(0.1, 48))
        score = rng.choices((5, 4, 3, 2, 1), weights=(62, 31, 4, 2, 1))[0]
        steps.append(_step("dossier.rated", rated_at, {"dossier_id": dossier_id, "score": score}))
    return Life(steps=sorted(steps, key=lambda step: step.at))


def _handling(rng: Random, dossier_id: str, submitted_at: datetime, due_at: datetime, *, late: bool) -> list[Step]:
    received_at = submitted_at + timedelta(minutes=rng.uniform(1, 240))
    process_at = received_at + timedelta(hours=rng.uniform(0.2, 8))
    steps = [_status(dossier_id, "received", received_at), _status(dossier_id, "in_process", process_at)]
    pause = timedelta(0)
    if rng.random() < _SUPPLEMENT_SHARE:
        asked_at = process_at + timedelta(hours=rng.uniform(1, 20))
        pause = timedelta(hours=rng.uniform(6, 120))
        steps.append(_status(dossier_id, "supplement", asked_at, reason="Bổ sung giấy tờ còn thiếu"))
        process_at = asked_at + pause
        steps.append(_status(dossier_id, "in_process", process_at))
    ends_at = process_at + max(due_at + pause - process_at, timedelta(hours=2)) * rng.uniform(0.15, 0.97)
    fate = rng.random()
    if fate > 1 - _STUCK_SHARE:
        return steps  # it lies on somebody's desk
    if fate < 0.02:
        steps.append(
            _status(dossier_id, rng.choice(("rejected", "withdrawn", "returned")), ends_at, reason="Hồ sơ không hợp lệ")
        )
        return steps
    if late:
        ends_at = due_at + pause + timedelta(hours=rng.uniform(2, 150))
        if rng.random() < 0.4:
            extended = rfc3339(ends_at + timedelta(days=1), rng)
            steps.append(
                _status(
                    dossier_id, "in_process", due_at - timedelta(hours=1), reason="Gia hạn thẩm định", due_at=extended
                )
            )
    elif rng.random() < 0.01:
        ends_at = due_at + pause  # the last instant that is still on time
    channel = rng.choice(("online", "postal")) if rng.random() < _DIGITAL_RESULT_SHARE else "counter"
    steps.append(_status(dossier_id, "resolved", ends_at, result_channel=channel))
    return steps


def _status(dossier_id: str, status: str, at: datetime, **more: object) -> Step:
    data = {"dossier_id": dossier_id, "status": status, **more}
    return _step("dossier.status_changed", at, data)


def _payment(rng: Random, dossier_id: str, fee: int, submitted_at: datetime, is_online: bool) -> Step:
    method = "online" if rng.random() < (0.75 if is_online else 0.15) else rng.choice(("cash", "transfer"))
    status = "success" if rng.random() < 0.97 else "failed"
    data = {"dossier_id": dossier_id, "method": method, "amount_vnd": fee, "status": status}
    return Step(
        event="dossier.paid",
        at=submitted_at + timedelta(minutes=rng.uniform(1, 90)),
        time_field="at",
        data=data,
        system="payment",
    )


def _digitising(rng: Random, dossier_id: str, submitted_at: datetime) -> Step:
    total = rng.randint(1, 6)
    done = total if rng.random() < 0.8 else rng.randint(0, total)
    data = {
        "dossier_id": dossier_id,
        "components_total": total,
        "components_digitised": done,
        "result_digital_signed": rng.random() < 0.6,
        "reused_components": rng.randint(0, done) if rng.random() < 0.3 else 0,
    }
    return _step("dossier.digitised", submitted_at + timedelta(hours=rng.uniform(1, 30)), data)


def plan_report(rng: Random, report_id: str, submitted_at: datetime, units: Sequence[str]) -> Life:
    """Returns a citizen report's life. Half of the reports come from the first five units (the city)."""
    code = rng.choices(tuple(REPORT_MIX), weights=tuple(REPORT_MIX.values()))[0]
    due_at = submitted_at + _REPORT_TERM
    ward = rng.choice(units[:5] if rng.random() < 0.5 else units)
    submitted: dict[str, object] = {
        "report_id": report_id,
        "channel": rng.choice(("app", "app", "app", "1022", "web")),
        "service_code": code,
        "geo": {
            "type": "Point",
            "coordinates": [round(rng.uniform(108.2, 108.6), 5), round(rng.uniform(11.7, 12.1), 5)],
        },
        "ward_code": ward,
        "reporter_hash": f"{rng.getrandbits(64):016x}",
        "due_at": rfc3339(due_at, rng),
    }
    steps = [_step("report.submitted", submitted_at, submitted, "submitted_at")]
    accepted_at = submitted_at + timedelta(minutes=rng.uniform(2, 35))
    agency = rng.choice(_COMMUNE_AGENCIES)
    if rng.random() < 0.03:
        steps.append(_report_status(report_id, "rejected", accepted_at, reason="Không thuộc phạm vi tiếp nhận"))
        return Life(steps=steps)
    if rng.random() < _STUCK_SHARE:
        steps.append(_report_status(report_id, "accepted", accepted_at, agency_code=agency))
        return Life(steps=steps)  # nobody ever went there
    on_site_at = accepted_at + timedelta(minutes=rng.uniform(10, 95))
    late = rng.random() < _REPORT_LATE_SHARE
    resolved_at = due_at + timedelta(hours=rng.uniform(0.1, 40)) if late else _between(rng, on_site_at, due_at)
    steps += [
        _report_status(report_id, "accepted", accepted_at, agency_code=agency),
        _report_status(report_id, "assigned", accepted_at + timedelta(minutes=4), agency_code=agency),
        _report_status(report_id, "on_site", on_site_at, agency_code=agency),
        _report_status(report_id, "reported", _between(rng, on_site_at, resolved_at), agency_code=agency),
        _report_status(report_id, "resolved", resolved_at, agency_code=agency),
    ]
    if late and rng.random() < 0.5:
        extended = rfc3339(resolved_at + timedelta(hours=4), rng)
        asked_at = due_at - timedelta(minutes=10)
        steps.insert(-1, _report_status(report_id, "extended", asked_at, due_at=extended, reason="Chờ vật tư thay thế"))
        steps.sort(key=lambda step: step.at)
    if rng.random() < 0.45:
        rating = rng.choices(("satisfied", "accept", "unsatisfied"), weights=(62, 16, 22))[0]  # Huế 2022: 77.7 %
        rated_at = resolved_at + timedelta(hours=rng.uniform(0.2, 30))
        steps.append(_step("report.rated", rated_at, {"report_id": report_id, "rating": rating}))
    return Life(steps=steps)


def _report_status(report_id: str, status: str, at: datetime, **more: object) -> Step:
    data = {"report_id": report_id, "status": status, **more}
    return _step("report.status_changed", at, data)


def _step(event: str, at: datetime, data: Mapping[str, object], time_field: str = "at") -> Step:
    return Step(event=event, at=at, time_field=time_field, data=data, system=_SYSTEMS[event.partition(".")[0]])


def _between(rng: Random, start: datetime, end: datetime) -> datetime:
    return start + (end - start) * rng.uniform(0.1, 1.0)


def _close_of_business(moment: datetime) -> datetime:
    """17:00 local of the same day, or of Monday where that is a weekend."""
    local = moment.astimezone(LOCAL).replace(hour=17, minute=0, second=0, microsecond=0)
    return local + timedelta(days=max(0, 7 - local.weekday()) if local.weekday() >= 5 else 0)
