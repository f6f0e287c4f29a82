"""Trade and services: cashless payment, invoices, marketplaces, post, health, schools, tourism."""

from datetime import timedelta

from ioc.simulate.lives import LOCAL
from ioc.simulate.publishers import Draw, Publisher

__all__ = ["PUBLISHERS"]

_FACILITY_KINDS = ("supermarket", "school", "clinic", "market_stall", "welfare")
_CASHLESS_SHARE = {"supermarket": 1.0, "school": 0.97, "clinic": 0.95, "market_stall": 0.6, "welfare": 0.8}
_PAY = {"qr": 600, "transfer": 420, "card": 90, "mobile_money": 35}  # a day and 10,000 people
_PRODUCTS = 140
_TOWNS = 40  # communes whose guests are counted; the city's come first
_CLINICS = 24
_OUTLETS = ("bao-lam-dong", "dai-ptth", "cong-ttdt")


def _facility(d: Draw) -> dict[str, object]:
    kind = _FACILITY_KINDS[d.number % len(_FACILITY_KINDS)]
    return {
        "facility_id": f"{kind}-{d.number:03d}",
        "kind": kind,
        "accepts_cashless": d.is_so(_CASHLESS_SHARE[kind]),
        "as_of": d.now,
    }


def _transactions(d: Draw) -> dict[str, object]:
    method = tuple(_PAY)[d.number % len(_PAY)]
    unit = d.world.units[d.number // len(_PAY) % len(d.world.units)]
    population = d.world.population(unit)
    count = round(population / 10_000 * _PAY[method] * d.day_share * d.traits.uniform(0.7, 1.3))
    return {
        "admin_unit": unit,
        "date": d.day(),
        "method": method,
        "count": count,
        "value_vnd": count * d.traits.randint(90, 400) * 1000,
        "active_accounts_15plus": round(population * 0.58),
    }


def _einvoice(d: Draw) -> dict[str, object]:
    active = max(4, round(d.world.population(d.unit) / 260 * d.traits.uniform(0.5, 1.5)))
    return {"admin_unit": d.unit, "as_of": d.day(), "smes_active": active,
            "smes_einvoice": active - (d.traits.randint(0, active // 25) if d.is_so(0.3) else 0)}  # fmt: skip


def _product(d: Draw) -> dict[str, object]:
    return {
        "product_id": f"ocop-{d.number:04d}",
        "marketplace": d.one_of({"postmart": 0.6, "voso": 0.3, "dalat-farm": 0.1}),
        "ocop_stars": d.one_of({3: 0.75, 4: 0.22, 5: 0.03}),
        "seller_id_hash": f"{d.traits.getrandbits(64):016x}",
        "admin_unit": d.any_unit(),
        "listed_at": d.long_ago(3, 900),
        "status": d.one_of({"active": 0.94, "paused": 0.04, "removed": 0.02}),
    }


def _order(d: Draw) -> dict[str, object]:
    is_cancelled = d.is_so(0.05)
    over_at = d.known(d.after(20, 110) if not is_cancelled else d.after(0.2, 20))
    return {
        "order_id": d.fact_id("dh"),
        "marketplace": d.one_of({"postmart": 0.6, "voso": 0.3, "dalat-farm": 0.1}),
        "product_id": f"ocop-{d.traits.randrange(_PRODUCTS):04d}",
        "placed_at": d.began,
        "value_vnd": d.traits.randint(6, 90) * 10_000,
        "cancelled_at" if is_cancelled else "delivered_at": over_at,
    }


def _postal_point(d: Draw) -> dict[str, object]:
    return {
        "point_id": f"bc-{d.number:03d}",
        "admin_unit": d.unit,
        "staffed": d.is_so(0.97),
        "services": ["mail", "dvc"] if d.is_so(0.7) else ["mail"],
        "digital_address_code": f"LDG{d.number:05d}" if d.is_so(0.85) else None,
        "as_of": d.now,
    }


def _postal_item(d: Draw) -> dict[str, object]:
    promised_at = d.after(24, 96)
    taken = 1.0 - d.traits.uniform(0.05, 0.6) if d.is_so(0.955) else d.traits.uniform(1.05, 1.6)
    return {
        "item_id": d.fact_id("bg"),
        "operator": d.one_of({"vnpost": 0.62, "viettelpost": 0.3, "ghn": 0.08}),
        "class": d.one_of({"standard": 0.7, "express": 0.3}),
        "accepted_at": d.began,
        "promised_at": promised_at,
        "delivered_at": d.known(d.began + (promised_at - d.began) * taken),
        "result_return_for_dossier": d.is_so(0.15),
    }


def _press(d: Draw) -> dict[str, object]:
    outlet, back = d.number % len(_OUTLETS), d.number // len(_OUTLETS)
    so_far = 1.0 if back else d.day_share
    items = round(d.traits.uniform(9, 16) * so_far)  # Lào Cai: 13,700 a year of 3 outlets
    return {
        "outlet_id": _OUTLETS[outlet],
        "date": d.day(back),
        "items": items,
        "views": items * d.traits.randint(2500, 5500),
        "languages": ["vi", "en"] if outlet == 2 else ["vi"],
    }


def _coverage(d: Draw) -> dict[str, object]:
    population, facilities = d.world.population(d.unit), d.traits.randint(2, 7)
    return {
        "admin_unit": d.unit,
        "as_of": d.day(),
        "population": population,
        "ehr_holders": round(population * min(1.0, d.traits.gauss(0.955, 0.02))),
        "facilities": facilities,
        "facilities_cccd": facilities - d.is_so(0.06),
    }


def _visit(d: Draw) -> dict[str, object]:
    """The running hour so far, and the hours before it: a day that has just begun has its figure too."""
    hour = d.now.astimezone(LOCAL).replace(minute=0, second=0, microsecond=0)
    hour -= timedelta(hours=d.number // _CLINICS)
    visits = d.traits.randint(8, 60) if 7 <= hour.hour <= 17 else d.traits.randint(1, 5)
    return {
        "facility_id": f"bv-{d.number % _CLINICS:02d}",
        "hour": hour,
        "visits": visits,
        "checkin_cccd": round(visits * 0.86),
        "checkin_card": round(visits * 0.09),
        "cashless_paid": round(visits * 0.55),
    }


def _school(d: Draw) -> dict[str, object]:
    return {
        "facility_id": f"truong-{d.number:03d}",
        "cashless_tuition": d.is_so(0.985),
        "internet": d.is_so(0.995),
        "transcript_digital": d.is_so(0.8),
        "as_of": d.now,
    }


def _stay(d: Draw) -> dict[str, object]:
    town, back = d.number % _TOWNS % len(d.world.units), d.number // _TOWNS
    rooms = 2600 if town < 5 else d.traits.randint(30, 350)
    share = d.traits.uniform(0.45, 0.8) * (1.0 if back else 0.4 + 0.6 * d.day_share)
    guests = round(rooms * share * 1.8)
    return {
        "admin_unit": d.world.units[town],
        "date": d.day(back),
        "guests": guests,
        "foreign_guests": round(guests * 0.07),
        "rooms": rooms,
        "rooms_occupied": round(rooms * share),
    }


PUBLISHERS = (
    Publisher(
        event="cashless.facility", system="nhnn", make=_facility, stock=75, days=20, every_s=60, is_state=True
    ),
    Publisher(
        event="cashless.transactions", system="nhnn", make=_transactions, stock=40, days=0.02, every_s=20,
        is_state=True,
    ),
    Publisher(event="einvoice.sme", system="thue", make=_einvoice, stock=124, days=3, every_s=60, is_state=True),
    Publisher(
        event="marketplace.product", system="san", make=_product, stock=_PRODUCTS, days=20, every_s=60, is_state=True
    ),
    Publisher(event="marketplace.order", system="san", make=_order, stock=120, days=60, every_s=6),
    Publisher(
        event="postal.point", system="buudien", make=_postal_point, stock=130, days=20, every_s=60, is_state=True
    ),
    Publisher(event="postal.item", system="buudien", make=_postal_item, stock=120, days=20, every_s=5),
    Publisher(event="press.output", system="baochi", make=_press, stock=45, days=0.02, every_s=45, is_state=True),
    Publisher(event="health.coverage", system="soyte", make=_coverage, stock=124, days=3, every_s=60, is_state=True),
    Publisher(event="health.visit", system="his", make=_visit, stock=96, days=0.02, every_s=15, is_state=True),
    Publisher(
        event="education.facility", system="csdlgd", make=_school, stock=93, days=20, every_s=60, is_state=True
    ),
    Publisher(event="tourism.stay", system="luutru", make=_stay, stock=160, days=0.02, every_s=10, is_state=True),
)  # fmt: skip
