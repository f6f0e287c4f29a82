"""Networks and their safety: telecom operators, IPv6, the security operations centre, video meetings."""

from ioc.simulate.publishers import AGENCIES, Draw, Publisher

__all__ = ["PUBLISHERS"]

_SITES = 170  # a tenth of Cao Bằng's 1,730 stations
_OPERATORS = {"viettel": 48, "vnpt": 30, "mobifone": 17, "vietnamobile": 5}
_SYSTEMS = 38  # Hòa Bình 2022: 6 of level 3, 32 of level 2
_MEETING_SITES = 175


def _site_id(number: int) -> str:
    return f"ldg-{number % _SITES:04d}"


def _site(d: Draw) -> dict[str, object]:
    tech = ["2G", "4G"] if d.is_so(0.93) else ["2G", "3G"]
    return {
        "site_id": _site_id(d.number),
        "operator": (operator := d.one_of(_OPERATORS)),
        "_system": operator,
        "geo": d.point(),
        "admin_unit": d.unit,
        "tech": [*tech, "5G"] if d.is_so(0.19) else tech,
        "cells": d.traits.choice((3, 3, 6, 9)),
        "shared": d.is_so(0.22),
        "commissioned_at": d.long_ago(60, 4000),
        "status": d.one_of({"in_service": 0.96, "planned": 0.025, "out_of_service": 0.015}),
    }


def _alarm(d: Draw) -> dict[str, object]:
    cells = d.traits.choice((3, 6))
    return {
        "site_id": _site_id(d.traits.randrange(_SITES)),
        "alarm": d.one_of({"down": 0.35, "power": 0.35, "transmission": 0.2, "degraded": 0.1}),
        "raised_at": d.began,
        "cells_affected": cells,
        "subscribers_est": cells * d.traits.randint(60, 300),
        "cleared_at": d.known(d.after(0.2, 6)),
    }


def _speed_test(d: Draw) -> dict[str, object]:
    tech = d.one_of({"5G": 0.7, "4G": 0.3})
    mean = 228 if tech == "5G" else 52
    return {
        "admin_unit": d.traits.choice(d.world.units[:30]),
        "tech": tech,
        "at": d.began,
        "down_mbps": round(max(2.0, d.traits.gauss(mean, mean / 5)), 1),
        "up_mbps": round(max(1.0, d.traits.gauss(mean / 4, mean / 20)), 1),
        "latency_ms": round(d.traits.uniform(12, 45), 1),
        "samples": d.traits.randint(5, 120),
    }


def _fibre_route(d: Draw) -> dict[str, object]:
    is_undergrounded = d.is_so(0.2)
    return {
        "route_id": f"cap-{d.number:03d}",
        "operator": d.one_of(_OPERATORS),
        "length_km": round(d.traits.uniform(0.5, 9.0), 2),  # Cao Bằng: 149 routes, 592 km
        "undergrounded": is_undergrounded,
        "tidied": is_undergrounded or d.is_so(0.4),
        "at": d.now,
    }


def _ipv6(d: Draw) -> dict[str, object]:
    reachable = d.is_so(0.72) and d.rng.random() < 0.99
    return {
        "system_id": f"httt-{d.number:02d}",
        "at": d.now,
        "aaaa": reachable or d.is_so(0.3),
        "reachable_v6": reachable,
        "mode": "dual" if reachable else "none",
    }


def _security_incident(d: Draw) -> dict[str, object]:
    contained_at, closed_at = d.known(d.after(0.5, 5)), d.known(d.after(8, 90))
    is_false = d.is_so(0.3)
    status = "closed" if closed_at else "contained" if contained_at else "confirmed" if d.number % 2 else "new"
    return {
        "incident_id": d.fact_id("attt"),
        "system_id": f"httt-{d.traits.randrange(_SYSTEMS):02d}",
        "level": d.one_of({1: 0.5, 2: 0.35, 3: 0.12, 4: 0.03}),
        "category": d.traits.choice(("malware", "phishing", "web_defacement", "brute_force", "ddos")),
        "detected_at": d.began,
        "contained_at": contained_at,
        "closed_at": closed_at,
        "status": "false_positive" if is_false and closed_at else status,
        "affects_shared_system": d.is_so(0.25),
    }


def _system_level(d: Draw) -> dict[str, object]:
    approved = d.is_so(0.92)
    return {
        "system_id": f"httt-{d.number:02d}",
        "level": 3 if d.number < 6 else 2,
        "approved": approved,
        "approved_at": d.long_ago(30, 900) if approved else None,
        "owner": AGENCIES[d.number % 14],
        "next_audit_due": "2027-06-30",
    }


def _endpoints(d: Draw) -> dict[str, object]:
    endpoints = d.traits.randint(25, 140)
    return {
        "agency_code": AGENCIES[d.number % len(AGENCIES)],
        "at": d.now,
        "endpoints": endpoints,
        "protected": round(endpoints * d.traits.uniform(0.88, 1.0)),
        "shares_to_national_centre": d.is_so(0.9),
    }


def _spam(d: Draw) -> dict[str, object]:
    verified = d.is_so(0.7)
    return {
        "report_id": d.fact_id("rac"),
        "kind": d.one_of({"call": 0.5, "sms": 0.35, "email": 0.15}),
        "at": d.began,
        "verified": verified,
        # A report's own time is that of the call: told again, it would contradict itself.
        "action_at": d.already(d.after(1, 40)) if verified and d.is_so(0.93) else None,
    }


def _meeting(d: Draw) -> dict[str, object]:
    invited = d.traits.choice((12, 26, 60, 138, _MEETING_SITES))
    return {
        "session_id": d.fact_id("hop"),
        "level": 3 if invited > 60 else 2,
        "started_at": d.began,
        "ended_at": d.known(d.after(0.8, 3.2)),
        "sites_invited": invited,
        "sites_joined": invited - d.traits.choice((0, 0, 0, 1, 2)),
        "organiser": d.traits.choice(AGENCIES),
    }


def _meeting_site(d: Draw) -> dict[str, object]:
    connected = d.is_so(0.985)
    return {
        "site_id": f"diem-cau-{d.number % _MEETING_SITES:03d}",
        "session_id": f"kiem-tra-{d.world.run}-{d.number // _MEETING_SITES}",
        "at": d.began,
        "connected": connected,
        "loss_pct": round(d.traits.expovariate(5), 2) if connected else None,
        "jitter_ms": round(d.traits.uniform(1, 18), 1) if connected else None,
        "resolution": "1080p" if connected else None,
    }


PUBLISHERS = (
    Publisher(
        event="telecom.site", system="viettel", make=_site, stock=_SITES, days=20, every_s=20, is_state=True
    ),
    Publisher(event="telecom.site_alarm", system="noc", make=_alarm, stock=40, days=20, every_s=600),
    Publisher(event="telecom.speed_test", system="i-speed", make=_speed_test, stock=70, days=6, every_s=8),
    Publisher(
        event="telecom.fibre_route", system="noc", make=_fibre_route, stock=40, days=25, every_s=90, is_state=True
    ),
    Publisher(event="ipv6.probe", system="ipv6", make=_ipv6, stock=_SYSTEMS, days=1, every_s=10, is_state=True),
    Publisher(event="soc.incident", system="soc", make=_security_incident, stock=10, days=80, every_s=7200),
    Publisher(
        event="soc.system_level", system="soc", make=_system_level, stock=_SYSTEMS, days=15, every_s=120, is_state=True
    ),
    Publisher(
        event="soc.endpoint_report", system="soc", make=_endpoints, stock=len(AGENCIES), days=0.5, every_s=30,
        is_state=True,
    ),
    Publisher(event="soc.spam_report", system="156", make=_spam, stock=40, days=28, every_s=30),
    Publisher(
        event="meeting.session", system="truyen-hinh", make=_meeting, stock=18, days=25, every_s=600,
        in_office_hours=True,
    ),
    Publisher(
        event="meeting.site_quality", system="truyen-hinh", make=_meeting_site, stock=_MEETING_SITES, days=25,
        every_s=15, in_office_hours=True,
    ),
)  # fmt: skip
