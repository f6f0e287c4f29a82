"""Construction judged by permit: a valid one of the parcel on the local day covers the work, nothing else does."""

from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import Polygon

from ioc.detections import Box
from ioc.errors import InvalidRecord
from ioc.ground import Footprint, LocalPlane
from ioc.permits import (
    Judgement,
    Permit,
    PermitRegistry,
    PermitStatus,
    Work,
    Zone,
    judge,
    permit_of_event,
    point_in_polygon,
)

SQUARE = ((0.2, 0.2), (0.6, 0.2), (0.6, 0.6), (0.2, 0.6))
ZONE = Zone(zone_id="z", kind="residential", polygon=SQUARE, parcel_id="24781-1")
DAY = date(2026, 11, 22)


def permit(
    permit_id: str = "GP-1",
    *,
    parcel_id: str = "24781-1",
    first: date = date(2026, 1, 1),
    last: date = date(2026, 12, 31),
    status: PermitStatus = "valid",
) -> Permit:
    return Permit(permit_id=permit_id, parcel_id=parcel_id, valid_from=first, valid_to=last, status=status)


@pytest.mark.parametrize(
    ("permits", "expected"),
    [
        pytest.param([permit()], Judgement(is_violation=False, rule="permit_valid", permit_id="GP-1"), id="valid"),
        pytest.param([], Judgement(is_violation=True, rule="no_permit"), id="none"),
        pytest.param(
            [permit(parcel_id="24781-2")], Judgement(is_violation=True, rule="no_permit"), id="of another parcel"
        ),
        pytest.param(
            [permit(status="revoked")],
            Judgement(is_violation=True, rule="permit_revoked", permit_id="GP-1"),
            id="revoked",
        ),
        pytest.param(
            [permit(status="suspended")],
            Judgement(is_violation=True, rule="permit_suspended", permit_id="GP-1"),
            id="suspended",
        ),
        pytest.param(
            [permit(status="expired")],
            Judgement(is_violation=True, rule="outside_dates", permit_id="GP-1"),
            id="declared expired",
        ),
        pytest.param(
            [permit(last=date(2026, 11, 21))],
            Judgement(is_violation=True, rule="outside_dates", permit_id="GP-1"),
            id="over since yesterday",
        ),
        pytest.param(
            [permit(first=date(2026, 11, 23))],
            Judgement(is_violation=True, rule="outside_dates", permit_id="GP-1"),
            id="from tomorrow",
        ),
        pytest.param(
            [permit(first=DAY, last=DAY)],
            Judgement(is_violation=False, rule="permit_valid", permit_id="GP-1"),
            id="both dates are valid days",
        ),
        pytest.param(
            [permit("GP-old", status="revoked"), permit("GP-new")],
            Judgement(is_violation=False, rule="permit_valid", permit_id="GP-new"),
            id="a valid one wins",
        ),
        pytest.param(
            [permit("GP-1", last=date(2020, 1, 1)), permit("GP-2", status="revoked", last=date(2027, 1, 1))],
            Judgement(is_violation=True, rule="permit_revoked", permit_id="GP-2"),
            id="else the latest is named",
        ),
    ],
)
def test_work_in_a_zone_is_judged_by_the_permits_of_its_parcel(permits: list[Permit], expected: Judgement) -> None:
    assert judge(Work(zone=ZONE, on=DAY), permits) == expected
    assert judge(Work(zone=ZONE, on=DAY), reversed(permits)) == expected


def test_a_zone_without_a_parcel_is_covered_by_no_permit() -> None:
    unnamed = Zone(zone_id="z", kind="forest", polygon=SQUARE)
    assert judge(Work(zone=unnamed, on=DAY), [permit(parcel_id="")]) == Judgement(is_violation=True, rule="no_permit")


@pytest.mark.parametrize(
    ("x", "y", "is_inside"),
    [(0.4, 0.4, True), (0.1, 0.4, False), (0.7, 0.4, False), (0.4, 0.1, False), (0.4, 0.7, False), (0.2, 0.4, True)],
)
def test_a_point_lies_in_a_polygon_whichever_way_it_was_drawn(x: float, y: float, is_inside: bool) -> None:
    assert point_in_polygon((x, y), SQUARE) is is_inside
    assert point_in_polygon((x, y), SQUARE[::-1]) is is_inside


def test_a_notch_is_outside() -> None:
    notched = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.3), (0.0, 1.0))
    assert not point_in_polygon((0.5, 0.8), notched)
    assert point_in_polygon((0.2, 0.3), notched)


def test_a_zone_holds_a_box_by_its_middle() -> None:
    assert ZONE.holds(Box(0.4, 0.4, 0.9, 0.9))
    assert not ZONE.holds(Box(0.65, 0.4, 0.2, 0.2))


# ---- what stands, when and where -------------------------------------------------------------------------------------

GROUND = LocalPlane(108.44, 11.94)


def outline(x_m: float, y_m: float, width_m: float, height_m: float) -> Polygon:
    corners = [(x_m, y_m), (x_m + width_m, y_m), (x_m + width_m, y_m + height_m), (x_m, y_m + height_m)]
    return Polygon(GROUND.to_degrees(np.array(corners)))


PARCEL = outline(0, 0, 20, 20)


def footprint(x_m: float, width_m: float, error_m: float = 1.0) -> Footprint:
    return Footprint(outline=outline(x_m, 2, width_m, 10), error_m=error_m)


@pytest.mark.parametrize(
    ("work", "rule"),
    [
        pytest.param({"storeys": 3}, "permit_valid", id="as many storeys as allowed"),
        pytest.param({"storeys": 4}, "too_many_storeys", id="one more"),
        pytest.param({"footprint": footprint(2, 10)}, "permit_valid", id="inside the parcel"),
        pytest.param({"footprint": footprint(12, 9)}, "permit_valid", id="over the edge by less than the error"),
        pytest.param({"footprint": footprint(16, 10)}, "outside_parcel", id="half of it beside the parcel"),
        pytest.param({"footprint": footprint(16, 10, 8.0)}, "permit_valid", id="nobody knows so exactly"),
        pytest.param({"active_at": time(20, 59)}, "permit_valid", id="in the evening"),
        pytest.param({"active_at": time(21, 0)}, "forbidden_hours", id="at night"),
        pytest.param({"active_at": time(5, 59)}, "forbidden_hours", id="before dawn"),
        pytest.param({"active_at": time(6, 0)}, "permit_valid", id="from six"),
        pytest.param({"footprint": footprint(16, 10), "storeys": 9}, "outside_parcel", id="the gravest is named"),
    ],
)
def test_a_valid_permit_covers_its_parcel_its_storeys_and_the_hours_of_work(work: dict[str, Any], rule: str) -> None:
    own = replace(permit(), floors=3, outline=PARCEL)
    found = judge(Work(zone=ZONE, on=DAY, **work), [own])
    assert (found.rule, found.permit_id, found.is_violation) == (rule, "GP-1", rule != "permit_valid")


def test_of_two_permits_for_one_parcel_the_one_that_covers_the_work_counts() -> None:
    low, high = replace(permit(), floors=1), replace(permit("GP-2"), floors=4)
    for permits in ([low, high], [high, low]):
        assert judge(Work(zone=ZONE, on=DAY, storeys=3), permits).permit_id == "GP-2"
        assert judge(Work(zone=ZONE, on=DAY, storeys=5), permits).rule == "too_many_storeys"


def test_hours_may_pass_midnight_and_may_be_all_day() -> None:
    night = replace(ZONE, work_from=time(20), work_until=time(4))
    assert [night.allows_work_at(time(hour)) for hour in (19, 20, 0, 3, 4)] == [False, True, True, True, False]
    assert replace(ZONE, work_from=time(0), work_until=time(0)).allows_work_at(time(3))


# ---- the register ----------------------------------------------------------------------------------------------------


def at(minute: int) -> datetime:
    return datetime(2026, 11, 22, 8, minute, tzinfo=UTC)


@given(order=st.permutations(range(4)))
def test_the_newest_version_counts_in_whatever_order_versions_come(order: list[int]) -> None:
    versions = [permit(), permit(status="suspended"), None, permit(status="revoked")]
    registry = PermitRegistry()
    for index in order:
        registry.put("GP-1", versions[index], at(index))
    assert registry.of_parcel("24781-1") == (permit(status="revoked"),)
    assert [version.permit for version in registry.history("GP-1")] == versions


def test_it_tells_which_parcels_to_judge_again() -> None:
    registry = PermitRegistry([permit()])
    assert registry.put("GP-1", permit(), at(1)) == frozenset(), "nothing changed"
    assert registry.put("GP-1", permit(parcel_id="24781-2"), at(2)) == {"24781-1", "24781-2"}
    assert registry.put("GP-1", permit(status="revoked"), at(0)) == frozenset(), "what is older stays history"
    assert registry.put("GP-1", None, at(3)) == {"24781-2"}
    assert (len(registry), registry.of_parcel("24781-2")) == (0, ())


def test_two_permits_that_are_valid_on_one_day_for_one_parcel_are_named() -> None:
    registry = PermitRegistry([permit(), permit("GP-2", first=date(2026, 12, 31), last=date(2027, 5, 1))])
    assert registry.doubles() == (("24781-1", ("GP-1", "GP-2")),)
    registry.put("GP-2", permit("GP-2", first=date(2027, 1, 1), last=date(2027, 5, 1)), at(1))
    assert registry.doubles() == ()


# ---- permits as they are published -----------------------------------------------------------------------------------

RING = [[108.44, 11.94], [108.441, 11.94], [108.441, 11.941], [108.44, 11.941], [108.44, 11.94]]
EVENT = {
    "permit_id": "GP-9",
    "parcel_id": "24781-9",
    "valid_from": "2026-01-15",
    "valid_to": "2026-12-31T00:00:00+07:00",
    "floors": 2,
    "status": "valid",
    "polygon": {"type": "Polygon", "coordinates": [RING]},
}


def test_a_published_permit_is_read() -> None:
    found = permit_of_event(EVENT)
    assert found == Permit(
        permit_id="GP-9",
        parcel_id="24781-9",
        valid_from=date(2026, 1, 15),
        valid_to=date(2026, 12, 31),
        floors=2,
        outline=Polygon(RING),
    )
    assert permit_of_event({**EVENT, "polygon": {"type": "Feature", "geometry": EVENT["polygon"]}}) == found
    assert permit_of_event({**EVENT, "polygon": {"type": "MultiPolygon", "coordinates": [[RING]]}}) == found
    bare = permit_of_event({"permit_id": "GP-9"})
    assert (bare.status, bare.floors, bare.outline, bare.is_valid_on(DAY)) == ("valid", None, None, True)


@pytest.mark.parametrize(
    ("changed", "reason", "says"),
    [
        ({"valid_from": "2027-02-01"}, "bad_time", "before valid_from"),
        ({"valid_to": "tomorrow"}, "bad_time", "no day"),
        ({"valid_to": "2026-12-31T00:00:00"}, "bad_time", "no time with an offset"),
        ({"status": "open"}, "not_allowed", "valid, suspended, revoked, expired"),
        ({"floors": "three"}, "out_of_range", "number of floors"),
        ({"floors": True}, "out_of_range", "number of floors"),
        ({"permit_id": " "}, "missing_field", "permit_id"),
        ({"polygon": "P"}, "bad_geometry", "GeoJSON Polygon"),
        ({"polygon": {"type": "Point", "coordinates": [108, 12]}}, "bad_geometry", "GeoJSON Polygon"),
        ({"polygon": {"type": "Polygon", "coordinates": [RING[:2]]}}, "bad_geometry", "three corners"),
        (
            {"polygon": {"type": "Polygon", "coordinates": [[RING[0], RING[2], RING[1], RING[3], RING[0]]]}},
            "bad_geometry",
            "crosses itself",
        ),
        (
            {"polygon": {"type": "Polygon", "coordinates": [[[y, x] for x, y in RING]]}},
            "bad_geometry",
            "latitude before longitude",
        ),
        (
            {"polygon": {"type": "Polygon", "coordinates": [[[x * 5000, y * 1e5] for x, y in RING]]}},
            "bad_geometry",
            "VN-2000",
        ),
    ],
)
def test_a_permit_that_is_wrong_says_where(changed: dict[str, object], reason: str, says: str) -> None:
    with pytest.raises(InvalidRecord) as refused:
        permit_of_event({**EVENT, **changed})
    assert refused.value.reason == reason
    assert refused.value.field == next(iter(changed)) or refused.value.field == "valid_to"
    assert says in refused.value.en
