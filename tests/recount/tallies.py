"""What departments add up themselves: by commune and day, and the statistical indicators."""

from datetime import datetime, timedelta

from tests.recount.accepting import HANOI
from tests.recount.scribe import MILLISECOND, UNITS, Scribe
from tests.recount.subjects import tell

__all__ = [
    "coverage",
    "e_identity",
    "einvoice",
    "endpoints",
    "guests",
    "indicator",
    "press",
    "speed_test",
    "turnover",
    "visits",
]

INDICATORS = (
    "village_mobile",
    "fibre_households",
    "fibre_communes",
    "smartphone_share",
    "cashless_adults",
    "broadcast_households",
    "digital_address",
    "grdp_growth",
)


def _told_day(scribe: Scribe, days: float) -> datetime:
    """Returns the local midnight of the day that a figure is about: no bound holds for it."""
    if scribe.chance(0.06):
        some_days = scribe.rng.choice([1, 1, 2, 9, 40, 400, 9_000, -9_000, -12_000])
        return _a_day(scribe, days) + timedelta(days=some_days)
    return _a_day(scribe, days)


def _a_day(scribe: Scribe, days: float) -> datetime:
    """Returns the local midnight of a day, today at the latest."""
    moment = min(scribe.moment(days), scribe.clock)
    return moment.astimezone(HANOI).replace(hour=0, minute=0, second=0, microsecond=0)


def e_identity(scribe: Scribe) -> None:
    identity = {"admin_unit": scribe.rng.choice(UNITS), "date": _told_day(scribe, 9)}
    tell(scribe, "identity.activated", identity, lambda at: {"cumulative": scribe.rng.randrange(40_000)}, days=9)


def turnover(scribe: Scribe) -> None:
    method = scribe.rng.choice(["qr", "card", "transfer", "mobile_money"])
    identity = {"admin_unit": scribe.rng.choice(UNITS), "date": _told_day(scribe, 20), "method": method}
    tell(scribe, "cashless.transactions", identity, lambda at: {"count": scribe.rng.randrange(900)}, days=20)


def einvoice(scribe: Scribe) -> None:
    def body(at: datetime) -> dict[str, object]:
        active = scribe.rng.randrange(400)
        return {"smes_active": active, "smes_einvoice": scribe.rng.randrange(active + 1)}

    tell(scribe, "einvoice.sme", {"admin_unit": scribe.rng.choice(UNITS), "as_of": _a_day(scribe, 60)}, body)


def coverage(scribe: Scribe) -> None:
    def body(at: datetime) -> dict[str, object]:
        return {
            "population": 20_000 + scribe.rng.randrange(9_000),
            "ehr_holders": scribe.rng.randrange(20_000),
            "facilities": scribe.rng.randrange(9),
            "facilities_cccd": scribe.rng.randrange(9),
        }

    as_of = scribe.moment(60) if scribe.chance(0.2) else _a_day(scribe, 60)
    tell(scribe, "health.coverage", {"admin_unit": scribe.rng.choice(UNITS), "as_of": as_of}, body)


def visits(scribe: Scribe) -> None:
    hour = min(scribe.moment(20), scribe.clock).replace(minute=0, second=0, microsecond=0)
    if scribe.chance(0.1):
        hour += timedelta(days=scribe.rng.choice([1, 300, -20_000]))  # what it is about, not when it was told
    identity = {"facility_id": f"BV-{scribe.rng.randrange(30)}", "hour": hour}
    tell(scribe, "health.visit", identity, lambda at: {"visits": scribe.rng.randrange(200)}, days=20)


def endpoints(scribe: Scribe) -> None:
    identity = {"agency_code": f"H36.{scribe.rng.randrange(1, 10):02d}", "at": scribe.moment(20)}
    tell(scribe, "soc.endpoint_report", identity, lambda at: {"endpoints": scribe.rng.randrange(300)}, most=2)


def press(scribe: Scribe) -> None:
    def body(at: datetime) -> dict[str, object]:
        data: dict[str, object] = {}
        scribe.maybe(data, "items", scribe.rng.randrange(50), absent=0.2)
        scribe.maybe(data, "views", scribe.rng.randrange(90_000), absent=0.3)
        return data

    day = _told_day(scribe, 300 if scribe.chance(0.5) else 3)
    tell(scribe, "press.output", {"outlet_id": f"bao-{scribe.rng.randrange(5)}", "date": day}, body)


def guests(scribe: Scribe) -> None:
    def body(at: datetime) -> dict[str, object]:
        data: dict[str, object] = {}
        scribe.maybe(data, "guests", scribe.rng.randrange(3_000), absent=0.2)
        scribe.maybe(data, "rooms", 40, absent=0.3)
        return data

    tell(scribe, "tourism.stay", {"admin_unit": scribe.rng.choice(UNITS), "date": _told_day(scribe, 40)}, body)


def speed_test(scribe: Scribe) -> None:
    rng = scribe.rng
    identity = {"admin_unit": rng.choice(UNITS), "tech": rng.choice(["5G", "5G", "4G", "5g"]), "at": scribe.moment(10)}

    def body(at: datetime) -> dict[str, object]:
        data: dict[str, object] = {}
        scribe.maybe(data, "down_mbps", rng.choice([0, 210, 187.25, 333.5]), absent=0.2)
        scribe.maybe(data, "samples", rng.randrange(40), absent=0.3)
        scribe.maybe(data, "up_mbps", 50, absent=0.5)
        return data

    tell(scribe, "telecom.speed_test", identity, body)


def _period(scribe: Scribe) -> str:
    day = _a_day(scribe, 120)
    quarter = f"{day.year}-Q{(day.month + 2) // 3}"
    return scribe.rng.choice([f"{day:%Y-%m}", f"{day:%Y-%m}", quarter, f"{day:%Y}", f"{day:%Y-%m-%d}", "kỳ 3"])


def indicator(scribe: Scribe) -> None:
    """Values of one indicator, period and commune: by hand and automatic, with and without what they are made of."""
    rng = scribe.rng
    identity = {"indicator_id": rng.choice(INDICATORS), "period": _period(scribe), "admin_unit": scribe.commune()}

    def body(at: datetime) -> dict[str, object]:
        total = rng.choice([0, 161, 929, 40_000])
        data: dict[str, object] = {}
        scribe.maybe(data, "numerator", rng.randrange(total + 1), absent=0.12)
        scribe.maybe(data, "denominator", total, absent=0.12)
        scribe.maybe(data, "value", rng.choice([0.5, 85.93]), absent=0.5)
        scribe.maybe(data, "method", rng.choice(["auto", "manual"]), absent=0.2)
        if scribe.chance(0.05):  # a summary ten minutes old, to the millisecond
            age = timedelta(minutes=10) + rng.choice([timedelta(), MILLISECOND, -MILLISECOND])
            data["as_of"] = scribe.stamp(scribe.clock - age)
        return data

    tell(scribe, "indicator.reported", identity, body, days=60)
