"""Offices: the catalogue of procedures, documents, certificates, electronic identity, and the figures that the
communes' operations centres collect."""

from datetime import date, timedelta

from ioc.simulate.publishers import AGENCIES, Draw, Publisher

__all__ = ["INDICATORS", "PUBLISHERS"]

_CENTRES = 14  # Lào Cai 2021: 14 operations centres
_SILENT_CENTRE = 13  # forwards figures that are three days old
_MANUAL_SHARE = 0.12
_LATE_COMMUNE = 21  # every 21st commune has not reported for the running month yet

INDICATORS: dict[str, tuple[str, float]] = {
    "village_mobile": ("villages", 0.985),
    "fibre_households": ("households", 0.66),
    "fibre_communes": ("one", 0.98),
    "smartphone_share": ("subscribers", 0.86),
    "cashless_adults": ("adults", 0.79),
    "broadcast_households": ("households", 0.984),
    "digital_address": ("households", 0.81),
}
"""Statistical figures by commune: what is counted, and about which share of it (the seed articles' figures)."""


def _procedure(d: Draw) -> dict[str, object]:
    published_at = d.long_ago(40, 1500)
    return {
        "procedure_code": f"{1 + d.number % 2}.{1000 + d.number:06d}",
        "service_level": d.one_of({"full": 0.55, "partial": 0.35, "info": 0.1}),
        "published_at": published_at,
        "due_publish_at": d.after(-240, 72, published_at),
        "active": d.is_so(0.95),
    }


def _permit(d: Draw) -> dict[str, object]:
    west, south = 107.4 + 0.001 * d.number, 11.1  # a plot far from every camera
    ring = [[west + x * 0.0003, south + y * 0.0003] for x, y in ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))]
    return {
        "permit_id": f"GPXD-MP-{d.number:04d}",
        "parcel_id": f"mo-phong-{d.number:04d}",
        "polygon": {"type": "Polygon", "coordinates": [[[round(x, 5), round(y, 5)] for x, y in ring]]},
        "floors": d.traits.randint(1, 6),
        "valid_from": (begins := d.long_ago(10, 300)).date().isoformat(),
        "valid_to": d.after(24 * 300, 24 * 700, begins).date().isoformat(),
        "status": d.one_of({"valid": 0.95, "revoked": 0.05}),
    }


def _document(d: Draw) -> dict[str, object]:
    sender, receiver = d.traits.sample(AGENCIES, 2)
    received_at = d.after(0.005, 1.5)
    return {
        "document_id": d.fact_id("vb"),
        "from_agency": sender,
        "to_agency": receiver,
        "sent_at": d.began,
        "signed_digitally": d.is_so(0.97),
        "urgent": d.is_so(0.06),
        "due_at": d.after(48, 300),
        "level": d.traits.choice(("province", "commune")),
        "received_at": d.known(received_at) if d.is_so(0.985) else None,
        "done_at": d.known(d.after(10, 280)) if d.is_so(0.95) else None,
    }


def _certificate(d: Draw) -> dict[str, object]:
    issued_at = d.long_ago(5, 1200)
    return {
        "certificate_id": f"cts-{d.number:05d}",
        "holder_kind": "org" if d.is_so(0.15) else "person",
        "agency_code": AGENCIES[d.number % len(AGENCIES)],
        "issued_at": issued_at,
        "expires_at": d.after(24 * 1095, 24 * 1826, issued_at),
        "revoked": d.is_so(0.02),
    }


def _identity(d: Draw) -> dict[str, object]:
    holders = round(d.world.population(d.unit) * d.traits.uniform(0.07, 0.09))  # Lào Cai 2021: 307,796 in all
    new = round(24 * d.day_share * d.traits.random())
    return {
        "admin_unit": d.unit,
        "date": d.day(),
        "level1": new // 4,
        "level2": new - new // 4,
        "cumulative": holders + new,
    }


def _indicator(d: Draw) -> dict[str, object]:
    """Consecutive numbers go round the centres, so that each of them is heard every few minutes."""
    places = len(d.world.units)
    indicator_id = tuple(INDICATORS)[d.number // places % len(INDICATORS)]
    centre = d.number % places % _CENTRES
    as_of = d.long_ago(3, 3.001) if centre == _SILENT_CENTRE else d.now
    is_manual = d.is_so(_MANUAL_SHARE)
    what, share = INDICATORS[indicator_id]
    population = d.world.population(d.unit)
    whole = {
        "villages": max(3, population // 2000),
        "households": d.world.households(d.unit),
        "subscribers": round(population * 0.9),
        "adults": round(population * 0.74),
        "one": 1,
    }[what]
    part = sum(d.traits.random() < share for _ in range(whole)) if whole < 60 else round(whole * _near(d, share))
    is_late = d.number % places % _LATE_COMMUNE == _LATE_COMMUNE - 1
    month = date.fromisoformat(d.day()).replace(day=1)
    if is_late:
        month = (month - timedelta(days=1)).replace(day=1)
    return {
        "_system": f"oc-{centre + 1:02d}",
        "indicator_id": indicator_id,
        "period": f"{month:%Y-%m}",
        # Typed figures name a day only; the same day must tell the same figure, so nothing of it may vary.
        "as_of": as_of if centre == _SILENT_CENTRE or not is_manual else d.day(),
        "admin_unit": d.unit,
        "value": round(part / whole, 4),
        "numerator": part,
        "denominator": whole,
        "method": "manual" if is_manual else "auto",
        "reporter_role": "statistician" if is_manual else "system",
    }


def _near(d: Draw, share: float) -> float:
    return min(1.0, d.traits.gauss(share, (1 - share) / 4))


PUBLISHERS = (
    Publisher(
        event="procedure.registered", system="tthc", make=_procedure, stock=163, days=25, every_s=60, is_state=True
    ),
    Publisher(
        event="permit.construction", system="xaydung", make=_permit, stock=30, days=20, every_s=300, is_state=True
    ),
    Publisher(
        event="document.exchanged", system="truc-van-ban", make=_document, stock=160, days=28, every_s=4,
        in_office_hours=True,
    ),
    Publisher(
        event="signature.certificate", system="ca", make=_certificate, stock=240, days=25, every_s=30, is_state=True
    ),
    Publisher(
        event="identity.activated", system="vneid", make=_identity, stock=124, days=0.02, every_s=10, is_state=True
    ),
    Publisher(
        event="indicator.reported", system="oc-01", make=_indicator, stock=124 * len(INDICATORS), days=15, every_s=5,
        is_state=True,
    ),
)  # fmt: skip
