"""Dossiers, procedures and citizen reports."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from tests.recount.accepting import Fact, instant
from tests.recount.lifetimes import Province, Share, count_of, newest, newest_time, of_type, share_of_one, unit_of

__all__ = ["dossier", "procedure", "report", "supplement_time"]


def _first_due(facts: Sequence[Fact], *types: str) -> datetime | None:
    for fact in facts:
        if fact.type in types and fact.data.get("due_at") is not None:
            return instant(fact.data["due_at"])
    return None


def _statuses(facts: Sequence[Fact], type_: str) -> list[Fact]:
    """Returns the facts that tell a status: null tells none."""
    return [fact for fact in of_type(facts, type_) if fact.data.get("status") is not None]


def _first_time_of(statuses: Sequence[Fact], status: str) -> datetime | None:
    for fact in statuses:
        if fact.data["status"] == status:
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


def dossier(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    submitted = of_type(facts, "dossier.submitted")
    statuses = _statuses(facts, "dossier.status_changed")
    agency = str(newest(submitted, "agency_code") or "")
    is_online = newest(submitted, "channel") == "online"
    submitted_at = newest_time(submitted, "submitted_at")
    if submitted_at is not None:
        yield share_of_one("dossiers_online", is_online, at=submitted_at, agency=agency)
        yield share_of_one("dossiers_digitised", _is_digitised(facts), at=submitted_at, agency=agency)
        if count_of(submitted, "fee_due_vnd") > 0:
            yield share_of_one("online_payment", _is_paid_online(facts), at=submitted_at, agency=agency)
    resolved_at = _first_time_of(statuses, "resolved")
    if resolved_at is not None:
        is_full = (
            newest(submitted, "service_level") == "full"
            and is_online
            and newest(of_type(facts, "dossier.status_changed"), "result_channel") in ("online", "postal")
        )
        yield share_of_one("dossiers_fully_online", is_full, at=resolved_at, agency=agency)
        due = _first_due(facts, "dossier.submitted", "dossier.status_changed")
        on_time = due is not None and resolved_at <= due + supplement_time(statuses, resolved_at)
        yield share_of_one("dossiers_on_time", on_time, at=resolved_at, agency=agency)


def _is_digitised(facts: Sequence[Fact]) -> bool:
    digitised = of_type(facts, "dossier.digitised")
    total = count_of(digitised, "components_total")
    return total > 0 and count_of(digitised, "components_digitised") == total


def _is_paid_online(facts: Sequence[Fact]) -> bool:
    paid = of_type(facts, "dossier.paid")
    return newest(paid, "status") == "success" and newest(paid, "method") == "online"


def procedure(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    if newest(facts, "active") is True and newest(facts, "service_level") in ("full", "partial"):
        yield Share(kpi="services_online", numerator=1)


def report(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    submitted = of_type(facts, "report.submitted")
    statuses = _statuses(facts, "report.status_changed")
    unit = unit_of(submitted, "ward_code")
    submitted_at = newest_time(submitted, "submitted_at")
    if submitted_at is not None:
        yield Share(kpi="reports_received", at=submitted_at, unit=unit, numerator=1)
        yield share_of_one("reports_answered", _is_answered(statuses), at=submitted_at, unit=unit)
        on_site_at = _first_time_of(statuses, "on_site")
        if on_site_at is not None:
            waited_s = (on_site_at - submitted_at).total_seconds()
            yield Share(kpi="report_on_site", at=submitted_at, unit=unit, sample=waited_s)
    resolved_at = _first_time_of(statuses, "resolved")
    if resolved_at is not None:
        due = _first_due(facts, "report.submitted", "report.status_changed")
        yield share_of_one("reports_on_time", due is not None and resolved_at <= due, at=resolved_at, unit=unit)


def _is_answered(statuses: Sequence[Fact]) -> bool:
    if not statuses:
        return False
    last = statuses[-1].data
    if last["status"] == "rejected":
        return bool(str(last.get("reason") or "").strip())  # its own reason: an older status's does not answer for it
    return last["status"] == "resolved"
