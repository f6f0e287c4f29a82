"""A case of building work: what is seen of it, and how the law stands to it while work goes on and afterwards."""

from datetime import UTC, date, datetime

import pytest

from ioc.building_case import BuildingCase, judgement_of
from ioc.detections import Box, Detection
from ioc.permits import Permit, Zone

ZONE = Zone(zone_id="lo-12", kind="residential", polygon=((0, 0), (1, 0), (1, 1)), parcel_id="24778-0012-0345")
PERMIT = Permit(
    permit_id="GPXD-1", parcel_id=ZONE.parcel_id, valid_from=date(2026, 1, 5), valid_to=date(2026, 6, 30), floors=2
)


def seen(day: date, **extra: str) -> Detection:
    at = datetime(day.year, day.month, day.day, 3, tzinfo=UTC)
    return Detection(
        detection_id=f"d-{day}", camera_id="cam-02", pose_id="p0", label="construction", tier="alarm", score=0.9,
        box=Box(0.5, 0.5, 0.1, 0.1), frame_at=at, frame_sha256="", frame_ref="", detector="construction",
        detector_version="2", first_seen_at=at, persisted_s=0.0, zone_id=ZONE.zone_id, extra=extra,
    )  # fmt: skip


def rule(case: BuildingCase, on: date) -> str:
    return judgement_of(case, "construction", zone=ZONE, ground=None, on=on, permits=[PERMIT]).rule


@pytest.mark.parametrize(
    ("worked_at", "expected"),
    [
        ("2026-06-29T10:00:00+07:00", "permit_valid"),
        ("2026-07-01T00:30:00+07:00", "outside_dates"),
        ("2026-06-30T18:00:00+00:00", "outside_dates"),
        ("2026-01-03T10:00:00+07:00", "outside_dates"),
        ("2026-06-29T10:00:00", "outside_dates"),
        ("not a time", "outside_dates"),
        ("", "outside_dates"),
    ],
    ids=str,
)
def test_house_is_judged_by_the_last_day_on_which_it_was_worked_at(worked_at: str, expected: str) -> None:
    on = date(2026, 9, 1)
    assert rule(BuildingCase().after(seen(on, stage="finished", worked_at=worked_at), ZONE), on) == expected


def test_work_that_goes_on_past_its_permit_is_outside_the_dates_for_good() -> None:
    first, late = date(2026, 6, 29), date(2026, 7, 9)
    case = BuildingCase().after(seen(first, worked_at="2026-06-28T10:00:00+07:00"), ZONE)
    assert rule(case, first) == "permit_valid"
    case = case.after(seen(late, worked_at="2026-07-02T10:00:00+07:00"), ZONE)
    assert rule(case, late) == "outside_dates"
    assert rule(case.after(seen(date(2026, 8, 1), worked_at="2026-06-30T10:00:00+07:00"), ZONE), late) == (
        "outside_dates"
    )


def test_finished_house_with_too_many_storeys_stays_one() -> None:
    on = date(2026, 9, 1)
    case = BuildingCase().after(seen(on, storeys="3", worked_at="2026-06-01T10:00:00+07:00"), ZONE)
    assert rule(case, on) == "too_many_storeys"
