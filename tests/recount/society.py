"""Cashless facilities, markets, post, media, schools, violations and visitors."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from tests.recount.accepting import Fact
from tests.recount.lifetimes import Lives, Province, Share, count_of, newest, newest_time, share_of_one, unit_of

__all__ = [
    "bulletin",
    "cashless_facility",
    "communes_served",
    "order",
    "parcel",
    "press",
    "product",
    "school",
    "stay",
    "violation",
]

URGENT_WITHIN = timedelta(seconds=300)


def cashless_facility(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    kind, accepts = newest(facts, "kind"), newest(facts, "accepts_cashless") is True
    if kind == "school":
        yield share_of_one("schools_cashless", accepts)
    if kind in ("supermarket", "market_stall"):
        yield share_of_one("supermarkets_cashless", accepts)


def school(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    yield share_of_one("schools_cashless", newest(facts, "cashless_tuition") is True)


def product(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    if newest(facts, "status") == "active":
        yield Share(kpi="ocop_products_listed", unit=unit_of(facts), numerator=1)


def order(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    if newest(facts, "cancelled_at") is None:
        yield Share(kpi="marketplace_orders", at=newest_time(facts, "placed_at"), numerator=1)


def parcel(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    delivered_at, promised_at = newest_time(facts, "delivered_at"), newest_time(facts, "promised_at")
    if delivered_at is None:
        return
    in_time = promised_at is not None and delivered_at <= promised_at
    operator = str(newest(facts, "operator") or "")
    yield Share(kpi="postal_on_time", at=delivered_at, dim=operator, numerator=int(in_time), denominator=1)


def communes_served(lives: Lives, province: Province) -> Iterator[Share]:
    """Communes in force with a staffed post office, an active team, a loudspeaker; by the communes in force."""
    post = {unit_of(facts) for facts in lives["postal_point"].values() if newest(facts, "staffed") is True}
    teams = {unit_of(facts) for facts in lives["community_team"].values() if newest(facts, "active") is True}
    speakers = {unit_of(facts) for facts in lives["loudspeaker_heartbeat"].values()}
    in_force = set(province.units)
    for kpi, served in (("postal_communes", post), ("teams_communes", teams), ("loudspeaker_communes", speakers)):
        yield Share(kpi=kpi, numerator=len(served & in_force), denominator=len(in_force))


def bulletin(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    issued_at, first_played_at = newest_time(facts, "issued_at"), newest_time(facts, "first_played_at")
    if newest(facts, "kind") != "urgent" or issued_at is None:
        return
    in_time = first_played_at is not None and first_played_at - issued_at <= URGENT_WITHIN
    played = count_of(facts, "played_clusters") if in_time else 0
    target = count_of(facts, "target_clusters")
    yield Share(kpi="urgent_bulletin_reach", at=issued_at, numerator=played, denominator=target)


def press(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    day = key[1]
    assert isinstance(day, datetime)
    yield Share(kpi="press_items", at=day, numerator=count_of(facts, "items"))


def violation(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    decision_at = newest_time(facts, "decision_at")
    if decision_at is not None:
        yield Share(kpi="violations_fined", at=decision_at, dim=str(newest(facts, "field") or ""), numerator=1)


def stay(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    unit, day = key
    assert isinstance(day, datetime)
    yield Share(kpi="tourism_guests", at=day, unit=str(unit), numerator=count_of(facts, "guests"))
