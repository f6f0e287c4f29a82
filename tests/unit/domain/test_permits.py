"""Construction judged by permit: a valid one of the parcel on the local day covers the work, nothing else does."""

from datetime import date

import pytest

from ioc.detections import Box
from ioc.permits import Judgement, Permit, PermitStatus, Zone, judge, point_in_polygon

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
    assert judge(ZONE, permits, DAY) == expected
    assert judge(ZONE, reversed(permits), DAY) == expected


def test_a_zone_without_a_parcel_is_covered_by_no_permit() -> None:
    unnamed = Zone(zone_id="z", kind="forest", polygon=SQUARE)
    assert judge(unnamed, [permit(parcel_id="")], DAY) == Judgement(is_violation=True, rule="no_permit")


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
