"""Life in the communes: community teams, loudspeakers, media, disasters, violations."""

from datetime import datetime, timedelta

from ioc.simulate.publishers import Draw, Publisher, World

__all__ = ["PUBLISHERS"]

_TEAMS = 150
_CLUSTERS = 136  # Cao Bằng: 136 stations, 106 of them over the network
_STATIONS = 28
_ALERTS = 3
_ACKNOWLEDGING = 40  # communes that an alert concerns
_READINGS = {"rain": ("mm", 60), "level": ("m", 6), "wind": ("m/s", 18), "fire_danger": ("class", 5)}
_VIOLATIONS = {"construction": 0.4, "urban_order": 0.35, "culture": 0.1, "information": 0.05, "forest": 0.1}


def _team(d: Draw) -> dict[str, object]:
    return {
        "team_id": f"to-{d.number:03d}",
        "level": "commune" if d.number < len(d.world.units) else "village",
        "admin_unit": d.unit,
        "members": d.traits.randint(5, 18),
        "active": d.is_so(0.98),
        "as_of": d.now,
    }


def _activity(d: Draw) -> dict[str, object]:
    return {
        "team_id": f"to-{d.traits.randrange(_TEAMS):03d}",
        "at": d.began,
        "people_helped": d.traits.randint(1, 40),
        "topic": d.one_of({"dvc": 0.4, "payment": 0.2, "vneid": 0.3, "safety": 0.1}),
    }


def _loudspeaker(d: Draw) -> dict[str, object]:
    return {
        "cluster_id": f"loa-{d.number:03d}",
        "admin_unit": d.world.units[d.number % max(1, len(d.world.units) - 4)],  # four communes have none
        "tech": "ip" if d.is_so(0.78) else "fm",
        "at": d.now,
        "online": d.rng.random() < 0.97,
        "volume_pct": d.traits.randint(50, 90),
    }


def _bulletin(d: Draw) -> dict[str, object]:
    is_urgent, target = d.number % 3 == 0, d.traits.randint(6, _CLUSTERS)
    first_played_at = d.known(d.began + timedelta(seconds=d.traits.lognormvariate(4.4, 0.6)))
    return {
        "bulletin_id": d.fact_id("bt"),
        "issued_by": "H36.02",
        "kind": "urgent" if is_urgent else "routine",
        "issued_at": d.began,
        "target_clusters": target,
        "played_clusters": round(target * d.traits.uniform(0.88, 1.0)) if first_played_at else 0,
        "first_played_at": first_played_at,
    }


def _bad_info(d: Draw) -> dict[str, object]:
    handled_at = d.known(d.after(1, 30))
    return {
        "case_id": d.fact_id("xd"),
        "detected_at": d.began,
        "platform": d.one_of({"facebook": 0.6, "tiktok": 0.25, "youtube": 0.15}),
        "category": d.traits.choice(("fraud", "rumour", "gambling")),
        "handled_at": handled_at,
        "status": "handled" if handled_at else "open",
    }


def _reading(d: Draw) -> dict[str, object]:
    kind = tuple(_READINGS)[d.number % len(_READINGS)]
    unit, high = _READINGS[kind]
    value = high * d.rng.betavariate(1.4, 4)
    return {
        "station_id": f"tram-{d.number:02d}",
        "kind": kind,
        "at": d.now,
        "value": float(round(value)) if kind == "fire_danger" else round(value, 1),
        "unit": unit,
        "geo": d.point(),
    }


def _alert_sent_at(world: World, number: int) -> datetime:
    """Alert 0 was sent half an hour before the start, those before it twenty days apart."""
    return world.start - timedelta(minutes=30, days=20 * number)


def _alert_id(world: World, number: int) -> str:
    return f"canh-bao-{world.run}-{number}"


def _alert(d: Draw) -> dict[str, object]:
    sent = _alert_sent_at(d.world, d.number) if d.number < _ALERTS else d.began
    return {
        "identifier": _alert_id(d.world, d.number),
        "sender": "pctt.lamdong",
        "sent": d.known(sent),
        "msgType": "Alert",
        "event": d.traits.choice(("Mưa lớn", "Lũ quét, sạt lở", "Cháy rừng cấp V")),
        "severity": "Severe",
        "urgency": "Expected",
        "certainty": "Likely",
        "expires": sent + timedelta(hours=24),
    }


def _acknowledgement(d: Draw) -> dict[str, object]:
    """The stock's are shared out among the alerts; later ones are repeated calls to the newest."""
    is_stock = d.number < _ALERTS * _ACKNOWLEDGING
    alert, turn = divmod(d.number, _ACKNOWLEDGING) if is_stock else (0, d.number % _ACKNOWLEDGING)
    sent = _alert_sent_at(d.world, alert)
    at = sent + timedelta(seconds=min(1500.0, d.traits.lognormvariate(4.6, 0.55)))
    return {
        "identifier": _alert_id(d.world, alert),
        "admin_unit": d.world.units[turn * 3 % len(d.world.units)],
        "at": d.known(at if is_stock else d.now),
    }


def _rescue(d: Draw) -> dict[str, object]:
    dispatched = d.began + timedelta(seconds=d.traits.lognormvariate(5.7, 0.45))
    return {
        "incident_id": d.fact_id("cc"),
        "kind": d.one_of({"forest_fire": 0.3, "flood": 0.2, "landslide": 0.2, "rescue": 0.3}),
        "reported_at": d.began,
        "dispatched_at": d.known(dispatched),
        "on_site_at": d.known(on_site := d.after(0.2, 1.5, dispatched)),
        "closed_at": d.known(d.after(0.5, 9, on_site)),
        "geo": d.point(),
        "source": d.one_of({"camera": 0.15, "citizen": 0.35, "114": 0.5}),
    }


def _violation(d: Draw) -> dict[str, object]:
    decision_at = d.after(20, 240)
    fine_vnd = d.traits.randint(2, 60) * 500_000 if d.is_so(0.9) else None
    is_executed = d.is_so(0.85)
    return {
        "case_id": d.fact_id("vp"),
        "field": d.one_of(_VIOLATIONS),
        "detected_at": d.began,
        "source": d.one_of({"camera": 0.1, "citizen": 0.35, "patrol": 0.55}),
        "decision_at": (known := d.known(decision_at)),
        "fine_vnd": fine_vnd if known else None,
        "executed_at": d.known(d.after(24, 400, decision_at)) if is_executed else None,
        "geo": d.point(),
    }


PUBLISHERS = (
    Publisher(event="community.team", system="cns", make=_team, stock=_TEAMS, days=20, every_s=60, is_state=True),
    Publisher(event="community.activity", system="cns", make=_activity, stock=90, days=25, every_s=15),
    Publisher(
        event="loudspeaker.heartbeat", system="ttn", make=_loudspeaker, stock=_CLUSTERS, days=0.1, every_s=3,
        is_state=True,
    ),
    Publisher(event="loudspeaker.bulletin", system="ttn", make=_bulletin, stock=15, days=25, every_s=300),
    Publisher(event="socialnet.bad_info", system="a05", make=_bad_info, stock=24, days=28, every_s=120),
    Publisher(
        event="disaster.reading", system="kttv", make=_reading, stock=_STATIONS, days=0.02, every_s=3, is_state=True
    ),
    Publisher(event="disaster.alert", system="pctt", make=_alert, stock=_ALERTS, days=0.01, every_s=7200),
    Publisher(
        event="disaster.alert_acknowledged", system="pctt", make=_acknowledgement, stock=_ALERTS * _ACKNOWLEDGING,
        days=0.01, every_s=120,
    ),
    Publisher(event="disaster.incident", system="114", make=_rescue, stock=30, days=85, every_s=900),
    Publisher(
        event="violation.recorded", system="xphc", make=_violation, stock=60, days=60, every_s=600,
        in_office_hours=True,
    ),
)  # fmt: skip
